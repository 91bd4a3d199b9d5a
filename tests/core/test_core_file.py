# SPDX-License-Identifier: MIT
"""What a core file has, what may be taken from the program's file, and whether the two fit."""

import struct
from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from mapscope.program.core_file import LEFT_OUT, TRUNCATED, CoreFile

R, RW = 4, 6
#: a program: code and constants, data, the heap; and its build-id note
CODE, DATA, HEAP = 0x400000, 0x500000, 0x10000000
PAGE = 0x1000


def _note(name: bytes, type: int, contents: bytes) -> bytes:
    pad = -len(name) - 1 & 3
    body = name + b"\0" + bytes(pad) + contents + bytes(-len(contents) & 3)
    return struct.pack("<III", len(name) + 1, len(contents), type) + body


def _elf(type: int, segments: List[Tuple[int, int, int, bytes, int]], at: int = 64) -> bytes:
    """A file of segments (type, flags, address, bytes, size in memory)."""
    head = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(b"\x7fELF\x02\x01\x01", type, 62, 1, 0, at, 0, 0, 64, 56, len(segments), 0, 0, 0),
    )
    offset = at + 56 * len(segments)
    table, data = b"", b""
    for kind, flags, address, raw, size in segments:
        table += struct.pack("<IIQQQQQQ", kind, flags, offset, address, 0, len(raw), size, 1)
        data += raw
        offset += len(raw)
    return head.ljust(at, b"\0") + table + data


def _program(build_id: bytes) -> bytes:
    note = _note(b"GNU", 3, build_id)
    # the note's address is that of its bytes in the first page
    return _elf(2, [(1, R, CODE, b"", PAGE), (4, R, CODE + 64 + 2 * 56, note, len(note))])


def _core(saved: Dict[int, bytes], build_id: bytes = b"one") -> bytes:
    """A core whose memory at CODE, DATA and HEAP was saved as given."""
    files = struct.pack("<QQ", 2, PAGE)
    files += struct.pack("<QQQ", CODE, CODE + 2 * PAGE, 0)
    files += struct.pack("<QQQ", DATA, DATA + PAGE, 2) + b"/p\0/p\0"
    auxv = struct.pack("<8Q", 3, CODE + 64, 4, 56, 5, 2, 0, 0)
    notes = _note(b"CORE", 0x46494C45, files) + _note(b"CORE", 6, auxv)
    return _elf(
        4,
        [
            (4, 0, 0, notes, 0),
            (1, R, CODE, saved.get(CODE, _program(build_id)), 2 * PAGE),
            (1, RW, DATA, saved.get(DATA, b""), PAGE),
            (1, RW, HEAP, saved.get(HEAP, b""), PAGE),
        ],
    )


def _opened(tmp_path: Path, raw: bytes) -> CoreFile:
    path = tmp_path / "core"
    path.write_bytes(raw)
    return CoreFile(str(path))


def _nothing() -> List[Tuple[int, int]]:
    return []


def test_whole(tmp_path: Path) -> None:
    core = _opened(tmp_path, _core({DATA: bytes(PAGE), HEAP: bytes(PAGE)}))
    for address in (DATA, DATA + PAGE - 8, HEAP):
        assert core.lacks(address, 8, _nothing) is None


def test_truncated(tmp_path: Path) -> None:
    raw = _core({DATA: bytes(PAGE), HEAP: bytes(PAGE)})
    core = _opened(tmp_path, raw[: -PAGE - 100])
    assert core.lacks(DATA, PAGE - 100, _nothing) is None
    assert core.lacks(DATA + PAGE - 100, 8, _nothing) == TRUNCATED
    assert core.lacks(DATA + PAGE - 104, 8, _nothing) == TRUNCATED  # half of it
    assert core.lacks(HEAP, 1, _nothing) == TRUNCATED
    # constants are in the program's file, and are what they were
    assert core.lacks(CODE + PAGE + 8, 8, _nothing) is None


def test_left_out(tmp_path: Path) -> None:
    core = _opened(tmp_path, _core({}))
    assert core.lacks(DATA, 8, _nothing) == LEFT_OUT
    assert core.lacks(HEAP, 8, _nothing) == LEFT_OUT
    assert core.lacks(CODE + PAGE, 8, _nothing) is None
    # relocated by the dynamic linker, and read-only since
    assert core.lacks(CODE + PAGE, 8, lambda: [(CODE + PAGE, CODE + PAGE + 64)]) == LEFT_OUT


def test_never_written_to(tmp_path: Path) -> None:
    """The kernel leaves out pages of a file that nobody wrote to."""
    core = _opened(tmp_path, _core({HEAP: bytes(PAGE)}))
    assert core.lacks(DATA, 8, _nothing) is None


def test_build_ids(tmp_path: Path) -> None:
    core = _opened(tmp_path, _core({HEAP: bytes(PAGE)}, b"one"))
    assert core.build_ids == {"GNU": b"one"}
    program = tmp_path / "program"
    program.write_bytes(_program(b"one"))
    assert core.misfit(str(program)) == ""
    program.write_bytes(_program(b"two"))
    assert b"two".hex() in core.misfit(str(program)) and b"one".hex() in core.misfit(str(program))
    program.write_bytes(_elf(2, [(1, R, CODE, b"", PAGE)]))
    assert core.misfit(str(program)) == ""
    assert core.misfit(str(tmp_path / "gone")) == ""


@pytest.mark.parametrize("keep", range(0, 900, 7))
def test_cut_anywhere(tmp_path: Path, keep: int) -> None:
    """Whatever is left of a core, it is taken apart or refused, and never has more than it has."""
    raw = _core({DATA: bytes(PAGE), HEAP: bytes(PAGE)})
    try:
        core = _opened(tmp_path, raw[:keep])
    except ValueError:
        assert keep < 64
        return
    if core.segments and core.segments[-1].address == HEAP:
        assert core.lacks(HEAP, 8, _nothing) is not None


def test_hostile_numbers(tmp_path: Path) -> None:
    huge = (1 << 64) - 1
    files = struct.pack("<QQ", huge, PAGE) + struct.pack("<QQQ", huge, huge, huge)
    notes = _note(b"CORE", 0x46494C45, files) + _note(b"CORE", 6, struct.pack("<4Q", 3, 8, 5, huge))
    raw = bytearray(_elf(4, [(4, 0, 0, notes, 0), (1, RW, HEAP, b"", huge)]))
    struct.pack_into("<Q", raw, 64 + 56 + 8, huge)  # where its bytes are
    core = _opened(tmp_path, bytes(raw))
    assert core.lacks(HEAP, 8, _nothing) is not None
    assert core.build_ids == {}
    struct.pack_into("<H", raw, 56, 0xFFFF)  # e_phnum, with no sections to say more
    assert _opened(tmp_path, bytes(raw)).segments == []
