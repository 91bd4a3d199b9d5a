# SPDX-License-Identifier: MIT
"""Does a walk-through show what gdb or LLDB shows?

    walkthrough.py [--section TITLE] [--write] README -- DEBUGGER ARGUMENTS...

Takes each line "(gdb) COMMAND" or "(lldb) COMMAND" of the section's indented blocks,
runs the commands in one debugger, and compares the output of those that begin with "map" or
"slice" with the lines below them in the README, and of all others the lines that begin with
"mapscope stop". A line "..." there stands for any lines: those before it must
begin the output, those after it end it. Addresses, dates, times and the kernel's
ids of threads may differ. --write puts the real output into the README instead;
its prose is yours to check.
"""

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import List, Tuple

PROMPT = re.compile(r"    \((gdb|lldb)\) (.*)$")
INDENT = "    "
ELLIPSIS = "..."
STOP = "mapscope stop "
MARK = "@walkthrough@"
#: LLDB shows the commands too, and what it thinks of GCC 12's std::string
LLDBS_OWN = re.compile(r"^(\(lldb\) |error: \S+ 0x[0-9a-f]+: DW_TAG_).*\n", re.MULTILINE)


@dataclass
class Step:
    """One command of a README, and the lines [begin, end) that show its output."""

    command: str
    begin: int
    end: int


def steps(lines: List[str], section: str) -> List[Step]:
    """Returns the commands in the section that the heading "## `section`" begins."""
    found = []
    inside = False
    for number, line in enumerate(lines):
        if line.startswith("## "):
            inside = line == f"## {section}"
        elif inside and PROMPT.match(line):
            end = number + 1
            while end < len(lines) and shown(lines[end]):
                end += 1
            found.append(Step(PROMPT.sub(r"\2", line), number + 1, end))
    return found


def shown(line: str) -> bool:
    """Whether a line of a README is output: indented, and no command."""
    return line.startswith(INDENT) and not re.match(r"    (\((gdb|lldb)\)|\$) ", line)


def run(debugger: List[str], commands: List[str]) -> List[List[str]]:
    """Returns the output of each command in one debugger."""
    arguments = debugger[:-1]
    lldb = any("lldb" in Path(word).name for word in debugger[:4])
    for command in commands:
        if lldb:
            arguments += ["-o", f"script print('{MARK}', flush=True)", "-o", command]
        else:
            arguments += ["-ex", f"echo {MARK}\\n", "-ex", command]
    arguments.append(debugger[-1])
    process = subprocess.run(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=100,
        encoding="utf-8",
        check=False,
    )
    text = LLDBS_OWN.sub("", process.stdout)
    parts = text.split(MARK + "\n")[1:]
    if len(parts) != len(commands):
        sys.exit(f"the debugger ran {len(parts)} of {len(commands)} commands:\n{process.stdout}")
    return [part.rstrip("\n").split("\n") for part in parts]


def split(expected: List[str]) -> Tuple[List[str], bool, List[str]]:
    """Returns what stands before "...", whether it is there, and what stands after it."""
    if ELLIPSIS not in expected:
        return expected, False, []
    at = expected.index(ELLIPSIS)
    return expected[:at], True, expected[at + 1 :]


def real(expected: List[str], output: List[str]) -> List[str]:
    """Returns the output in the form of `expected`: with "..." where it has it."""
    before, elided, after = split(expected)
    if not elided:
        return output
    return output[: len(before)] + [ELLIPSIS] + output[len(output) - len(after) :]


def with_stops(expected: List[str], output: List[str]) -> List[str]:
    """Returns the lines of a README with the stops of the output in place of its own."""
    stops = iter([line for line in output if line.startswith(STOP)])
    return [next(stops, line) if line.startswith(STOP) else line for line in expected]


#: What differs from run to run: addresses, and when and in which thread something happened.
VARYING = [
    (re.compile(r"0x[0-9a-f]{9,}"), "0x..."),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} UTC"), "DATE"),
    (re.compile(r"^ *\d+\.\d{6}  \d+ \(thread"), "TIME  ID (thread"),
    (re.compile(r'"time": [0-9.e-]+'), '"time": TIME'),
    (re.compile(r'"kernel_thread": \d+'), '"kernel_thread": ID'),
]


def without_varying(lines: List[str]) -> List[str]:
    """Returns the lines with what differs from run to run replaced."""
    for pattern, replacement in VARYING:
        lines = [pattern.sub(replacement, line) for line in lines]
    return lines


def main() -> int:
    """Compares or writes; returns the exit status, 0 if README and debugger agree."""
    parser = argparse.ArgumentParser(description="Does a walk-through show what a debugger shows?")
    parser.add_argument("--section", default="In C++", help="heading of the section to run")
    parser.add_argument("--write", action="store_true", help="put the real output into README")
    parser.add_argument("readme", metavar="README", type=Path)
    parser.add_argument(
        "debugger", metavar="DEBUGGER", nargs="+", help="gdb or LLDB, its options, a program"
    )
    arguments = parser.parse_args()

    lines = arguments.readme.read_text(encoding="utf-8").split("\n")
    todo = steps(lines, arguments.section)
    if not todo:
        sys.exit(f"no commands in section {arguments.section!r} of {arguments.readme}")
    outputs = run(arguments.debugger, [step.command for step in todo])
    differences = compared = 0
    for step, output in reversed(list(zip(todo, outputs))):
        if step.begin == step.end:
            continue
        expected = [line[len(INDENT) :] for line in lines[step.begin : step.end]]
        if not step.command.startswith(("map ", "slice ")):
            if not any(line.startswith(STOP) for line in expected):
                continue
            if arguments.write:
                output = with_stops(expected, output)
            else:
                expected = [line for line in expected if line.startswith(STOP)]
                output = [line for line in output if line.startswith(STOP)]
        compared += 1
        found = real(expected, output)
        if arguments.write:
            lines[step.begin : step.end] = [INDENT + line for line in found]
        elif without_varying(expected) != without_varying(found):
            differences += 1
            print(f"{step.command}\n  the README shows:", *expected, sep="\n    ")
            print("  the debugger shows:", *found, sep="\n    ")
    if arguments.write:
        arguments.readme.write_text("\n".join(lines), encoding="utf-8")
    else:
        print(f"{compared} commands compared, {differences} differ")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
