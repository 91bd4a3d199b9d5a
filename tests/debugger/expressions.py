# SPDX-License-Identifier: MIT
"""A command for tests, in gdb and LLDB: is what expressions of Go name what the program says?

    expressions ACCOUNT SCENE

ACCOUNT is what programs/go/expressions has written: lines of a scene's number, an expression, and
the only entry of the map that it names, or "!" and what a refusal of it must say.
"""

import json
from pathlib import Path
from typing import List

from in_debugger import Failed, define, execute


def wrong_with(expression: str, expected: str) -> str:
    """What `map entries` shows for an expression, if that is wrong; else ""."""
    try:
        lines = execute(f"map entries {json.dumps(expression)} --json").splitlines()
    except Failed as error:
        text = " ".join(str(error).split())
        right = expected.startswith("!") and expected[1:] in text and "internal" not in text
        return "" if right else text
    entries = [json.loads(line) for line in lines if '"key"' in line]
    if expected.startswith("!") or len(entries) != 1:
        return " ".join(lines)
    wanted, found = json.loads(expected), entries[0]
    # a pointer is an address here, and what it points at for the program
    if isinstance(wanted["value"], dict) and isinstance(found["value"], str):
        wanted["value"] = found["value"]
    return "" if found == wanted else json.dumps(found)


def expressions(argument: str) -> None:
    """Try all expressions of one scene."""
    account, scene = argument.rsplit(" ", 1)
    wrong: List[str] = []
    tried = 0
    for line in Path(account.strip("'")).read_text(encoding="utf-8").splitlines():
        number, expression, expected = line.split("\t")
        if number != scene:
            continue
        tried += 1
        found = wrong_with(expression, expected)
        if found:
            wrong.append(f"wrong: {expression}: expected {expected}, found {found}")
    print(f"scene {scene}: {tried} expressions, {len(wrong)} wrong", flush=True)
    for line in wrong:
        print(line, flush=True)


define("expressions", expressions)
