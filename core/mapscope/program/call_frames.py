# SPDX-License-Identifier: MIT
"""Frames of compiled code by the tables that C++ needs for exceptions: .eh_frame, as it lies in
memory.

Facts: the LSB's "Exception Frames" (.eh_frame, .eh_frame_hdr), DWARF 5, section 6.4, and the x86-64
psABI, table 3.36 (numbers of registers). What is read may be damaged: it is bounded, and what is
not known ends the frames.
"""

import struct
from dataclasses import field
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from ..errors import MapscopeError, MemoryUnreadable
from ..records import dataclass
from .dwarf import sleb, uleb
from .memory import Buffer

#: by their numbers in the tables
REGISTERS = "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip".split()
_RIP = 16
#: kept by whoever is called
_KEPT = ("rbx", "rbp", "r12", "r13", "r14", "r15")
_MASK = (1 << 64) - 1
#: bytes of one entry, steps of one expression, frames of a thread
_MOST_BYTES, _MOST_STEPS, _MOST_FRAMES = 1 << 16, 256, 256
#: bytes behind a function's part of a table that may be its own
_GAP = 16
#: encodings of pointers (DW_EH_PE_*)
_OMITTED, _INDIRECT = 0xFF, 0x80
_FORMATS = {0: "<Q", 2: "<H", 3: "<I", 4: "<Q", 10: "<h", 11: "<i", 12: "<q"}
_RELATIVE_TO_PLACE, _RELATIVE_TO_TABLE = 0x10, 0x30

Read = Callable[[int, int], Buffer]
#: where the table (.eh_frame_hdr) is that knows an instruction; None: nowhere
Table = Callable[[int], Optional[int]]


class CallFrame(NamedTuple):
    """One frame.

    :ivar registers: those that are known
    :ivar cfa: its canonical frame address; 0: not known
    :ivar exact: whether `pc` is the next instruction, not one behind a call
    """

    pc: int
    registers: Dict[str, int]
    cfa: int
    exact: bool


class Rule(NamedTuple):
    """How a register of the caller, or the CFA, is found.

    :ivar kind: "same"; "at" or "value": of an offset from the CFA, or from a register;
        "register"; "expression", "value expression"; "lost"
    """

    kind: str
    offset: int = 0
    register: int = 0
    code: bytes = b""


@dataclass
class _Entry:
    """A function's part of a table."""

    start: int
    end: int
    code_factor: int
    data_factor: int
    return_register: int
    common: bytes
    own: bytes
    is_signal: bool


@dataclass
class _Row:
    """The rules at an instruction."""

    cfa: Rule = Rule("lost")
    rules: Dict[int, Rule] = field(default_factory=dict)


