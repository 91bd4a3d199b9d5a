# SPDX-License-Identifier: MIT
"""A command for tests, in gdb and LLDB: what do the map commands say about a damaged map?

    judge EXPRESSION...

For each expression it runs the commands that look into a map, and prints one
line for each: what was found, or the error. It fails when an error is not one
line, when it is the text of a Python failure, or when a command takes more
than ten seconds, as one that follows a looping chain would.
"""

import json
import shlex
import time
from typing import List

from in_debugger import Failed, define, execute

LONGEST = 10.0  # seconds; far more than any of them may need
COMMANDS = (
    "inspect {}",
    "inspect {} --json",
    "entries {} --json",
    "entries {} --limit 3",
    "bucket {} 5",
    "find {} 7",
    "stats {}",
    "stats {} --json",
    "check {}",
    "check {} --json",
)
FAILURES = (
    "Traceback",
    "Python Exception",
    "Error occurred in Python",
    "<class '",
    "internal-error",
)


def judge(argument: str) -> None:
    """Say what each map command makes of each expression."""
    wrong: List[str] = []
    for expression in shlex.split(argument):
        for command in COMMANDS:
            text = "map " + command.format(expression)
            start = time.monotonic()
            try:
                verdict = found(text, execute(text))
            except Failed as error:
                verdict = f"error: {error}"
            if time.monotonic() - start > LONGEST:
                verdict = f"took {time.monotonic() - start:.1f} s, then {verdict}"
                wrong.append(text)
            if "\n" in verdict or any(failure in verdict for failure in FAILURES):
                wrong.append(text)
            print(f"{text}: {verdict}")
    if wrong:
        raise Failed(f"judged wrong: {', '.join(wrong)}")
    print("judged: each command gave what it found, or one line")


def found(command: str, output: str) -> str:
    """Describe a command's output in one line."""
    lines = output.splitlines()
    if "entries" in command and "--json" in command:
        trailer = json.loads(lines[-1])
        assert trailer["entries"] == len(lines) - 2, f"{trailer} after {len(lines)} lines"
        return f"{trailer['entries']} entries, complete {trailer['complete']}, {trailer['error']}"
    if "--json" in command:
        return f"an object of {len(json.loads(output))} fields"
    return f"{len(lines)} lines, {lines[-1] if lines else 'nothing'}"


define("judge", judge)
