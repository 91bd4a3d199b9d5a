# SPDX-License-Identifier: MIT
"""What is read of core files and ELF files without a debugger, whole and damaged: it is bounded,
and what is not there is not made up."""

import random
import struct
import sys
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import pytest

from mapscope.errors import MapscopeError, MemoryUnreadable
from mapscope.program.call_frames import Unwinder
from mapscope.program.core_memory import NAMES, CoreMemory
from mapscope.program.cpp_debug_info import CppDebugInfo
from mapscope.program.demangling import demangled
from mapscope.program.elf_sections import ElfSections
from mapscope.program.elf_symbols import ElfSymbols
from mapscope.program.loaded_files import Mapping, load

PAGE = 0x1000
CODE, DATA, HEAP = 0x400000, 0x401000, 0x10000000


def _elf(type: int, segments: List[Tuple[int, int, int, bytes, int]]) -> bytes:
    """A file of segments (type, flags, address, bytes, size in memory)."""
    offset = 64 + 56 * len(segments)
    table, data = b"", b""
    for kind, flags, address, raw, size in segments:
        table += struct.pack("<IIQQQQQQ", kind, flags, offset, address, 0, len(raw), size, 1)
        data += raw
        offset += len(raw)
    head = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(b"\x7fELF\x02\x01\x01", type, 62, 1, 0, 64, 0, 0, 64, 56, len(segments), 0, 0, 0),
    )
    return head + table + data


def _note(type: int, contents: bytes) -> bytes:
    return struct.pack("<III", 5, len(contents), type) + b"CORE\0\0\0\0" + contents


def _status(thread: int, **registers: int) -> bytes:
    values = [registers.get(name, 0) for name in NAMES]
    raw = struct.pack("<32xI76x27Q", thread, *values) + bytes(8)
    return _note(1, raw)


def _core() -> bytes:
    files = struct.pack("<QQ", 2, PAGE) + struct.pack("<QQQ", CODE, CODE + PAGE, 0)
    files += struct.pack("<QQQ", 0x700000, 0x701000, 3) + b"/bin/p\0/lib/q\0"
    notes = _status(71, rip=CODE + 16, rsp=HEAP) + _status(72, rbx=5)
    notes += _note(6, struct.pack("<6Q", 3, CODE + 64, 33, 0x7000, 0, 0))
    notes += _note(0x46494C45, files)
    return _elf(4, [(4, 0, 0, notes, 0), (1, 5, CODE, b"", PAGE), (1, 6, HEAP, b"heap" * 8, PAGE)])


def _opened(tmp_path: Path, raw: bytes) -> CoreMemory:
    path = tmp_path / "core"
    path.write_bytes(raw)
    return CoreMemory(str(path))


def test_a_core(tmp_path: Path) -> None:
    core = _opened(tmp_path, _core())
    assert [thread for thread, _ in core.threads] == [71, 72]
    assert core.threads[0][1]["rip"] == CODE + 16 and core.threads[1][1]["rbx"] == 5
    assert core.mappings == [
        Mapping(CODE, CODE + PAGE, 0, "/bin/p"),
        Mapping(0x700000, 0x701000, 3 * PAGE, "/lib/q"),
    ]
    assert (core.headers, core.shared) == (CODE + 64, 0x7000)
    assert core.read(HEAP + 4, 4) == b"heap"
    for address, size in ((HEAP + 28, 8), (HEAP + 32, 1), (CODE, 4), (0x5000, 1)):
        with pytest.raises(MemoryUnreadable):
            core.read(address, size)
    # what the core lacks of code is in the program's file
    program = tmp_path / "p"
    program.write_bytes(_elf(2, [(1, 5, CODE, b"code" * 8, PAGE)]))
    found = load(str(program), core.mappings, 0, core.some, lambda mapping: "/nowhere")
    assert found.program is not None and found.program.bias == 0
    core.use(found.files)
    assert core.read(CODE, 4) == b"code"
    with pytest.raises(MemoryUnreadable):
        core.read(CODE + 30, 8)
    core.close()


def test_a_core_cut_or_damaged(tmp_path: Path) -> None:
    raw = _core()
    whole = _opened(tmp_path, raw)
    for keep in range(64, len(raw), 5):
        core = _opened(tmp_path, raw[:keep])
        assert all(one in whole.threads for one in core.threads)
        assert core.some(HEAP, 32) in (b"", b"heap" * 8)
        core.close()
    random.seed(5)
    for _ in range(150):
        bad = bytearray(raw)
        for _ in range(8):
            bad[random.randrange(16, len(bad))] = random.choice((0, 1, 0x7F, 0xFF))
        try:
            core = _opened(tmp_path, bytes(bad))
        except ValueError:
            continue  # it is no core file any more
        assert len(core.some(HEAP, 32)) in (0, 32)
        core.close()


def test_symbols_of_a_real_file() -> None:
    symbols = ElfSymbols(ElfSections(sys.executable))
    (main,) = symbols.named("main") or symbols.named("Py_BytesMain")
    assert symbols.at(main.address) is not None
    inside = symbols.function_at(main.address + 1)
    assert inside is not None and inside.address == main.address
    assert symbols.named("no such symbol") == [] and symbols.at(1) is None


def test_demangling() -> None:
    assert demangled("main.Table") == "main.Table"
    assert demangled("_Znonsense") == "_Znonsense"
    assert demangled("_ZN2ns1fIiEEvT_") in ("void ns::f<int>(int)", "_ZN2ns1fIiEEvT_")


# --- frames ---

TABLE = 0x500000


