#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whether two debuggers said the same of the same maps: compare what answers.py wrote.

    same_answers.py GDB LLDB

Everything is to be equal but keys and values of classes that only a debugger can print, as
std::vector: then both must be text. Prints how much was compared, and ends with status 1
at the first difference.
"""

import json
import sys
from pathlib import Path
from typing import Any, List

#: classes of the zoo that have a layout of their own
OWN = ("std::vector<", "std::unique_ptr<", "std::optional<")


class Different(Exception):
    """Two answers are not the same."""


def is_own_text(path: List[str], type_name: str) -> bool:
    return any(name in type_name for name in OWN) and path[-1:] in (["key"], ["value"])


def compare(one: Any, other: Any, path: List[str], type_name: str) -> int:
    """Compare two answers. Returns how many texts are the debuggers' own."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return sum(compare(one[key], other[key], path + [key], type_name) for key in one)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return sum(compare(a, b, path, type_name) for a, b in zip(one, other))
    # 1 and True, 1 and 1.0 are not the same
    if repr(one) == repr(other):
        return 0
    if isinstance(one, str) and isinstance(other, str) and is_own_text(path, type_name):
        return 1
    raise Different(f"{'.'.join(path)}: {one!r} and {other!r}")


def answers(path: Path) -> List[Any]:
    """The JSON objects of a file; an error line as it is."""
    text = path.read_text(encoding="utf-8")
    lines = text.rstrip("\n").split("\n")
    return [json.loads(line) if line.startswith("{") else line for line in lines]


def main() -> int:
    first, second = (Path(name) for name in sys.argv[1:3])
    names = sorted(path.name for path in first.iterdir())
    if names != sorted(path.name for path in second.iterdir()):
        print("not the same questions were asked")
        return 1
    own = errors = 0
    for name in names:
        one, other = answers(first / name), answers(second / name)
        errors += sum(isinstance(line, str) for line in one)
        head = one[0] if isinstance(one[0], dict) else {}
        try:
            own += compare(one, other, [], str(head.get("type", "")))
        except Different as difference:
            print(f"{name}: {difference}")
            return 1
    print(f"{len(names)} answers are the same, {errors} of them errors, but for {own} own texts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
