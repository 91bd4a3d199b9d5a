# SPDX-License-Identifier: MIT
"""Go's table of functions and the frames found by it, from bytes; damage is bounded and said.
(Against real programs: tests/debugger/layouts.py.)"""

import random
import struct
from typing import Dict, List, Optional, Tuple

import pytest

from mapscope.go import layouts
from mapscope.errors import MapscopeError, MemoryUnreadable
from mapscope.go.frames import unwind
from mapscope.go.goroutines import all_goroutines
from mapscope.program.memory import Memory
from mapscope.go.functions import FunctionTable

MODULE, HEADER, NAMES, VALUES, FUNCTIONS, ENTRIES, TEXT = (0x10000 * n for n in range(1, 8))
STACK = 0x100000
MINOR = 24


def varint(number: int) -> bytes:
    raw = b""
    while number >= 0x80:
        raw += bytes([number & 0x7F | 0x80])
        number >>= 7
    return raw + bytes([number])


def values(steps: List[Tuple[int, int]]) -> bytes:
    """A table of (value, bytes of code that it is for)."""
    raw, before = b"", -1
    for value, length in steps:
        delta = value - before
        raw += varint(delta << 1 if delta >= 0 else ~delta << 1 | 1) + varint(length)
        before = value
    return raw + b"\0"


class Program:
    """A module with functions, each of 64 bytes."""

    def __init__(self, depths: Dict[str, List[Tuple[int, int]]]) -> None:
        self.memory: Dict[int, bytearray] = {}
        names, pctab, funcs, entries = b"\0", b"\0", b"", b""
        for number, (name, steps) in enumerate(depths.items()):
            entries += struct.pack("<II", 64 * number, len(funcs))
            funcs += struct.pack(
                "<IiiIIIIII", 64 * number, len(names), 0, 0, len(pctab), 0, 0, 0, 0
            )
            names += name.encode() + b"\0"
            pctab += values(steps)
        entries += struct.pack("<II", 64 * len(depths), 0)
        module = bytearray(1024)
        places = layouts.moduledata(MINOR)

        def put(field: str, *words: int) -> None:
            struct.pack_into(f"<{len(words)}Q", module, places.at(field), *words)

        put("pcHeader", HEADER)
        put("text", TEXT)
        for field, address, length in (
            ("funcnametab", NAMES, len(names)),
            ("cutab", NAMES, 1),
            ("filetab", NAMES, 1),
            ("pctab", VALUES, len(pctab)),
            ("pclntable", FUNCTIONS, len(funcs)),
            ("ftab", ENTRIES, len(depths) + 1),
        ):
            put(field, address, length, length)
        self.memory[MODULE] = module
        self.memory[HEADER] = bytearray(struct.pack("<I", layouts.PCLNTAB_MAGICS[1]) + bytes(68))
        for address, data in (
            (NAMES, names),
            (VALUES, pctab),
            (FUNCTIONS, funcs),
            (ENTRIES, entries),
            (TEXT, bytes(64 * len(depths))),
            (STACK, bytes(4096)),
        ):
            self.memory[address] = bytearray(data) + bytearray(128)

    def read(self, address: int, size: int) -> bytes:
        for start, data in self.memory.items():
            if start <= address and address + size <= start + len(data):
                return bytes(data[address - start : address - start + size])
        raise MemoryUnreadable(address, size)

    def table(self) -> FunctionTable:
        return FunctionTable(self.read, MODULE, MINOR)

    def store(self, address: int, data: bytes) -> None:
        for start, memory in self.memory.items():
            if start <= address < start + len(memory):
                memory[address - start : address - start + len(data)] = data


FRAMES = {
    "runtime.goexit": [(0, 64)],
    "main.main": [(0, 4), (40, 50), (0, 10)],
    "runtime.mapassign_fast64": [(0, 4), (8, 2), (400, 58)],
    "runtime.hashGrow": [(0, 4), (24, 60)],
}


def place(name: str, offset: int = 0) -> int:
    return TEXT + 64 * list(FRAMES).index(name) + offset


def test_functions_by_address_and_by_name() -> None:
    table = Program(FRAMES).table()
    for name in FRAMES:
        assert table.address_of(name) == place(name)
        for offset in (0, 1, 63):
            function = table.at(place(name, offset))
            assert function is not None and (function.name, function.start) == (name, place(name))
    assert table.address_of("main.nothing") is None
    assert table.at(TEXT - 1) is None and table.at(place("runtime.hashGrow", 64)) is None


def test_depths() -> None:
    table = Program(FRAMES).table()
    at = [table.depth(place("runtime.mapassign_fast64", offset)) for offset in (0, 3, 4, 5, 6, 63)]
    assert at == [0, 0, 8, 8, 400, 400]
    assert table.depth(TEXT - 1) is None


