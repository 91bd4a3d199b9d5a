# SPDX-License-Identifier: MIT
"""Debug information of Go programs, read from bytes: those of DWARF 4 as Go 1.19 writes it,
and of DWARF 5, with its indexed addresses and lists, as Go 1.25 does."""

import random
import struct
from typing import Dict, List, Optional, Tuple

import pytest

from mapscope.program import dwarf
from mapscope.program.dwarf import Machine
from mapscope.errors import LayoutUnknown, MapscopeError
from mapscope.go.debug_info import GoDebugInfo
from mapscope.program.target import Variable
from mapscope.program.types import Kind

STRING, DATA1, UDATA, REF_ADDR, BLOCK1, FLAG = 0x08, 0x0B, 0x0F, 0x10, 0x0A, 0x0C
ADDR, SEC_OFFSET, ADDRX, LOCLISTX, RNGLISTX = 0x01, 0x17, 0x1B, 0x22, 0x23
GO_KIND, GO_KEY, GO_ELEM = 0x2900, 0x2901, 0x2902

FUNCTION = 0x401000
GLOBAL = 0x5A0000


def uleb(value: int) -> bytes:
    out = bytearray()
    while True:
        value, byte = value >> 7, value & 0x7F
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def sleb(value: int) -> bytes:
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        done = (value == 0 and not byte & 0x40) or (value == -1 and bool(byte & 0x40))
        out.append(byte | (0 if done else 0x80))
        if done:
            return bytes(out)


