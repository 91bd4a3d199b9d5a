# SPDX-License-Identifier: MIT
"""What run.py runs inside LLDB: time each way to look into a large map.

The script is imported in a stopped program (big.cpp, big.go), takes its parameters from the
environment (MAPSCOPE_BENCH, a JSON object: see run.py) and writes its measurements to the
file named there, as one JSON object.
"""

import json
import os
import time
from typing import Any, Dict

import lldb

from measuring import MIB, WRITTEN, memory, seconds

#: children of a map that an IDE's variables pane asks for
CHILDREN = 256


def run(debugger: lldb.SBDebugger, command: str) -> str:
    result = lldb.SBCommandReturnObject()
    debugger.GetCommandInterpreter().HandleCommand(command, result)
    if not result.Succeeded():
        raise RuntimeError(f"{command}: {result.GetError()}")
    return str(result.GetOutput() or "")


def read_all(process: lldb.SBProcess, start: int, size: int) -> int:
    """Read as many bytes as the map holds with SBProcess.ReadMemory, in pieces of 1 MiB."""
    error = lldb.SBError()
    total = 0
    for offset in range(0, size, MIB):
        data = process.ReadMemory(start + offset, min(MIB, size - offset), error)
        total += len(data or b"")
    return total


def expand(frame: lldb.SBFrame, name: str) -> int:
    """Show the first children, as an IDE's variables pane does."""
    value = frame.FindVariable(name)
    if not value.IsValid():
        value = frame.GetThread().GetProcess().GetTarget().FindFirstGlobalVariable(name)
    if value.GetType().IsReferenceType():
        value = value.Dereference()
    shown = 0
    for index in range(min(CHILDREN, value.GetNumChildren(CHILDREN))):
        child = value.GetChildAtIndex(index)
        shown += bool(child.GetName() and (child.GetValue() or child.GetSummary()))
    return shown


def lists(debugger: lldb.SBDebugger) -> Dict[str, Any]:
    """The first list of many maps, for which the program is looked at, and the next ones."""
    results: Dict[str, Any] = {}
    results["first"], text = seconds(lambda: run(debugger, "map list"), time.process_time)
    results["next"], text = seconds(lambda: run(debugger, "map list"), time.process_time)
    results["json"], text = seconds(lambda: run(debugger, "map list --json"), time.process_time)
    results["maps"] = len(json.loads(text)["maps"])
    return results


def measure(debugger: lldb.SBDebugger, parameters: Dict[str, Any]) -> Dict[str, Any]:
    if not parameters["map"]:
        return lists(debugger)
    name, go = parameters["map"], parameters["go"]
    process = debugger.GetSelectedTarget().GetProcess()
    frame = process.GetSelectedThread().GetSelectedFrame()
    results: Dict[str, Any] = {}
    before = memory("VmRSS")
    results["inspect"], text = seconds(lambda: run(debugger, f"map inspect {name} --json"))
    facts = json.loads(text)
    results["count"] = facts["count"]
    results["progress"] = facts["growth"]["progress"] if facts["growth"] else None
    results["stats"], text = seconds(lambda: run(debugger, f"map stats {name}"))
    for check, options in (("check", " --no-hash"), ("check_hashes", "")):
        results[check], text = seconds(lambda: run(debugger, f"map check {name} --json{options}"))
        if not json.loads(text)["ok"]:
            raise RuntimeError(f"map check found: {text[:200]}")
    if not go:
        results["print"], results["shown"] = seconds(lambda: expand(frame, name))
    if parameters["entries"]:
        output = parameters["output"]
        for what, options in WRITTEN:
            results[what], text = seconds(
                lambda: run(debugger, f"map entries {name} {options} -o '{output}.{what}'"),
                time.process_time,
            )
    results["gained"] = memory("VmHWM") - before
    if "B" not in facts:  # a Swiss map: there is no measure of reading it
        return results
    facts = json.loads(run(debugger, f"map inspect {name} --json"))
    bucket = json.loads(run(debugger, f"map bucket {name} 0 --json"))
    start = int(bucket["buckets"][0]["address"], 16)
    results["bytes"] = facts["buckets"] * facts["bucket_bytes"]
    if facts["growth"]:
        results["bytes"] += facts["growth"]["old_buckets"] * facts["bucket_bytes"]
    array = facts["buckets"] * facts["bucket_bytes"]
    sample = min(array, 64 * MIB)
    spent, read = seconds(lambda: read_all(process, start, sample))
    results["read"] = spent * results["bytes"] / max(read, 1)
    return results


def __lldb_init_module(debugger: lldb.SBDebugger, internal: Dict[str, Any]) -> None:
    parameters = json.loads(os.environ["MAPSCOPE_BENCH"])
    results = measure(debugger, parameters)
    with open(parameters["output"], "w", encoding="utf-8") as file:
        json.dump(results, file)
