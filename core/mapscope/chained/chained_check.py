# SPDX-License-Identifier: MIT
"""What is wrong with a map of two tables of chains."""

from array import array
from bisect import bisect_right
from itertools import count
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from ..maps.batches import Column
from ..maps.compare_keys import Hashed, Keys
from ..maps.problems import is_cut_short
from ..maps.report import Report
from ..maps.view import MapView
from ..program.values import Unreadable
from .two_tables import Nodes, Piece, Tables

#: hashes of keys that are kept to find keys that are there twice
_MOST_HASHES = 1 << 24


def check_nodes(
    view: MapView,
    tables: Tables,
    nodes: Nodes,
    pieces: Iterator[Tuple[Piece, bool]],
    report: Report,
) -> None:
    """Report what cannot be in a healthy map.

    :param pieces: its entries, and whether they are in flight
    """
    address = view.address
    if tables.migrating and tables.index > tables.sizes[0]:
        text = f"the migration is at bucket {tables.index} of {tables.sizes[0]}"
        report.add("error", "nevacuate", text, address)
    key, _ = view.types()
    hashed = Hashed(view, report, report.hashes and not nodes.stores_hashes)
    keys = Keys(view, key, False)
    counted = [0, 0]
    seen = _Seen(report, tables, nodes, keys)
    for piece, in_flight in pieces:
        report.cells += len(piece)
        counted[piece.table] += len(piece)
        if in_flight:
            text = f"{len(piece)} entries are on their way to the new table, and in neither"
            report.add("note", "in-flight", text, address)
            continue
        if piece.table == 0 and tables.migrating:
            _left_behind(tables, nodes, piece, report)
        column = nodes.keys(piece)
        _unreadable(view, nodes, column, piece, tables, report)
        stored = nodes.hashes(piece) if report.hashes and nodes.stores_hashes else None
        hashes = hashed.of(column, len(piece)) if stored is None else stored
        if not hashes:
            continue
        if stored is not None:
            report.hashed += len(stored) - stored.count(None)
        wrong = 0
        if not nodes.probes:
            wrong = _in_wrong_buckets(tables, nodes, column, piece, hashes, keys, report)
        seen.add(piece, column, hashes)
        hashed.count(len(hashes) - wrong, wrong)
    hashed.settle("wrong-bucket")
    report.buckets = sum(tables.sizes)
    whole = not is_cut_short(view.problems)
    others = [problem for problem in view.problems if getattr(problem, "code", "") != "count"]
    report.problems(others)
    if whole:
        for odd in nodes.oddities(not report.operations()):
            report.add("warning", odd.code, str(odd), odd.address)
    found = sum(counted)
    if whole and found != tables.count:
        # between two stores of a write the header counts one more, or one less
        explained = abs(found - tables.count) <= len(report.operations())
        severity = "note" if explained else "error"
        code = "count" if severity == "error" else "in-flight"
        text = f"the header counts {tables.count} entries, and {found} were found"
        report.add(severity, code, text, address)
    report.settle(1 if report.operations() else 0)
    if not whole:
        report.left_out = "what could not be read"
    if seen.full:
        report.add("note", "hash-skipped", "keys there twice were looked for among some alone")


def _in_wrong_buckets(
    tables: Tables,
    nodes: Nodes,
    column: Column,
    piece: Piece,
    hashes: Sequence[Optional[int]],
    keys: Keys,
    report: Report,
) -> int:
    """Keys that lie in other buckets than those of their hashes; how many."""
    places = tables.places_of(piece.table, hashes)
    if places == piece.buckets:
        return 0
    wrong = 0
    for at, (place, bucket) in enumerate(zip(places, piece.buckets)):
        if place is None or place == bucket:
            continue
        slot = column.data(at)
        if slot is None:
            continue
        wrong += 1
        text = (
            f"{tables.array(piece.table)} bucket {bucket}: the hash of key "
            f"{keys.text(slot)} belongs to bucket {place}"
        )
        report.doubt("wrong-bucket", text, nodes.address(piece, at), bucket, 0)
    return wrong


class _Seen:
    """Keys that were seen, by their hashes, and how to get at them again: those that are there
    twice are reported."""

    def __init__(self, report: Report, tables: Tables, nodes: Nodes, keys: Keys) -> None:
        self._report, self._tables, self._nodes, self._keys = report, tables, nodes, keys
        self._numbers: Dict[int, int] = {}  # hash: which key has it, of all that were looked at
        self._firsts: List[int] = []  # of each piece, the number of its first key
        self._pieces: List[Tuple[int, "array[int]", Callable[[int], Optional[bytes]]]] = []
        self._next = 0

    @property
    def full(self) -> bool:
        """Whether there were too many keys to remember all."""
        return len(self._numbers) >= _MOST_HASHES

    def add(self, piece: Piece, column: Column, hashes: Sequence[Optional[int]]) -> None:
        """Keys of a piece."""
        numbers, first = self._numbers, self._next
        self._firsts.append(first)
        slots = column.remembered(len(piece))
        self._pieces.append((piece.table, array("Q", piece.buckets), slots))
        self._next += len(piece)
        before = len(numbers)
        if before + len(hashes) < _MOST_HASHES and None not in hashes:
            if numbers.keys().isdisjoint(hashes):
                numbers.update(zip(hashes, count(first)))  # type: ignore[arg-type]
                if len(numbers) == before + len(hashes):
                    return
                for key_hash in hashes:
                    numbers.pop(key_hash, None)  # type: ignore[arg-type]
        for at, key_hash in enumerate(hashes):
            slot = None if key_hash is None else slots(at)
            if key_hash is None or slot is None:
                continue
            other = numbers.get(key_hash)
            if other is not None:
                self._compare(other, slot, piece, at)
            elif len(numbers) < _MOST_HASHES:
                numbers[key_hash] = first + at

    def _compare(self, other: int, slot: bytes, piece: Piece, at: int) -> None:
        """Two keys with the same hash."""
        which = bisect_right(self._firsts, other) - 1
        table, buckets, slots = self._pieces[which]
        place = other - self._firsts[which]
        before, bucket = slots(place), piece.buckets[at]
        if before is None or not self._keys.same([before], [slot])[0]:
            return
        text = (
            f"key {self._keys.text(slot)} is in {self._tables.array(table)} bucket "
            f"{buckets[place]}, and in {self._tables.array(piece.table)} bucket {bucket}"
        )
        address = self._nodes.address(piece, at)
        self._report.add("error", "duplicate-key", text, address, bucket)


def _left_behind(tables: Tables, nodes: Nodes, piece: Piece, report: Report) -> None:
    """Entries of buckets that are said to be migrated."""
    for at, bucket in enumerate(piece.buckets):
        if bucket < tables.index:
            text = (
                f"old bucket {bucket} has an entry, and buckets below {tables.index} are said to "
                "be migrated: lookups do not see it"
            )
            report.add("error", "not-evacuated", text, nodes.address(piece, at), bucket)


def _unreadable(
    view: MapView,
    nodes: Nodes,
    column: Column,
    piece: Piece,
    tables: Tables,
    report: Report,
) -> None:
    for at in column.unread(len(piece)):
        key = column.value(at, view.decoder)
        why = key.error if isinstance(key, Unreadable) else "cannot be read"
        bucket = piece.buckets[at]
        text = f"{tables.array(piece.table)} bucket {bucket}: a key {why}"
        report.add("error", "key-unreadable", text, nodes.address(piece, at), bucket)
