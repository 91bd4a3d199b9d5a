# SPDX-License-Identifier: MIT
"""A small reader of DWARF 4 and 5: entries, location lists, locations.

For programs whose debug information the debugger itself does not read. Knows
the sections' bytes, and nothing of a process or of a language. An offset is
one into .debug_info. Facts: DWARF 4, section 7, and DWARF 5, section 7.
"""

import struct
from bisect import bisect_right
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

from ..errors import LayoutUnknown
from ..records import dataclass

COMPILE_UNIT, SUBPROGRAM, INLINED_SUBROUTINE, LEXICAL_BLOCK = 0x11, 0x2E, 0x1D, 0x0B
VARIABLE, FORMAL_PARAMETER, MEMBER, SUBRANGE = 0x34, 0x05, 0x0D, 0x21
BASE_TYPE, STRUCTURE, ARRAY, POINTER, SUBROUTINE, TYPEDEF = 0x24, 0x13, 0x01, 0x0F, 0x15, 0x16

NAME, LOCATION, TYPE, LOW_PC, HIGH_PC, RANGES = 0x03, 0x02, 0x49, 0x11, 0x12, 0x55
BYTE_SIZE, ENCODING, COUNT, MEMBER_LOCATION, ORIGIN = 0x0B, 0x3E, 0x37, 0x38, 0x31
FRAME_BASE = 0x40
_ADDR_BASE, _RNGLISTS_BASE, _LOCLISTS_BASE = 0x73, 0x74, 0x8C

_IMPLICIT_CONST = 0x21
#: forms of a fixed size
_FIXED = {
    0x01: "<Q",  # addr
    0x05: "<H",
    0x06: "<I",
    0x07: "<Q",
    0x0B: "<B",
    0x0C: "<B",  # flag
    0x10: "<I",  # ref_addr
    0x11: "<B",
    0x12: "<H",
    0x13: "<I",
    0x14: "<Q",
    0x17: "<I",  # sec_offset
    0x20: "<Q",  # ref_sig8
    0x25: "<B",  # strx1, strx2, strx4
    0x26: "<H",
    0x28: "<I",
    0x29: "<B",  # addrx1, addrx2, addrx4
    0x2A: "<H",
    0x2C: "<I",
}
_FIXED_READERS = {form: struct.Struct(layout) for form, layout in _FIXED.items()}
#: and of all whose values have one size
_SIZES = {
    **{form: struct.calcsize(layout) for form, layout in _FIXED.items()},
    **{0x0E: 4, 0x1F: 4, 0x19: 0, 0x1E: 16, 0x27: 3, 0x2B: 3},
}
_UNIT_REFERENCES = (0x11, 0x12, 0x13, 0x14, 0x15)
_ADDRX = (0x1B, 0x29, 0x2A, 0x2B, 0x2C)
_REGISTERS = "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15".split()
#: entries of one list, steps of one expression
_MOST = 4096

Value = Union[int, bytes]
_MASK = (1 << 64) - 1


class Entry(NamedTuple):
    """A debugging information entry.

    :ivar offset: where it begins
    :ivar end: where the next one does
    :ivar values: attribute -> integer, or bytes of a string or a block; references are
        offsets into .debug_info
    :ivar forms: attribute -> form
    """

    offset: int
    end: int
    tag: int
    has_children: bool
    values: Dict[int, Value]
    forms: Dict[int, int]

    def number(self, attribute: int) -> Optional[int]:
        """An attribute that is an integer, an address or a reference; None: it has none."""
        value = self.values.get(attribute)
        return value if isinstance(value, int) else None

    @property
    def name(self) -> str:
        """Its own name; "" where it has none."""
        value = self.values.get(NAME, b"")
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


@dataclass(frozen=True)
class Unit:
    """The head of one unit."""

    start: int
    entries: int
    end: int
    version: int
    abbreviations: int


Abbreviation = Tuple[int, bool, List[Tuple[int, int, int]]]


