# SPDX-License-Identifier: MIT
"""What is wrong with a map of two tables of chains."""

from typing import Dict, Iterator, List, Optional, Tuple

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
    hashed = Hashed(view, report, report.hashes)
    keys = Keys(view, key, False)
    counted = [0, 0]
    seen: Dict[int, Tuple[bytes, int, int]] = {}
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
        raw = column.all_data(len(piece))
        _unreadable(view, column, raw, piece, tables, report)
        hashes = hashed.many(raw)
        if not hashes:
            continue
        mask = tables.sizes[piece.table] - 1
        wrong = 0
        for at, key_hash in enumerate(hashes):
            slot = raw[at]
            if key_hash is None or slot is None:
                continue
            bucket = piece.buckets[at]
            if key_hash & mask != bucket:
                wrong += 1
                text = (
                    f"{tables.array(piece.table)} bucket {bucket}: the hash of key "
                    f"{keys.text(slot)} belongs to bucket {key_hash & mask}"
                )
                report.doubt("wrong-bucket", text, piece.links[at] & ~7, bucket, 0)
            other = seen.get(key_hash)
            if other is None:
                if len(seen) < _MOST_HASHES:
                    seen[key_hash] = (slot, piece.table, bucket)
            elif keys.same([other[0]], [slot])[0]:
                text = (
                    f"key {keys.text(slot)} is in {tables.array(other[1])} bucket {other[2]}, "
                    f"and in {tables.array(piece.table)} bucket {bucket}"
                )
                report.add("error", "duplicate-key", text, piece.links[at] & ~7, bucket)
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
        severity = "error" if abs(found - tables.count) > 1 or not report.operations() else "note"
        code = "count" if severity == "error" else "in-flight"
        text = f"the header counts {tables.count} entries, and {found} were found"
        report.add(severity, code, text, address)
    report.settle(1 if report.operations() else 0)
    if not whole:
        report.left_out = "what could not be read"
    if len(seen) >= _MOST_HASHES:
        report.add("note", "hash-skipped", "keys there twice were looked for among some alone")


def _left_behind(tables: Tables, nodes: Nodes, piece: Piece, report: Report) -> None:
    """Entries of buckets that are said to be migrated."""
    for at, bucket in enumerate(piece.buckets):
        if bucket < tables.index:
            text = (
                f"old bucket {bucket} has an entry, and buckets below {tables.index} are said to "
                "be migrated: lookups do not see it"
            )
            report.add("error", "not-evacuated", text, piece.links[at] & ~7, bucket)


def _unreadable(
    view: MapView,
    column: Column,
    raw: List[Optional[bytes]],
    piece: Piece,
    tables: Tables,
    report: Report,
) -> None:
    for at, slot in enumerate(raw):
        if slot is not None:
            continue
        key = column.value(at, view.decoder)
        why = key.error if isinstance(key, Unreadable) else "cannot be read"
        bucket = piece.buckets[at]
        text = f"{tables.array(piece.table)} bucket {bucket}: a key {why}"
        report.add("error", "key-unreadable", text, piece.links[at] & ~7, bucket)
