#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write a CPU profile in which calls between functions of Go's runtime are hot.

    hot_calls.py SOURCE VERSION FILE CALLER:CALLEE...

SOURCE is the project's folder, VERSION of Go as "1.24" (toolchains.py), FILE what its
`go build -pgo=FILE` reads, CALLER and CALLEE as in growWork_fast64:evacuate_fast64. Each call in
the source of CALLER is as hot as the others. A program's own profile, of maps that grow, has the
same effect, but not quite the same one each time.
Ends with status 2, and says so, where the toolchain cannot be had.

Facts: pprof's proto/profile.proto; cmd/compile/internal/pgo takes an edge's caller, callee and
line within the caller.
"""

import gzip
import re
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Tuple, Union

import toolchains

#: how often each call was seen
WEIGHT = 1000


def number(value: int) -> bytes:
    """A varint."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(tag: int, value: Union[int, bytes]) -> bytes:
    """A field of a protobuf message."""
    if isinstance(value, int):
        return number(tag << 3) + number(value)
    return number(tag << 3 | 2) + number(len(value)) + value


class Profile:
    """A profile.proto message."""

    def __init__(self) -> None:
        self._strings: Dict[str, int] = {"": 0}
        self._functions: Dict[str, int] = {}
        self._locations = 0
        samples = field(1, self._text("samples")) + field(2, self._text("count"))
        cpu = field(1, self._text("cpu")) + field(2, self._text("nanoseconds"))
        self._out = [field(1, samples), field(1, cpu)]

    def _text(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def _location(self, name: str, start: int, line: int) -> int:
        if name not in self._functions:
            function = self._functions[name] = len(self._functions) + 1
            what = field(1, function) + field(2, self._text(name)) + field(3, self._text(name))
            self._out.append(field(5, what + field(4, self._text("map.go")) + field(5, start)))
        self._locations += 1
        at = field(1, self._functions[name]) + field(2, line)
        self._out.append(field(4, field(1, self._locations) + field(4, at)))
        return self._locations

    def add(self, stack: List[Tuple[str, int, int]]) -> None:
        """A call; (function, its first line, line) from the innermost one on."""
        places = b"".join(number(self._location(*place)) for place in stack)
        values = number(WEIGHT) + number(WEIGHT * 10_000_000)
        self._out.append(field(2, field(1, places) + field(2, values)))

    def write(self, path: Path) -> None:
        """Compressed, as the Go tools have it."""
        texts = [field(6, text.encode()) for text in self._strings]
        path.write_bytes(gzip.compress(b"".join(self._out + texts)))


def functions(source: Path) -> Dict[str, Tuple[int, List[str]]]:
    """(first line, lines) of the functions of classic maps."""
    found: Dict[str, Tuple[int, List[str]]] = {}
    for path in sorted(source.glob("map*.go")):
        if path.name.endswith(("_test.go", "_swiss.go")) and "noswiss" not in path.name:
            continue
        lines = path.read_text(encoding="utf-8").split("\n")
        for first, line in enumerate(lines):
            match = re.match(r"func (\w+)\(", line)
            if match:
                found[match[1]] = first + 1, lines[first : lines.index("}", first)]
    return found


def main() -> int:
    out = Path(sys.argv[3])
    go = toolchains.command(Path(sys.argv[1]), sys.argv[2])
    if not go:
        return 2
    done = subprocess.run([go, "env", "GOROOT"], stdout=subprocess.PIPE, check=True)
    known = functions(Path(done.stdout.decode().strip()) / "src" / "runtime")
    profile = Profile()
    for words in sys.argv[4:]:
        caller, callee = words.split(":")
        start, lines = known[caller]
        calls = [n for n, line in enumerate(lines) if n and re.search(rf"\b{callee}\(", line)]
        assert calls, f"{caller} does not call {callee}"
        first = known[callee][0]
        for call in calls:
            inner = f"runtime.{callee}", first, first + 1
            profile.add([inner, (f"runtime.{caller}", start, start + call)])
    profile.write(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