class DebugInfo:
    """A module's debug information.

    :param section: gives the bytes of a section, as b"" where there is none
    """

    def __init__(self, section: Callable[[str], bytes]) -> None:
        self._section = section
        self._loaded: Dict[str, bytes] = {}
        self.info = self._bytes(".debug_info")
        self._abbreviations: Dict[int, Dict[int, Abbreviation]] = {}
        self._steps: Dict[Tuple[int, int], Dict[int, Tuple[bool, int, List[int]]]] = {}
        self.units = list(self._read_units())
        self._starts = [unit.start for unit in self.units]

    def _bytes(self, name: str) -> bytes:
        if name not in self._loaded:
            self._loaded[name] = self._section(name)
        return self._loaded[name]

    def _read_units(self) -> Iterator[Unit]:
        at, info = 0, self.info
        while at + 12 <= len(info):
            (length, version) = struct.unpack_from("<IH", info, at)
            end = at + 4 + length
            if length >= 0xFFFFFFF0 or version not in (2, 3, 4, 5) or end > len(info):
                return  # 64-bit DWARF, or none
            if version == 5:
                kind, _, abbreviations = struct.unpack_from("<BBI", info, at + 6)
                header = 12 if kind in (1, 3) else 20
                yield Unit(at, at + header, end, version, abbreviations)
            else:
                yield Unit(at, at + 11, end, version, struct.unpack_from("<I", info, at + 6)[0])
            at = end

    def unit_of(self, offset: int) -> Unit:
        """:raises LayoutUnknown: if the offset is in no unit"""
        index = bisect_right(self._starts, offset) - 1
        if index < 0 or not self.units[index].entries <= offset < self.units[index].end:
            raise LayoutUnknown(f"debug information: {offset:#x} is in no unit")
        return self.units[index]

    def abbreviations(self, unit: Unit) -> Dict[int, Abbreviation]:
        """code -> (tag, has children, [(attribute, form, implicit constant)])"""
        table = self._abbreviations.get(unit.abbreviations)
        if table is None:
            table = self._read_abbreviations(unit.abbreviations)
            self._abbreviations[unit.abbreviations] = table
        return table

    def _read_abbreviations(self, at: int) -> Dict[int, Abbreviation]:
        raw = self._bytes(".debug_abbrev")
        table: Dict[int, Abbreviation] = {}
        while at < len(raw):
            code, at = uleb(raw, at)
            if not code:
                break
            tag, at = uleb(raw, at)
            children, at = bool(raw[at]), at + 1
            attributes: List[Tuple[int, int, int]] = []
            while True:
                attribute, at = uleb(raw, at)
                form, at = uleb(raw, at)
                constant = 0
                if form == _IMPLICIT_CONST:
                    constant, at = sleb(raw, at)
                if not attribute and not form:
                    break
                attributes.append((attribute, form, constant))
            table[code] = (tag, children, attributes)
        return table

    def entry(self, offset: int) -> Optional[Entry]:
        """The entry at an offset; None: a null entry, which ends a row of siblings.

        :raises LayoutUnknown: if none can be there
        """
        unit = self.unit_of(offset)
        try:
            code, at = uleb(self.info, offset)
            if not code:
                return None
            tag, children, attributes = self.abbreviations(unit)[code]
            values: Dict[int, Value] = {}
            forms: Dict[int, int] = {}
            for attribute, form, constant in attributes:
                if form == _IMPLICIT_CONST:
                    values[attribute] = constant
                else:
                    values[attribute], at = self._value(unit, form, at)
                forms[attribute] = form
        except (IndexError, KeyError, ValueError, struct.error):
            raise LayoutUnknown(f"debug information at {offset:#x} cannot be read") from None
        return Entry(offset, at, tag, children, values, forms)

    def _value(self, unit: Unit, form: int, at: int) -> Tuple[Value, int]:
        info = self.info
        reader = _FIXED_READERS.get(form)
        if reader is not None:
            value: int = reader.unpack_from(info, at)[0]
            return value + unit.start if form in _UNIT_REFERENCES else value, at + reader.size
        if form == 0x08:  # string
            end = info.index(0, at)
            return info[at:end], end + 1
        if form == 0x0D:
            return sleb(info, at)
        if form in (0x0F, 0x1A, 0x1B, 0x22, 0x23):  # udata, strx, addrx, loclistx, rnglistx
            return uleb(info, at)
        if form == 0x15:  # ref_udata
            number, at = uleb(info, at)
            return number + unit.start, at
        if form == 0x19:  # flag_present
            return 1, at
        if form in (0x09, 0x18, 0x0A, 0x03, 0x04):  # blocks
            if form in (0x09, 0x18):
                size, at = uleb(info, at)
            else:
                width = {0x0A: 1, 0x03: 2, 0x04: 4}[form]
                size, at = int.from_bytes(info[at : at + width], "little"), at + width
            return info[at : at + size], at + size
        if form == 0x1E:  # data16
            return info[at : at + 16], at + 16
        if form in (0x0E, 0x1F):  # strp, line_strp
            offset = struct.unpack_from("<I", info, at)[0]
            raw = self._bytes(".debug_str" if form == 0x0E else ".debug_line_str")
            return raw[offset : raw.find(0, offset)], at + 4
        if form in (0x27, 0x2B):  # strx3, addrx3
            return int.from_bytes(info[at : at + 3], "little"), at + 3
        raise LayoutUnknown(f"debug information at {at:#x} has a form {form:#x}")

    def children(self, parent: Entry) -> Iterator[Entry]:
        """Its direct children."""
        at = parent.end if parent.has_children else 0
        while at:
            child = self.entry(at)
            if child is None:
                return
            yield child
            at = self.after(child)

    def after(self, entry: Entry) -> int:
        """Where its next sibling begins."""
        at, depth = entry.end, 1 if entry.has_children else 0
        if not depth:
            return at
        unit, info = self.unit_of(entry.offset), self.info
        steps = self._steps_of(unit)
        try:
            while depth:
                if at >= unit.end:
                    raise IndexError
                code, at = uleb(info, at)
                if not code:
                    depth -= 1
                    continue
                children, size, forms = steps[code]
                at += size
                for form in forms:
                    _, at = self._value(unit, form, at)
                depth += children
        except (IndexError, KeyError, ValueError, struct.error):
            raise LayoutUnknown(f"debug information at {at:#x} cannot be read") from None
        return at

    def _steps_of(self, unit: Unit) -> Dict[int, Tuple[bool, int, List[int]]]:
        """code -> (has children, bytes of its values, or 0 and the forms that have to be read)."""
        steps = self._steps.get((unit.abbreviations, unit.version))
        if steps is None:
            steps = {}
            for code, (_, children, attributes) in self.abbreviations(unit).items():
                forms = [form for _, form, _ in attributes if form != _IMPLICIT_CONST]
                sizes = [_SIZES.get(form) for form in forms]
                known = [size for size in sizes if size is not None]
                whole = len(known) == len(sizes)
                steps[code] = (children, sum(known) if whole else 0, [] if whole else forms)
            self._steps[unit.abbreviations, unit.version] = steps
        return steps

    def starting_with_name(self, tag: int, attributes: Tuple[int, ...]) -> List[int]:
        """Codes of the abbreviations for `tag` that begin with a name in place (DW_FORM_string)
        and have all of `attributes`; of every unit's table."""
        codes = set()
        for table in {unit.abbreviations: unit for unit in self.units}.values():
            for code, (its_tag, _, fields) in self.abbreviations(table).items():
                names = [attribute for attribute, _, _ in fields]
                if its_tag == tag and fields and fields[0][:2] == (NAME, 0x08) and code < 128:
                    if all(attribute in names for attribute in attributes):
                        codes.add(code)
        return sorted(codes)

    # --- addresses ---

    def head(self, unit: Unit) -> Entry:
        """The unit's own entry."""
        entry = self.entry(unit.entries)
        if entry is None:
            raise LayoutUnknown("debug information: an empty unit")
        return entry

    def indexed_address(self, unit: Unit, index: int) -> int:
        """An address of .debug_addr (DWARF 5)."""
        base = self.head(unit).number(_ADDR_BASE) or 8
        raw = self._bytes(".debug_addr")
        value: int = struct.unpack_from("<Q", raw, base + 8 * index)[0]
        return value

    def address(self, entry: Entry, attribute: int) -> Optional[int]:
        """An attribute that is an address."""
        value = entry.number(attribute)
        if value is not None and entry.forms[attribute] in _ADDRX:
            return self.indexed_address(self.unit_of(entry.offset), value)
        return value

    def covers(self, entry: Entry, pc: int) -> bool:
        """Whether an entry's code has the instruction at `pc` (as linked)."""
        low = self.address(entry, LOW_PC)
        if RANGES in entry.values:
            unit = self.unit_of(entry.offset)
            found = entry.values[RANGES]
            if not isinstance(found, int):
                return False
            indexed = entry.forms[RANGES] == 0x23
            return any(start <= pc < end for start, end in self._ranges(unit, found, indexed))
        high = entry.number(HIGH_PC)
        if low is None or high is None:
            return False
        if entry.forms[HIGH_PC] != 0x01:
            high += low
        return low <= pc < high

    def _ranges(self, unit: Unit, offset: int, indexed: bool) -> Iterator[Tuple[int, int]]:
        if unit.version < 5:
            for low, high, _ in self._old_list(unit, ".debug_ranges", offset, False):
                yield low, high
        else:
            if indexed:
                base = self.head(unit).number(_RNGLISTS_BASE) or 12
                raw = self._bytes(".debug_rnglists")
                offset = base + int(struct.unpack_from("<I", raw, base + 4 * offset)[0])
            for low, high, _ in self._new_list(unit, ".debug_rnglists", offset, False):
                yield low, high

    def location(self, entry: Entry, pc: int) -> Optional[bytes]:
        """The expression that tells where a variable is at `pc`; None: nowhere."""
        value = entry.values.get(LOCATION)
        if value is None or isinstance(value, bytes):
            return value or None
        unit = self.unit_of(entry.offset)
        if unit.version < 5:
            found = self._old_list(unit, ".debug_loc", value, True)
        else:
            if entry.forms[LOCATION] == 0x22:
                base = self.head(unit).number(_LOCLISTS_BASE) or 12
                raw = self._bytes(".debug_loclists")
                value = base + int(struct.unpack_from("<I", raw, base + 4 * value)[0])
            found = self._new_list(unit, ".debug_loclists", value, True)
        for low, high, expression in found:
            if low <= pc < high:
                return expression or None
        return None

    def _base(self, unit: Unit) -> int:
        return self.address(self.head(unit), LOW_PC) or 0

    def _old_list(
        self, unit: Unit, section: str, at: int, expressions: bool
    ) -> Iterator[Tuple[int, int, bytes]]:
        """DWARF 4, sections 2.6.2 and 2.17.3."""
        raw, base = self._bytes(section), self._base(unit)
        for _ in range(_MOST):
            if at + 16 > len(raw):
                return
            low, high = struct.unpack_from("<QQ", raw, at)
            at += 16
            if low == high == 0:
                return
            if low == _MASK:
                base = high
                continue
            expression = b""
            if expressions:
                size = int.from_bytes(raw[at : at + 2], "little")
                expression = raw[at + 2 : at + 2 + size]
                at += 2 + size
            yield low + base, high + base, expression

    def _new_list(
        self, unit: Unit, section: str, at: int, expressions: bool
    ) -> Iterator[Tuple[int, int, bytes]]:
        """DWARF 5, sections 2.6.2 and 2.17.3: both kinds of list, whose codes differ by one row."""
        raw, base = self._bytes(section), self._base(unit)
        for _ in range(_MOST):
            if at >= len(raw):
                return
            kind = raw[at]
            at += 1
            low = high = 0
            if kind == 0:
                return
            # 5 is default_location in location lists, base_address in range lists
            if expressions and kind >= 5:
                kind = kind - 1 if kind > 5 else 100
            if kind == 1:  # base_addressx
                index, at = uleb(raw, at)
                base = self.indexed_address(unit, index)
                continue
            if kind in (2, 3):  # startx_endx, startx_length
                first, at = uleb(raw, at)
                second, at = uleb(raw, at)
                low = self.indexed_address(unit, first)
                high = low + second if kind == 3 else self.indexed_address(unit, second)
            elif kind == 4:  # offset_pair
                low, at = uleb(raw, at)
                high, at = uleb(raw, at)
                low, high = low + base, high + base
            elif kind == 5:  # base_address
                base, at = int(struct.unpack_from("<Q", raw, at)[0]), at + 8
                continue
            elif kind == 6:  # start_end
                low, high = struct.unpack_from("<QQ", raw, at)
                at += 16
            elif kind == 7:  # start_length
                low, at = int(struct.unpack_from("<Q", raw, at)[0]), at + 8
                size, at = uleb(raw, at)
                high = low + size
            elif kind == 100:
                low, high = 0, _MASK
            else:
                return
            expression = b""
            if expressions:
                size, at = uleb(raw, at)
                expression, at = raw[at : at + size], at + size
            yield low, high, expression