class Unwinder:
    """Goes from frame to frame."""

    def __init__(self, read: Read, table: Table) -> None:
        self._read_memory = read
        self._table = table

    def _read(self, address: int, size: int) -> bytes:
        return bytes(self._read_memory(address, size))

    def frames(self, registers: Dict[str, int]) -> Iterator[CallFrame]:
        """The frames of a thread, innermost first, as far as they can be found."""
        current, exact = dict(registers), True
        for _ in range(_MOST_FRAMES):
            pc = current.get("rip", 0)
            if not pc:
                return
            above: Optional[Tuple[int, Dict[str, int], bool]] = None
            try:
                entry = self._entry(pc if exact else pc - 1)
                if entry is not None:
                    above = self._above(entry, current, pc if exact else pc - 1)
                elif current == registers:
                    above = self._above_gap(pc, current)
            except (MapscopeError, IndexError, struct.error, ValueError):
                pass
            yield CallFrame(pc, current, 0 if above is None else above[0], exact)
            if above is None:
                return
            cfa, outer, is_signal = above
            if cfa <= current.get("rsp", 0) and not is_signal:
                return
            current, exact = outer, is_signal

    def _above_gap(
        self, pc: int, registers: Dict[str, int]
    ) -> Optional[Tuple[int, Dict[str, int], bool]]:
        """The same for an instruction right behind those that a table tells of, where the rules of
        the last one lead into a function: clone3 ends its part in front of the system call, for
        the new thread (glibc's sysdeps/unix/sysv/linux/x86_64/clone3.S)."""
        entry = self._entry(pc, _GAP)
        found = None if entry is None else self._above(entry, registers, entry.end - 1)
        if found is None or self._entry(found[1].get("rip", 0) - 1) is None:
            return None
        return found

    # --- tables ---

    def _entry(self, pc: int, behind: int = 0) -> Optional[_Entry]:
        """By halving the table of functions that stands in .eh_frame_hdr.

        :param behind: bytes behind a function that are taken for its own
        """
        header = self._table(pc)
        if header is None:
            return None
        version, frame_encoding, count_encoding, encoding = self._read(header, 4)
        if version != 1 or encoding != 0x3B:  # of 4 bytes each, relative to the header
            return None
        _, at = self._pointer(frame_encoding, header + 4, header)
        count, at = self._pointer(count_encoding, at, header)
        low, high = 0, count
        if not 0 < count < 1 << 28:
            return None
        while high - low > 1:
            middle = (low + high) // 2
            if self._pair(at, middle, header)[0] <= pc:
                low = middle
            else:
                high = middle
        start, place = self._pair(at, low, header)
        entry = self._parsed(place, header) if start <= pc else None
        return entry if entry is not None and entry.start <= pc < entry.end + behind else None

    def _pair(self, at: int, index: int, header: int) -> Tuple[int, int]:
        start, place = struct.unpack("<ii", self._read(at + 8 * index, 8))
        return header + start, header + place

    def _pointer(self, encoding: int, at: int, header: int) -> Tuple[int, int]:
        """(a value, where it ends); 0 where it is left out."""
        if encoding == _OMITTED:
            return 0, at
        layout = _FORMATS.get(encoding & 15)
        base = {_RELATIVE_TO_PLACE: at, _RELATIVE_TO_TABLE: header, 0: 0}.get(encoding & 0x70)
        if layout is None or base is None:
            raise ValueError("an encoding that is not known")
        size = struct.calcsize(layout)
        value: int = struct.unpack(layout, self._read(at, size))[0]
        if value:
            value = value + base & _MASK
            if encoding & _INDIRECT:
                value = int.from_bytes(self._read(value, 8), "little")
        return value, at + size

    def _block(self, at: int) -> Tuple[int, bytes]:
        """(where what follows its length begins, the bytes)."""
        (length,) = struct.unpack("<I", self._read(at, 4))
        if not 4 <= length <= _MOST_BYTES:
            raise ValueError("no entry")
        return at + 4, self._read(at + 4, length)

    def _parsed(self, at: int, header: int) -> Optional[_Entry]:
        begin, raw = self._block(at)
        (back,) = struct.unpack_from("<I", raw)
        if not back:
            return None
        common_begin, common = self._block(begin - back)
        if common[:4] != b"\0\0\0\0":
            return None
        end = common.index(0, 5)
        augmentation = common[5:end].decode("ascii", "replace")
        code_factor, used = uleb(common, end + 1)
        data_factor, used = sleb(common, used)
        return_register, used = uleb(common, used)
        encoding = 0
        if augmentation[:1] == "z":
            size, used = uleb(common, used)
            behind = used + size
            for letter in augmentation[1:]:
                if letter == "R":
                    encoding, used = common[used], used + 1
                elif letter == "L":
                    used += 1
                elif letter == "P":
                    plain = common[used] & ~_INDIRECT
                    used = self._pointer(plain, common_begin + used + 1, header)[1] - common_begin
            used = behind
        start, after = self._pointer(encoding, begin + 4, header)
        size, after = self._pointer(encoding & 15, after, header)
        own = after - begin
        if augmentation[:1] == "z":
            length, own = uleb(raw, own)
            own += length
        return _Entry(
            start,
            start + size,
            code_factor,
            data_factor,
            return_register,
            common[used:],
            raw[own:],
            "S" in augmentation,
        )

    # --- rules ---

    def _above(
        self, entry: _Entry, registers: Dict[str, int], pc: int
    ) -> Optional[Tuple[int, Dict[str, int], bool]]:
        """(CFA, the caller's registers, whether a signal was between them)."""
        row = _Row()
        _run(entry, entry.common, row, _MASK, {})
        _run(entry, entry.own, row, pc, dict(row.rules))
        if row.cfa.kind == "expression":
            cfa = self._value(row.cfa.code, registers, None)
        else:
            base = registers.get(_name(row.cfa.register)) if row.cfa.kind == "value" else None
            cfa = None if base is None else base + row.cfa.offset & _MASK
        if cfa is None:
            return None
        outer = {name: registers[name] for name in _KEPT if name in registers}
        outer["rsp"] = cfa
        for number, rule in row.rules.items():
            name = _name(number)
            value = self._ruled(rule, cfa, registers, name)
            if value is None:
                outer.pop(name, None)
            else:
                outer[name] = value
        if entry.return_register != _RIP or "rip" not in outer:
            return None
        return cfa, outer, entry.is_signal

    def _ruled(self, rule: Rule, cfa: int, registers: Dict[str, int], name: str) -> Optional[int]:
        if rule.kind == "same":
            return registers.get(name)
        if rule.kind == "value":
            return cfa + rule.offset & _MASK
        if rule.kind == "at":
            return self._word(cfa + rule.offset & _MASK)
        if rule.kind == "register":
            return registers.get(_name(rule.register))
        if rule.kind == "value expression":
            return self._value(rule.code, registers, cfa)
        if rule.kind == "expression":
            place = self._value(rule.code, registers, cfa)
            return None if place is None else self._word(place)
        return None

    def _word(self, address: int) -> Optional[int]:
        try:
            return int.from_bytes(self._read(address, 8), "little")
        except MemoryUnreadable:
            return None

    def _value(self, code: bytes, registers: Dict[str, int], first: Optional[int]) -> Optional[int]:
        """The value of an expression (DWARF 5, section 2.5), as far as frames of signals and the
        stubs of linkers need it."""
        stack: List[int] = [] if first is None else [first]
        at = 0
        for _ in range(_MOST_STEPS):
            if at >= len(code):
                return stack[-1] & _MASK
            op = code[at]
            at += 1
            if 0x70 <= op <= 0x80:
                offset, at = sleb(code, at)
                base = registers.get(_name(op - 0x70))
                if base is None:
                    return None
                stack.append(base + offset & _MASK)
            elif 0x30 <= op <= 0x4F:
                stack.append(op - 0x30)
            elif 0x08 <= op <= 0x0D:
                layout = "<" + "BbHhIi"[op - 8]
                number: int = struct.unpack_from(layout, code, at)[0]
                stack.append(number)
                at += struct.calcsize(layout)
            elif op in (0x10, 0x11):
                number, at = (uleb if op == 0x10 else sleb)(code, at)
                stack.append(number)
            elif op == 0x06:
                found = self._word(stack.pop())
                if found is None:
                    return None
                stack.append(found)
            elif op == 0x12:
                stack.append(stack[-1])
            elif op == 0x23:
                number, at = uleb(code, at)
                stack.append(stack.pop() + number & _MASK)
            elif op in (0x1A, 0x1C, 0x22, 0x24, 0x2A):
                second = stack.pop()
                stack.append(_operated(op, stack.pop(), second) & _MASK)
            else:
                return None
        return None


