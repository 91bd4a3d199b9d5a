# SPDX-License-Identifier: MIT
"""Is a table of slots whole? Its count, control bytes and keys."""

from typing import Dict, List, Optional, Sequence

from ..maps.compare_keys import Hashed, Keys
from ..maps.problems import Problem
from ..maps.progress import Progress
from ..maps.report import Report
from ..program.types import Kind
from .slot_reader import SlotReader
from .windows import reached

#: longest text that is compared with others, in bytes; control bytes that are told of
_SHORT, _TOLD = 1 << 16, 100


def check_slots(view: SlotReader, report: Report, progress: Progress) -> None:
    """Reports what is wrong with a table."""
    marks = view.marks(progress)
    _problems(view, report)
    control = view.control
    report.buckets = -(-len(marks) // control.group)
    impossible = bytes(
        1 - live if byte not in control.names else 0 for byte, live in enumerate(control.live)
    )
    if 1 in impossible:
        flagged = marks.translate(impossible)
        at = flagged.find(1)
        for _ in range(_TOLD):
            if at < 0:
                break
            where = view.where(at)
            text = f"the control byte {marks[at]:#04x} of {where.text()} means nothing"
            report.add("error", "control-byte", text, None, where.bucket, where.cell)
            at = flagged.find(1, at + 1)
    hashed = Hashed(view, report, report.hashes)
    key, _ = view.types()
    keys = Keys(view, key, False)
    seen: Dict[bytes, int] = {}
    for slots, places, rows in view.batches(progress):
        report.cells += len(slots)
        at, size = view.layout.key, key.size
        parts = [None if row is None else row[at : at + size] for row in rows]
        for index, part in enumerate(parts):
            if part is None:
                where = view.where(slots[index])
                text = f"the entry of {where.text()} cannot be read, at {places[index]:#x}"
                report.add("error", "key-unreadable", text, places[index], where.bucket, where.cell)
        _compare(view, report, hashed, slots, [part or b"" for part in parts])
        values: Sequence[Optional[bytes]] = parts
        if keys.kind is Kind.STRING:
            values = _texts(view, parts)
        elif not keys.plain:
            continue
        for slot, value in zip(slots, values):
            before = slot if value is None else seen.setdefault(value, slot)
            if before != slot:
                one, other = view.where(before), view.where(slot)
                text = f"a key is there twice, in {one.text()} and in {other.text()}"
                report.add("error", "duplicate-key", text, None, other.bucket, other.cell)
    hashed.settle("wrong-hash")
    report.settle(0)
    if not keys.plain and keys.kind is not Kind.STRING:
        text = "keys were not compared with each other: their bytes do not tell"
        report.add("note", "hash-skipped", text)


def _compare(
    view: SlotReader,
    report: Report,
    hashed: Hashed,
    slots: Sequence[int],
    parts: Sequence[bytes],
) -> None:
    """Control bytes with the hashes of keys."""
    mark, marks = view.control.mark, view.marks()
    numbers = hashed.many(parts) if mark is not None else []
    fitting = unfitting = 0
    for slot, number in zip(slots, numbers):
        if number is None or mark is None:
            continue
        own = mark(number) == marks[slot]
        if own and reached(view, slot, number):
            fitting += 1
            continue
        unfitting += 1
        where = view.where(slot)
        if own:
            text = f"no lookup of its key comes to {where.text()}: its hash leads elsewhere"
            report.doubt("wrong-hash", text, view.slot_address(slot), where.bucket, where.cell or 0)
            continue
        text = (
            f"the control byte of {where.text()} is {marks[slot]:#04x}, "
            f"that of its key's hash is {mark(number):#04x}"
        )
        report.doubt("wrong-hash", text, view.slot_address(slot), where.bucket, where.cell or 0)
    if numbers:
        hashed.count(fitting, unfitting)


def _problems(view: SlotReader, report: Report) -> None:
    """What was noted on the way; a count that is off by what is being done is none."""
    for problem in view.problems:
        if not isinstance(problem, Problem) or problem.code != "count" or not report.operations():
            report.problems([problem])
            continue
        if report.operations() == ("?",):
            text = f"{problem}; whether a write is half done cannot be told"
            report.add("warning", "count", text, view.address)
        else:
            report.add("note", "in-flight", f"{problem}: a write is half done", view.address)
        report.left_out = "entries that are in no slot, if a write is half done"


def _texts(view: SlotReader, parts: Sequence[Optional[bytes]]) -> List[Optional[bytes]]:
    """The bytes of strings; None: not read, or too long."""
    type = view.types()[0]
    found: List[Optional[bytes]] = [None] * len(parts)
    wanted: List[int] = []
    starts: List[int] = []
    sizes: List[int] = []
    for at, part in enumerate(parts):
        if part is None:
            continue
        start, size = (
            int.from_bytes(part[place : place + 8], "little")
            for place in (type.data_offset, type.len_offset)
        )
        if not size:
            found[at] = b""
        elif size <= _SHORT:
            wanted.append(at)
            starts.append(start)
            sizes.append(size)
    for at, piece in zip(wanted, view.memory.gather_ranges(starts, sizes)):
        found[at] = piece
    return found