def test_frames_and_arguments() -> None:
    program = Program(FRAMES)
    # hashGrow has stored its second argument to its slot, above its caller's frame, not its first
    program.store(place("runtime.hashGrow", 8), b"\x48\x89\x5c\x24" + bytes([24 + 8 + 8]))
    sp = STACK + 64
    returns = (
        (sp + 24, place("runtime.mapassign_fast64", 30)),
        (sp + 32 + 400, place("main.main", 30)),
        (sp + 32 + 408 + 40, place("runtime.goexit", 1)),
    )
    for at, back in returns:
        program.store(at, struct.pack("<Q", back))
    memory, table = Memory(program.read), program.table()
    frames = list(unwind(memory, table, 7, place("runtime.hashGrow", 20), sp))
    assert [frame.function for frame in frames] == list(FRAMES)[::-1]
    assert [frame.cfa for frame in frames[:2]] == [sp + 32, sp + 32 + 408]
    assert frames[0].spilled(1) == sp + 32 + 8 and frames[0].spilled(0) is None
    # before the store there is nothing in the slot
    early = next(unwind(memory, table, 7, place("runtime.hashGrow", 8), sp))
    assert early.spilled(1) is None


def test_a_frame_deeper_than_any_has_no_arguments() -> None:
    program = Program({**FRAMES, "runtime.hashGrow": [(0, 4), (1 << 40, 60)]})
    frames = unwind(Memory(program.read), program.table(), 1, place("runtime.hashGrow", 20), STACK)
    frame = next(frames)
    assert frame.cfa == STACK + (1 << 40) + 8
    assert [frame.spilled(index) for index in range(3)] == [None] * 3


def test_arguments_are_in_their_registers_at_first() -> None:
    program = Program(FRAMES)
    memory, table = Memory(program.read), program.table()
    registers = {"rax": 1, "rbx": 0xC000010000}

    def at(offset: int) -> List[Optional[int]]:
        pc = place("runtime.hashGrow", offset)
        frames = unwind(memory, table, 7, pc, STACK + 64, registers=registers.get)
        return [frame.passed(1) for frame in frames][:2]

    assert at(2)[0] == 0xC000010000
    assert at(30)[0] is None  # the registers may hold anything by then


def test_a_stack_that_leads_nowhere_ends() -> None:
    program = Program(FRAMES)
    frames = list(unwind(Memory(program.read), program.table(), 1, place("main.main", 30), 0x5000))
    assert [frame.function for frame in frames] == ["main.main"]
    # a loop: every return address is the same
    program.store(STACK, struct.pack("<Q", place("main.main", 30)) * 512)
    frames = list(unwind(Memory(program.read), program.table(), 1, place("main.main", 30), STACK))
    assert 0 < len(frames) < 200


def test_goroutines() -> None:
    layout = layouts.g(MINOR)
    program = Program(FRAMES)
    goroutines = b""
    for number, status in enumerate((0x1002, 4, 6, 9), 1):
        raw = bytearray(512)
        struct.pack_into("<Q", raw, layout.at("goid"), number)
        struct.pack_into("<I", raw, layout.at("atomicstatus"), status)
        goroutines += raw
    start = 0x200000
    program.memory[start] = bytearray(goroutines)
    program.memory[0x300000] = bytearray(struct.pack("<4Q", *range(start, start + 2048, 512)))
    program.memory[0x400000] = bytearray(struct.pack("<3Q", 0x300000, 4, 4))
    found = list(all_goroutines(Memory(program.read), MINOR, [0x400000], None))
    assert [(g.id, g.status) for g in found] == [
        (1, "_Grunning"),
        (2, "_Gwaiting"),
        (4, "_Gpreempted"),
    ]
    with pytest.raises(MapscopeError):
        list(all_goroutines(Memory(program.read), MINOR, [0x300000], None))


@pytest.mark.parametrize("seed", range(300))
def test_damage(seed: int) -> None:
    chance = random.Random(seed)
    program = Program(FRAMES)
    for _ in range(chance.randrange(1, 12)):
        start = chance.choice([MODULE, HEADER, NAMES, VALUES, FUNCTIONS, ENTRIES])
        at = chance.randrange(len(program.memory[start]))
        program.memory[start][at] = chance.randrange(256)
    try:
        table = program.table()
        for name in FRAMES:
            table.address_of(name)
            pc = place(name, chance.randrange(64))
            table.at(pc)
            table.place(pc)
            frames = unwind(Memory(program.read), table, 1, pc, STACK + 8 * chance.randrange(64))
            assert len(list(zip(range(5000), frames))) < 5000
    except MapscopeError:
        pass
