# SPDX-License-Identifier: MIT
"""A command for tests, in gdb and LLDB: are the variables of goroutines what the program says?

    goroutines ACCOUNT

ACCOUNT is what programs/go/parked has written: lines of a goroutine's id, a frame or nothing, an
expression, and the only entry of the map that it names, or "!" and what a refusal of it must say.
"""

import json
from pathlib import Path
from typing import List

from in_debugger import Failed, define, execute


def wrong_with(id: str, frame: str, expression: str, expected: str) -> str:
    """What `map entries` shows, if that is wrong; else ""."""
    options = f"--goroutine {id}" + (f" --frame {frame}" if frame else "")
    try:
        lines = execute(f"map entries {json.dumps(expression)} {options} --json").splitlines()
    except Failed as error:
        text = " ".join(str(error).split())
        right = expected.startswith("!") and expected[1:] in text and "internal" not in text
        return "" if right else text
    entries = [json.loads(line) for line in lines if '"key"' in line]
    if expected.startswith("!") or entries != [json.loads(expected)]:
        return " ".join(lines)
    return ""


def goroutines(argument: str) -> None:
    """Try all expressions of the account."""
    wrong: List[str] = []
    ids, tried = set(), 0
    for line in Path(argument.strip("'")).read_text(encoding="utf-8").splitlines():
        id, frame, expression, expected = line.split("\t")
        tried += 1
        ids.add(id)
        found = wrong_with(id, frame, expression, expected)
        if found:
            wrong.append(f"wrong: {expression} in {id}: expected {expected}, found {found}")
    print(f"{tried} expressions in {len(ids) - 1} goroutines, {len(wrong)} wrong", flush=True)
    for line in wrong:
        print(line, flush=True)


define("goroutines", goroutines)