class Builder:
    """Writes the sections of one module with one unit."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.header = 11 if version == 4 else 12
        self.info = bytearray()
        self.abbreviations: List[bytes] = []
        self.addresses: List[int] = []
        self.sections: Dict[str, bytes] = {}

    @property
    def here(self) -> int:
        """The offset of the next entry."""
        return self.header + len(self.info)

    def code(self, tag: int, children: bool, fields: List[Tuple[int, int]]) -> int:
        """The code of an abbreviation."""
        raw = uleb(tag) + bytes([children])
        raw += b"".join(uleb(attribute) + uleb(form) for attribute, form in fields) + b"\0\0"
        if raw not in self.abbreviations:
            self.abbreviations.append(raw)
        return self.abbreviations.index(raw) + 1

    def entry(self, tag: int, *fields: Tuple[int, int, object], children: bool = False) -> int:
        """Add an entry of (attribute, form, value). Returns its offset."""
        at = self.here
        self.info += uleb(self.code(tag, children, [(a, f) for a, f, _ in fields]))
        for _, form, value in fields:
            self.info += self.value(form, value)
        return at

    def value(self, form: int, value: object) -> bytes:
        if isinstance(value, str):
            return value.encode() + b"\0"
        if isinstance(value, bytes):
            return bytes([len(value)]) + value
        assert isinstance(value, int)
        if form == ADDRX:
            self.addresses.append(value)
            return uleb(len(self.addresses) - 1)
        if form in (UDATA, LOCLISTX, RNGLISTX):
            return uleb(value)
        layout = {DATA1: "<B", FLAG: "<B", REF_ADDR: "<I", SEC_OFFSET: "<I", ADDR: "<Q"}[form]
        return struct.pack(layout, value)

    def end(self) -> None:
        """End the children of the last entry that has some."""
        self.info += b"\0"

    def built(self) -> Dict[str, bytes]:
        """The sections."""
        table = b"".join(uleb(n + 1) + raw for n, raw in enumerate(self.abbreviations)) + b"\0"
        head = struct.pack("<H", self.version)
        head += struct.pack("<IB", 0, 8) if self.version == 4 else struct.pack("<BBI", 1, 8, 0)
        body = head + bytes(self.info)
        found = {".debug_abbrev": table, ".debug_info": struct.pack("<I", len(body)) + body}
        if self.addresses:
            body = struct.pack("<HBB", 5, 8, 0) + struct.pack(
                f"<{len(self.addresses)}Q", *self.addresses
            )
            found[".debug_addr"] = struct.pack("<I", len(body)) + body
        return {**self.sections, **found}


def program(version: int) -> Dict[str, bytes]:
    """A global map and a function with parameters, a local in a block, an inlined call."""
    b = Builder(version)
    address = ADDR if version == 4 else ADDRX
    places: List[Tuple[int, int, bytes]] = [
        (FUNCTION, FUNCTION + 0x10, b"\x50"),  # rax
        (FUNCTION + 0x10, FUNCTION + 0x40, b"\x91" + sleb(-24)),  # fbreg -24
    ]
    pieces = [(FUNCTION, FUNCTION + 0x40, b"\x50\x93\x08\x53\x93\x08")]
    if version == 4:
        lists = b""
        offsets = []
        for rows in (places, pieces):
            offsets.append(len(lists))
            lists += struct.pack("<QQ", (1 << 64) - 1, FUNCTION)
            for low, high, code in rows:
                lists += struct.pack("<QQH", low - FUNCTION, high - FUNCTION, len(code)) + code
            lists += bytes(16)
        b.sections[".debug_loc"] = lists
        b.sections[".debug_ranges"] = struct.pack("<4Q", 0x20, 0x30, 0, 0)
        form, ranges, first, second, block = SEC_OFFSET, SEC_OFFSET, *offsets, 0
    else:
        rows_raw = []
        for rows in (places, pieces):
            raw = b""
            for low, high, code in rows:
                raw += b"\x04" + uleb(low - FUNCTION) + uleb(high - FUNCTION)  # offset_pair
                raw += uleb(len(code)) + code
            rows_raw.append(raw + b"\0")
        table = struct.pack("<2I", 8, 8 + len(rows_raw[0]))
        body = struct.pack("<HBBI", 5, 8, 0, 2) + table + b"".join(rows_raw)
        b.sections[".debug_loclists"] = struct.pack("<I", len(body)) + body
        body = struct.pack("<HBBI", 5, 8, 0, 1) + struct.pack("<I", 4)
        body += b"\x04" + uleb(0x20) + uleb(0x30) + b"\0"
        b.sections[".debug_rnglists"] = struct.pack("<I", len(body)) + body
        form, ranges, first, second, block = LOCLISTX, RNGLISTX, 0, 1, 0
    b.entry(
        dwarf.COMPILE_UNIT,
        (dwarf.NAME, STRING, "main"),
        (dwarf.LOW_PC, address, FUNCTION),
        children=True,
    )
    integer = b.entry(
        dwarf.BASE_TYPE,
        (dwarf.NAME, STRING, "int"),
        (dwarf.ENCODING, DATA1, 5),
        (dwarf.BYTE_SIZE, DATA1, 8),
    )
    text = b.entry(
        dwarf.STRUCTURE,
        (dwarf.NAME, STRING, "string"),
        (dwarf.BYTE_SIZE, UDATA, 16),
        (GO_KIND, DATA1, 24),
    )

    def struct_type(name: str, size: int, members: List[Tuple[str, int, int]]) -> int:
        at = b.entry(
            dwarf.STRUCTURE,
            (dwarf.NAME, STRING, name),
            (dwarf.BYTE_SIZE, UDATA, size),
            (GO_KIND, DATA1, 0),
            children=True,
        )
        for member, offset, type in members:
            b.entry(
                dwarf.MEMBER,
                (dwarf.NAME, STRING, member),
                (dwarf.MEMBER_LOCATION, UDATA, offset),
                (dwarf.TYPE, REF_ADDR, type),
            )
        b.end()
        return at

    def pointer(name: str, type: int) -> int:
        return b.entry(dwarf.POINTER, (dwarf.NAME, STRING, name), (dwarf.TYPE, REF_ADDR, type))

    bucket = struct_type(
        "bucket<string,int>",
        208,
        [("tophash", 0, integer), ("keys", 8, integer), ("values", 136, integer)]
        + [("overflow", 200, integer)],
    )
    header = struct_type("hash<string,int>", 48, [("buckets", 16, pointer("*bucket", bucket))])
    map_type = b.entry(
        dwarf.TYPEDEF,
        (dwarf.NAME, STRING, "map[string]int"),
        (dwarf.TYPE, REF_ADDR, pointer("*hash", header)),
        (GO_KIND, DATA1, 21),
        (GO_KEY, REF_ADDR, text),
        (GO_ELEM, REF_ADDR, integer),
    )
    where = b"\x03" + struct.pack("<Q", GLOBAL)
    if version == 5:
        b.addresses.append(GLOBAL)
        where = b"\xa1" + uleb(len(b.addresses) - 1)
    for name, type in (("main.Table", map_type), ("main.Count", integer)):
        b.entry(
            dwarf.VARIABLE,
            (dwarf.NAME, STRING, name),
            (dwarf.LOCATION, BLOCK1, where),
            (dwarf.TYPE, REF_ADDR, type),
            (0x3F, FLAG, 1),
        )
    inlined = b.entry(
        dwarf.SUBPROGRAM, (dwarf.NAME, STRING, "main.inner"), (0x20, DATA1, 1), children=True
    )
    x = b.entry(dwarf.FORMAL_PARAMETER, (dwarf.NAME, STRING, "x"), (dwarf.TYPE, REF_ADDR, integer))
    b.end()
    end: Tuple[int, int, object] = (dwarf.HIGH_PC, address, FUNCTION + 0x40)
    b.entry(
        dwarf.SUBPROGRAM,
        (dwarf.NAME, STRING, "main.work"),
        (dwarf.LOW_PC, address, FUNCTION),
        end if version == 4 else (dwarf.HIGH_PC, UDATA, 0x40),
        (dwarf.FRAME_BASE, BLOCK1, b"\x9c"),
        children=True,
    )
    for name, type, place in (("m", map_type, first), ("key", text, second)):
        b.entry(
            dwarf.FORMAL_PARAMETER,
            (dwarf.NAME, STRING, name),
            (dwarf.TYPE, REF_ADDR, type),
            (dwarf.LOCATION, form, place),
        )
    b.entry(dwarf.LEXICAL_BLOCK, (dwarf.RANGES, ranges, block), children=True)
    b.entry(
        dwarf.VARIABLE,
        (dwarf.NAME, STRING, "m"),
        (dwarf.TYPE, REF_ADDR, integer),
        (dwarf.LOCATION, BLOCK1, b"\x91" + sleb(16)),
    )
    b.entry(
        dwarf.INLINED_SUBROUTINE,
        (dwarf.ORIGIN, REF_ADDR, inlined),
        (dwarf.RANGES, ranges, block),
        children=True,
    )
    b.entry(
        dwarf.FORMAL_PARAMETER,
        (dwarf.ORIGIN, REF_ADDR, x),
        (dwarf.LOCATION, BLOCK1, b"\x54"),  # rsi
    )
    b.end()
    b.end()
    b.end()
    b.end()
    return b.built()


REGISTERS = {"rax": 0xC000010000, "rbx": 5, "rsi": 7}
CFA = 0xC000050000


def machine() -> Machine:
    return Machine(REGISTERS.get, lambda: CFA, lambda address: None, 0)


def read(address: int, size: int) -> bytes:
    return address.to_bytes(8, "little")[:size]


def value(info: GoDebugInfo, name: str, pc: int, scope: int = 0) -> Optional[Variable]:
    scopes = info.scopes("main.work", FUNCTION, pc)
    return info.variable(scopes[scope], name, pc, machine(), read)


@pytest.fixture(params=[4, 5])
def info(request: pytest.FixtureRequest) -> GoDebugInfo:
    sections = program(request.param)
    return GoDebugInfo(lambda name: sections.get(name, b""))


def test_globals(info: GoDebugInfo) -> None:
    found = info.global_variable("main.Table")
    assert found is not None and found[0] == GLOBAL
    assert found[1].kind is Kind.GO_MAP and found[1].name == "map[string]int"
    assert found[1].key_type().kind is Kind.STRING and found[1].target().name == "int"
    assert [(f.name, f.offset) for f in found[1].fields] == [
        ("keys", 8),
        ("values", 136),
        ("overflow", 200),
    ]
    count = info.global_variable("main.Count")
    assert count is not None and count[1].kind is Kind.INT
    assert info.global_variable("main.Tabl") is None
    assert info.global_variable("main.work") is None
    assert [name for name, _, _ in info.global_maps()] == ["main.Table"]


def test_globals_after_a_search_that_was_interrupted(
    info: GoDebugInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C leaves no list that is taken for a whole one."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(info, "_placed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(info.global_maps())
    assert [name for name, _, _ in info.global_maps()] == ["main.Table"]


def test_parameters_where_their_lists_say(info: GoDebugInfo) -> None:
    at_start = value(info, "m", FUNCTION)
    assert at_start is not None and at_start.address is None
    assert at_start.data == REGISTERS["rax"].to_bytes(8, "little")
    later = value(info, "m", FUNCTION + 0x10)
    assert later is not None and later.address == CFA - 24
    key = value(info, "key", FUNCTION + 4)
    assert key is not None and key.type.kind is Kind.STRING
    assert key.data == REGISTERS["rax"].to_bytes(8, "little") + (5).to_bytes(8, "little")
    assert value(info, "nothing", FUNCTION) is None


def test_blocks_and_inlined_calls(info: GoDebugInfo) -> None:
    names = [scope.function for scope in info.scopes("main.work", FUNCTION, FUNCTION + 0x24)]
    assert names == ["main.inner", "main.work"]
    assert [s.function for s in info.scopes("main.work", FUNCTION, FUNCTION)] == ["main.work"]
    x = value(info, "x", FUNCTION + 0x24)
    assert x is not None and x.data == (7).to_bytes(8, "little")
    hiding = value(info, "m", FUNCTION + 0x24, 1)
    assert hiding is not None and hiding.address == CFA + 16 and hiding.type.name == "int"
    assert list(info.map_names(info.scopes("main.work", FUNCTION, FUNCTION)[0])) == ["m"]
    assert info.scopes("main.other", FUNCTION, FUNCTION) == []
    assert info.scopes("main.work", FUNCTION + 1, FUNCTION + 1) == []


def test_what_a_frame_has_not_is_no_value(info: GoDebugInfo) -> None:
    scope = info.scopes("main.work", FUNCTION, FUNCTION)[0]
    nothing = Machine(lambda name: None, lambda: None, lambda address: None, 0)
    assert info.variable(scope, "m", FUNCTION, nothing, read) is None
    with pytest.raises(LayoutUnknown):
        info.variable(scope, "m", FUNCTION + 0x10, nothing, read)


@pytest.mark.parametrize("version", [4, 5])
def test_damaged_debug_information_is_an_error_and_no_more(version: int) -> None:
    sections = program(version)
    chance = random.Random(version)
    for _ in range(400):
        name = chance.choice(sorted(sections))
        raw = bytearray(sections[name])
        for _ in range(chance.randint(1, 8)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        damaged = {**sections, name: bytes(raw[: chance.randint(1, len(raw))])}
        try:
            info = GoDebugInfo(lambda name, damaged=damaged: damaged.get(name, b""))  # type: ignore
            info.global_variable("main.Table")
            list(info.global_maps())
            for pc in (FUNCTION, FUNCTION + 0x24):
                for scope in info.scopes("main.work", FUNCTION, pc):
                    for variable in list(info.names(scope)):
                        info.variable(scope, variable, pc, machine(), read)
        except MapscopeError:
            pass


@pytest.mark.parametrize(
    "code, expected",
    [
        (b"\x9c", [(CFA, None)]),
        (b"\x50", [(None, REGISTERS["rax"])]),
        (b"\x70\x08", [(REGISTERS["rax"] + 8, None)]),
        (b"\x9c\x23\x10", [(CFA + 16, None)]),
        (b"\x11\x7f\x9f", [(None, (1 << 64) - 1)]),
        (b"\x35\x9f", [(None, 5)]),
        (b"\x50\x93\x08\x93\x08", [(None, REGISTERS["rax"]), (None, None)]),
        (b"\x61", [(None, None)]),
    ],
)
def test_locations(code: bytes, expected: List[Tuple[Optional[int], Optional[int]]]) -> None:
    pieces = machine().locate(code, b"", lambda index: 0)
    assert [(piece.address, piece.value) for piece in pieces] == expected


@pytest.mark.parametrize("code", [b"\x22", b"\x06", b"\x03\x01", b"\xff", b"\x91\x00", b""])
def test_a_location_that_means_nothing(code: bytes) -> None:
    with pytest.raises(LayoutUnknown):
        machine().locate(code, b"", lambda index: 0)