@dataclass(frozen=True)
class Piece:
    """Where a part of a value is.

    :ivar address: in memory; None: `value` has it, or nothing does
    :ivar value: what it is, where it is in no memory
    :ivar size: bytes; None: all of the value
    """

    address: Optional[int]
    value: Optional[int]
    size: Optional[int]


class Machine:
    """What an expression needs of a frame.

    :param register: a general register of the frame, by name; None: unknown there
    :param cfa: the frame's canonical frame address
    :param word: reads 8 bytes of memory
    :param link: what is added to addresses as linked
    :param entry: gives what an expression was when the function was called; None: not known
    """

    def __init__(
        self,
        register: Callable[[str], Optional[int]],
        cfa: Callable[[], Optional[int]],
        word: Callable[[int], Optional[int]],
        link: int,
        entry: Callable[[bytes], Optional[int]] = lambda code: None,
    ) -> None:
        self._entry = entry
        self._register = register
        self._cfa = cfa
        self._word = word
        self._link = link

    def locate(self, code: bytes, frame_base: bytes, indexed: Callable[[int], int]) -> List[Piece]:
        """The pieces of a value, in order (DWARF 5, sections 2.5 and 2.6).

        :param frame_base: the function's DW_AT_frame_base
        :param indexed: gives an address of .debug_addr, as linked
        :raises LayoutUnknown: if the expression does something that is not known here, or
            needs what the frame has not
        """
        try:
            return self._run(code, frame_base, indexed)
        except (IndexError, struct.error):
            raise LayoutUnknown("a location expression that ends early") from None

    def _run(self, code: bytes, frame_base: bytes, indexed: Callable[[int], int]) -> List[Piece]:
        stack: List[int] = []
        pieces: List[Piece] = []
        held: Optional[Piece] = None
        at = 0
        while at < len(code):
            op = code[at]
            at += 1
            if op == 0x03:
                stack.append(struct.unpack_from("<Q", code, at)[0] + self._link)
                at += 8
            elif op == 0xA1:  # addrx
                index, at = uleb(code, at)
                stack.append(indexed(index) + self._link)
            elif op == 0x06:
                stack.append(self._known(self._word(stack.pop())))
            elif op == 0x10:
                number, at = uleb(code, at)
                stack.append(number)
            elif op == 0x11:
                number, at = sleb(code, at)
                stack.append(number)
            elif op == 0x12:
                stack.append(stack[-1])
            elif op == 0x22:
                second = stack.pop()
                stack.append(stack.pop() + second)
            elif op == 0x23:
                number, at = uleb(code, at)
                stack.append(stack.pop() + number)
            elif 0x30 <= op <= 0x4F:
                stack.append(op - 0x30)
            elif 0x50 <= op <= 0x5F:
                held = Piece(None, self._register(_REGISTERS[op - 0x50]), None)
            elif 0x60 <= op <= 0x6F or op == 0x90:  # vector and other registers: not kept
                if op == 0x90:
                    _, at = uleb(code, at)
                held = Piece(None, None, None)
            elif 0x70 <= op <= 0x7F:
                number, at = sleb(code, at)
                stack.append(self._known(self._register(_REGISTERS[op - 0x70])) + number)
            elif op == 0x91:  # fbreg
                number, at = sleb(code, at)
                base = self._run(frame_base, b"", indexed) if frame_base else []
                stack.append(self._known(base[0].address if base else None) + number)
            elif op == 0x93:  # piece
                size, at = uleb(code, at)
                if held is None:
                    held = Piece(stack.pop() & _MASK, None, None) if stack else _NOTHING
                pieces.append(Piece(held.address, held.value, size))
                held = None
            elif op == 0x9C:
                stack.append(self._known(self._cfa()))
            elif op in (0xA3, 0xF3):  # entry_value
                size, at = uleb(code, at)
                stack.append(self._known(self._entry(code[at : at + size])))
                at += size
            elif op == 0x9F:  # stack_value
                held = Piece(None, stack.pop() & _MASK, None)
            else:
                raise LayoutUnknown(f"a location expression with operation {op:#x}")
        if pieces:
            return pieces
        return [held or Piece(stack.pop() & _MASK, None, None)]

    @staticmethod
    def _known(value: Optional[int]) -> int:
        if value is None:
            raise LayoutUnknown("a location that needs what this frame has not")
        return value


_NOTHING = Piece(None, None, None)


def uleb(raw: bytes, at: int) -> Tuple[int, int]:
    """An unsigned LEB128 number, and where it ends."""
    byte = raw[at]
    if byte < 0x80:
        return byte, at + 1
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def sleb(raw: bytes, at: int) -> Tuple[int, int]:
    """A signed LEB128 number, and where it ends."""
    start = at
    value, at = uleb(raw, at)
    bits = 7 * (at - start)
    return value - (1 << bits) if value >> (bits - 1) else value, at
