# SPDX-License-Identifier: MIT
"""mapscope's version stands in one place, and what must repeat it agrees."""

import json
import re
from pathlib import Path

from mapscope.version import VERSION

ROOT = Path(__file__).resolve().parents[2]


def first(pattern: str, name: str) -> str:
    """What the pattern's group finds first in a file."""
    found = re.search(pattern, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{name} has no line {pattern}"
    return found.group(1)


def test_the_changelogs_begin_with_it() -> None:
    assert first(r"^## (\d\S*?),? ", "CHANGELOG.md") == VERSION
    # upstream's part of Debian's number
    assert first(r"^mapscope \(([^-)]+)-", "debian/changelog") == VERSION


def test_the_port_has_it() -> None:
    """vcpkg has no way to read it from elsewhere."""
    port = ROOT / "packaging/vcpkg/mapscope/vcpkg.json"
    assert json.loads(port.read_text(encoding="utf-8"))["version"] == VERSION


def test_cmake_reads_it_from_there() -> None:
    line = r'^VERSION = "([0-9.]+)"$'  # what CMakeLists.txt looks for
    assert first(line, "core/mapscope/version.py") == VERSION
    assert "core/mapscope/version.py" in (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")


def test_it_stands_nowhere_else() -> None:
    """In no other file that says what this version is."""
    suspects = [ROOT / "CMakeLists.txt", *ROOT.glob("*/CMakeLists.txt")]
    for folder in ("cli", "core", "gdb", "lldb", "packaging"):
        suspects += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    own = ROOT / "core/mapscope/version.py"
    port = ROOT / "packaging/vcpkg/mapscope/vcpkg.json"
    number = re.compile(rf"(?<![\d.]){re.escape(VERSION)}(?![\d.])".encode())
    assert own in suspects and port in suspects
    wrong = [
        str(path.relative_to(ROOT))
        for path in suspects
        if path not in (own, port)
        and "__pycache__" not in path.parts
        and number.search(path.read_bytes())
    ]
    assert not wrong