def _unwind_table(program: bytes) -> Dict[int, bytes]:
    """.eh_frame_hdr and .eh_frame of one function of 0x100 bytes at CODE."""
    frame = TABLE + 0x100
    # version, "zR", factors 1 and -8, rip; pointers relative to their place; CFA = rsp + 8
    common = b"\0\0\0\0\x01zR\0\x01\x78\x10\x01\x1b\x0c\x07\x08\x90\x01"
    common += bytes(-len(common) & 3)
    entry = frame + 4 + len(common)
    own = struct.pack("<Iii", entry + 4 - frame, CODE - (entry + 8), 0x100) + b"\0" + program
    own += bytes(-len(own) & 3)
    raw = struct.pack("<I", len(common)) + common + struct.pack("<I", len(own)) + own
    head = b"\x01\x1b\x03\x3b" + struct.pack("<iI", frame - (TABLE + 4), 1)
    head += struct.pack("<ii", CODE - TABLE, entry - TABLE)
    return {TABLE: head.ljust(0x100, b"\0") + raw.ljust(0x200, b"\0")}


def _frames(pieces: Dict[int, bytes], registers: Dict[str, int]) -> List[Tuple[int, int]]:
    def read(address: int, size: int) -> bytes:
        for start, raw in pieces.items():
            if start <= address and address + size <= start + len(raw):
                return raw[address - start : address - start + size]
        raise MemoryUnreadable(address, size)

    def table(pc: int) -> Optional[int]:
        return TABLE if CODE <= pc < CODE + 0x200 else None

    return [(frame.pc, frame.cfa) for frame in Unwinder(read, table).frames(registers)]


def test_frames_by_the_table() -> None:
    # behind the first 4 bytes: pushed rbp, and rbp is the base
    program = b"\x44\x0e\x10\x86\x02\x44\x0d\x06"
    stack = struct.pack("<6Q", 0, HEAP + 32, CODE + 0x20, 7, 8, 9)
    pieces = {**_unwind_table(program), HEAP: stack + bytes(64)}
    at_start = _frames(pieces, {"rip": CODE, "rsp": HEAP + 16, "rbp": 1})
    assert at_start[0] == (CODE, HEAP + 24) and at_start[1][0] == CODE + 0x20
    after = _frames(pieces, {"rip": CODE + 16, "rsp": HEAP, "rbp": HEAP + 8})
    assert after[:2] == [(CODE + 16, HEAP + 24), (CODE + 0x20, HEAP + 48)]
    assert _frames(pieces, {"rip": 0x999, "rsp": HEAP}) == [(0x999, 0)]
    assert _frames(pieces, {}) == []


def test_frames_right_behind_a_function_of_the_table() -> None:
    """clone3's are so, at its system call: by the last rules, if they lead into the table."""
    pieces = {**_unwind_table(b""), HEAP: struct.pack("<4Q", CODE + 0x20, 0, 0x999, 0)}
    gap = CODE + 0x102
    assert _frames(pieces, {"rip": gap, "rsp": HEAP})[:2] == [
        (gap, HEAP + 8),
        (CODE + 0x20, HEAP + 16),
    ]
    assert _frames(pieces, {"rip": gap, "rsp": HEAP + 16}) == [(gap, 0)]
    assert _frames(pieces, {"rip": CODE + 0x110, "rsp": HEAP}) == [(CODE + 0x110, 0)]


def test_frames_by_a_damaged_table() -> None:
    random.seed(7)
    good = _unwind_table(b"\x44\x0e\x10\x86\x02\x0f\x03\x77\x08\x06")
    for _ in range(2000):
        raw = bytearray(good[TABLE])
        for _ in range(random.randrange(1, 6)):
            raw[random.randrange(0x170)] = random.randrange(256)
        pieces = {TABLE: bytes(raw), HEAP: bytes(range(256))}
        found = _frames(pieces, {"rip": CODE + 8, "rsp": HEAP + 16, "rbp": HEAP + 8})
        assert 1 <= len(found) <= 256 and found[0][0] == CODE + 8


def test_debug_information_that_is_damaged() -> None:
    random.seed(9)
    abbreviations = b"\x01\x11\x01\x03\x08\0\0\x02\x13\x01\x03\x08\x0b\x0b\x01\x13\0\0"
    abbreviations += (
        b"\x03\x0d\0\x03\x08\x49\x13\x38\x0b\0\0\x04\x24\0\x03\x08\x3e\x0b\x0b\x0b\0\0\0"
    )
    body = b"\x01unit\0\x04int\0\x05\x04\x02pair\0\x08\x2b\0\0\0"
    body += b"\x03a\0\x11\0\0\0\0\x03b\0\x11\0\0\0\x04\0\0"
    info = struct.pack("<IHIB", 7 + len(body), 4, 0, 8) + body
    sections = {".debug_info": info, ".debug_abbrev": abbreviations}
    found = CppDebugInfo(lambda name: sections.get(name, b"")).type_named("pair")
    assert found is not None and found.size == 8
    assert [(part.name, part.offset, part.type.tag) for part in found.parts()] == [
        ("a", 0, "int"),
        ("b", 4, "int"),
    ]
    for _ in range(1000):
        bad = {name: bytearray(raw) for name, raw in sections.items()}
        for raw in bad.values():
            raw[random.randrange(len(raw))] = random.randrange(256)
        damaged = CppDebugInfo(lambda name: bytes(bad.get(name, b"")))
        try:
            found = damaged.type_named("pair")
            if found is not None:
                found.described()
        except MapscopeError:
            continue
