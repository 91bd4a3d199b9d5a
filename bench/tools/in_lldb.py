# SPDX-License-Identifier: MIT
"""What run.py runs inside LLDB: look at a core dump, as LLDB is or with mapscope.

Takes its parameters from the environment (MAPSCOPE_TOOLS, a JSON object, see run.py) and
writes its answers to the file named there, as one JSON object.
"""

import json
import os
from typing import Any, Dict

import lldb


def run(debugger: lldb.SBDebugger, command: str) -> Dict[str, str]:
    """A command's output, and its error if it failed."""
    result = lldb.SBCommandReturnObject()
    debugger.GetCommandInterpreter().HandleCommand(command, result)
    if result.Succeeded():
        return {"output": str(result.GetOutput() or "")}
    return {"error": str(result.GetError()).strip()}


def alone(debugger: lldb.SBDebugger, parameters: Dict[str, Any]) -> Dict[str, Any]:
    """What LLDB says of the variable, which may be one of the frame or of a package."""
    name = parameters["map"]
    look = "target variable" if "." in name else "frame variable"
    answers = {
        "entries": run(debugger, f"{look} {name}"),
        "length": run(debugger, f"expression -- len({name})"),
        "key": run(debugger, f"expression -- {name}[\"{parameters['key']}\"]"),
    }
    for answer in answers.values():
        # output would be a variable: run.py cannot read that, and says so
        answer.setdefault("error", "shown: " + answer.pop("output", "").strip())
    return answers


def mapscope(debugger: lldb.SBDebugger, parameters: Dict[str, Any]) -> Dict[str, Any]:
    """What mapscope shows. The entries go to the file `shown` of run.py's folder."""
    name = parameters["map"]
    entries = run(debugger, f"map entries {name} --limit 0 --json -o {parameters['shown']}")
    length = run(debugger, f"map inspect {name} --json")
    if "output" in length:
        length = {"value": json.loads(length["output"])["count"]}
    key = run(debugger, f"map find {name} {parameters['key']} --json")
    if "output" in key:
        entry = json.loads(key["output"])["entry"]
        key = {"value": entry["value"]} if entry else {"error": "not found"}
    return {"entries": {"error": entries.get("error")}, "length": length, "key": key}


def __lldb_init_module(debugger: lldb.SBDebugger, internal: Dict[str, Any]) -> None:
    parameters = json.loads(os.environ["MAPSCOPE_TOOLS"])
    roles = {"alone": alone, "mapscope": mapscope}
    answers = roles[parameters["role"]](debugger, parameters)
    with open(parameters["answers"], "w", encoding="utf-8") as file:
        json.dump(answers, file)
