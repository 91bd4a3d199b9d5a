# SPDX-License-Identifier: MIT
"""Expressions that name a map, each with what `map entries` is to say of it.

    expression_table.py TABLE -- DEBUGGER [OPTIONS...] PROGRAM FILE [CORE]

TABLE has lines of these forms:

    EXPRESSION => NUMBER    the map whose one entry is NUMBER = NUMBER, and no other
    EXPRESSION => ! TEXT    refused, in one line that holds TEXT
    EXPRESSION => = TEXT    shown: the first line holds TEXT
    $ COMMAND               a command of the debugger
    # ...                   nothing

The debugger is started once. Every line is looked at; those that are wrong are printed.
"""

import re
import subprocess
import sys
from typing import List, Tuple

#: what LLDB has to say at any time: of debug information, and of a thread
_NOISE = re.compile(
    r"^(error: \S+ 0x[0-9a-f]+: DW_TAG_|warning: |\(lldb\) |\* thread #| +frame #|->|"
    r" *\d+ *\t| *\t? +\^|$)"
)


def read(path: str) -> List[Tuple[str, str]]:
    """(expression or $ command, what is expected) of each line."""
    rows = []
    with open(path, encoding="utf-8") as file:
        for line in file.read().splitlines():
            if line.startswith("$ "):
                rows.append((line, ""))
            elif line and not line.startswith("#"):
                expression, _, expected = line.partition(" => ")
                rows.append((expression.strip(), expected.strip()))
    return rows


def command(expression: str) -> str:
    """What is typed."""
    return f"map entries {expression}" if "'" in expression else f"map entries '{expression}'"


def wrong(expected: str, lines: List[str]) -> bool:
    """Whether a command has said something else."""
    if expected.startswith("! "):
        return len(lines) != 1 or "mapscope: " not in lines[0] or expected[2:] not in lines[0]
    if expected.startswith("= "):
        return not lines or expected[2:] not in lines[0] or "mapscope: " in lines[0]
    entry = f"  [{expected}] = {expected}"
    return len(lines) != 2 or lines[1] != entry or not lines[0].endswith(", 1 entries")


def main() -> int:
    """Runs a table; 1: something in it is wrong."""
    table, dashes, *words = sys.argv[1:]
    assert dashes == "--"
    at = words.index("PROGRAM")
    debugger, program = words[:at], words[at + 1 :]
    rows = read(table)
    for number, (expression, _) in enumerate(rows):
        typed = expression[2:] if expression.startswith("$ ") else command(expression)
        debugger += ["-ex", f"echo @{number}@\\n", "-ex", typed]
    debugger += ["-ex", "echo @end@\\n", *program]
    done = subprocess.run(
        debugger, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=280
    )
    text = done.stdout.decode("utf-8", "replace")
    bad = checked = 0
    for number, (expression, expected) in enumerate(rows):
        if expression.startswith("$ "):
            continue
        found = re.search(rf"@{number}@\n(.*?)(?=@(?:\d+|end)@\n)", text, re.DOTALL)
        lines = [
            line for line in (found[1] if found else "").splitlines() if not _NOISE.match(line)
        ]
        checked += 1
        if found is None or wrong(expected, lines):
            bad += 1
            print(f"{expression} => {expected}\n  but: " + "\n       ".join(lines[:5]))
    print(f"{checked} expressions, {bad} wrong")
    if bad == checked:
        print(text[-1000:])
    return 1 if bad or not checked else 0


sys.exit(main())