def _name(number: int) -> str:
    """A register's name; another number's is that of no register."""
    return REGISTERS[number] if number < len(REGISTERS) else f"register {number}"


def _run(entry: _Entry, code: bytes, row: _Row, pc: int, first: Dict[int, Rule]) -> None:
    """Instructions up to the one at `pc` (DWARF 5, section 6.4.2).

    :param first: the rules that all of the entry's functions begin with
    """
    here, at = entry.start, 0
    kept: List[Tuple[Rule, Dict[int, Rule]]] = []
    rules = row.rules

    def restore(number: int) -> None:
        if number in first:
            rules[number] = first[number]
        else:
            rules.pop(number, None)

    def offset_of(op: int, at: int, signed: Tuple[int, ...], scaled: bool) -> Tuple[int, int]:
        value, at = (sleb if op in signed else uleb)(code, at)
        return value * entry.data_factor if scaled else value, at

    while at < len(code):
        op = code[at]
        at += 1
        high, low = op & 0xC0, op & 0x3F
        if high == 0x40 or op in (0x02, 0x03, 0x04):
            step = low
            if high != 0x40:
                width = {2: 1, 3: 2, 4: 4}[op]
                step, at = int.from_bytes(code[at : at + width], "little"), at + width
            here += step * entry.code_factor
            if here > pc:
                return
        elif high == 0x80:
            offset, at = offset_of(op, at, (), True)
            rules[low] = Rule("at", offset)
        elif high == 0xC0:
            restore(low)
        elif op == 0x00:
            continue
        elif op in (0x05, 0x11, 0x14, 0x15):  # offset_extended, _sf, val_offset, _sf
            number, at = uleb(code, at)
            offset, at = offset_of(op, at, (0x11, 0x15), True)
            rules[number] = Rule("at" if op in (0x05, 0x11) else "value", offset)
        elif op == 0x06:
            number, at = uleb(code, at)
            restore(number)
        elif op in (0x07, 0x08):  # undefined, same_value
            number, at = uleb(code, at)
            rules[number] = Rule("lost" if op == 0x07 else "same")
        elif op == 0x09:
            number, at = uleb(code, at)
            other, at = uleb(code, at)
            rules[number] = Rule("register", 0, other)
        elif op == 0x0A:
            if len(kept) >= _MOST_STEPS:
                raise ValueError("states that are kept have no end")
            kept.append((row.cfa, dict(rules)))
        elif op == 0x0B:
            row.cfa, saved = kept.pop()
            rules.clear()
            rules.update(saved)
        elif op in (0x0C, 0x12):  # def_cfa, _sf
            number, at = uleb(code, at)
            offset, at = offset_of(op, at, (0x12,), op == 0x12)
            row.cfa = Rule("value", offset, number)
        elif op == 0x0D:
            number, at = uleb(code, at)
            row.cfa = Rule("value", row.cfa.offset, number)
        elif op in (0x0E, 0x13):  # def_cfa_offset, _sf
            offset, at = offset_of(op, at, (0x13,), op == 0x13)
            row.cfa = Rule("value", offset, row.cfa.register)
        elif op == 0x0F:
            size, at = uleb(code, at)
            row.cfa, at = Rule("expression", code=code[at : at + size]), at + size
        elif op in (0x10, 0x16):
            number, at = uleb(code, at)
            size, at = uleb(code, at)
            kind = "expression" if op == 0x10 else "value expression"
            rules[number], at = Rule(kind, code=code[at : at + size]), at + size
        elif op == 0x2E:  # GNU_args_size
            _, at = uleb(code, at)
        else:
            raise ValueError("an instruction that is not known")


def _operated(op: int, first: int, second: int) -> int:
    """and, minus, plus, shl, ge."""
    if op == 0x1A:
        return first & second
    if op == 0x1C:
        return first - second
    if op == 0x22:
        return first + second
    if op == 0x24:
        return first << min(second, 64)
    return int(_signed(first) >= _signed(second))


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
