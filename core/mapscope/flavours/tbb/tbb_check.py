# SPDX-License-Identifier: MIT
"""Is a concurrent_hash_map whole? Its count, buckets, hashes, keys and locks."""

import re
from itertools import islice
from typing import Dict, List, Optional, Sequence, Set

from ...maps.compare_keys import Hashed, Keys
from ...maps.problems import Problem
from ...maps.progress import Progress
from ...maps.report import Report
from ...maps.view import MapView
from ...program.types import Kind
from ...session import Session
from .segments import WAITS, WRITER, Nodes, Segments, parent

#: longest text that is compared with others, in bytes; and keys that are remembered
_SHORT, _MOST = 1 << 16, 1 << 24
#: functions that may have the lock of a bucket, and frames among which they are looked for
_INSIDE = re.compile(r"^tbb::(?:\w+::)*(?:concurrent_hash_map|hash_map_base)<")
_FRAMES = 64


class TbbCheck:
    """One check of one map."""

    def __init__(self, session: Session, view: MapView, segments: Segments, report: Report) -> None:
        self._session = session
        self._view = view
        self._segments = segments
        self._report = report
        self._hashed = Hashed(view, report, report.hashes)
        self._keys = Keys(view, view.types()[0], False)
        self._seen: Dict[bytes, int] = {}
        #: buckets that may just be filled: those that are locked, all while rehash() runs
        self._filled: Optional[Set[int]] = None
        self._left_out = 0

    def nodes(self, some: Nodes, in_flight: bool) -> None:
        """Some of its entries."""
        report, layout = self._report, self._segments.layout
        report.cells += len(some.places)
        width = self._view.types()[0].size
        slots = [(row or b"")[layout.key : layout.key + width] for row in some.rows]
        if in_flight:
            number = len(some.places)
            text = f"{number} {'entry is' if number == 1 else 'entries are'} just being moved"
            report.add("note", "in-flight", text, some.places[0])
        else:
            self._places(some, slots)
        self._twice(some, slots)

    def _places(self, some: Nodes, slots: Sequence[bytes]) -> None:
        """Whether nodes are in the buckets of their hashes."""
        hashes = self._hashed.many(slots)
        fitting = unfitting = 0
        for index, key_hash in enumerate(hashes):
            if key_hash is None:
                continue
            bucket = some.buckets[index]
            path = self._segments.path(key_hash)
            if path[-1] == bucket or self._is_filled(path[-1], bucket):
                fitting += 1
                continue
            unfitting += 1
            text = (
                f"the node at {some.places[index]:#x} stands in bucket {bucket}, "
                f"its hash belongs to bucket {path[-1]}"
            )
            place = some.places[index]
            self._report.doubt("wrong-bucket", text, place, bucket, some.depths[index])
        if hashes:
            self._hashed.count(fitting, unfitting)

    def _is_filled(self, bucket: int, source: int) -> bool:
        """Whether a bucket may just be filled from another one."""
        if self._filled is None:
            locks = self._segments.locks()
            self._filled = {number for number, word in locks.items() if word & WRITER}
            if "evacuate" in self._report.operations() and not self._filled:
                self._filled = set(range(self._segments.header.buckets))
        while bucket > 1 and bucket > source:
            if bucket not in self._filled and self._segments.head(bucket) != WAITS:
                return False
            bucket = parent(bucket)
        return bucket == source

    def _twice(self, some: Nodes, slots: Sequence[bytes]) -> None:
        values: Sequence[Optional[bytes]] = slots
        if self._keys.kind is Kind.STRING:
            values = self._texts(some, slots)
        elif not self._keys.plain:
            return
        for index, value in enumerate(values):
            if value is None or len(self._seen) >= _MOST:
                continue
            before = self._seen.setdefault(value, some.places[index])
            if before != some.places[index]:
                text = (
                    f"the key {self._keys.text(slots[index])} is there twice, in the nodes at "
                    f"{before:#x} and {some.places[index]:#x}"
                )
                place, bucket = some.places[index], some.buckets[index]
                self._report.add(
                    "error", "duplicate-key", text, place, bucket if bucket >= 0 else None
                )

    def _texts(self, some: Nodes, slots: Sequence[bytes]) -> List[Optional[bytes]]:
        """The bytes of strings; those that cannot be read are told of."""
        type = self._view.types()[0]
        starts, sizes = (
            [int.from_bytes(slot[at : at + 8], "little") for slot in slots]
            for at in (type.data_offset, type.len_offset)
        )
        bulk = [at for at, size in enumerate(sizes) if 0 < size <= _SHORT]
        found: List[Optional[bytes]] = [b"" if not size else None for size in sizes]
        pieces = self._view.memory.gather_ranges(
            [starts[at] for at in bulk], [sizes[at] for at in bulk]
        )
        for at, piece in zip(bulk, pieces):
            found[at] = piece
            if piece is None:
                place = some.places[at]
                text = f"the key of the node at {place:#x} cannot be read: {starts[at]:#x}"
                self._report.add("error", "key-unreadable", text, place)
        self._left_out += sum(size > _SHORT for size in sizes)
        return found

    def buckets(self, progress: Progress) -> None:
        """Locks, and marks of buckets that cannot be."""
        report, segments = self._report, self._segments
        heads = segments.heads(progress)
        report.buckets = len(heads) - segments.unread_buckets()
        for bucket in (0, 1):
            if heads[bucket] == WAITS:
                text = f"bucket {bucket} is marked as not rehashed, and has no parent"
                place = segments.bucket_address(bucket)
                report.add("error", "bucket-pointer", text, place, bucket)
        self._waiting_parents()
        # a reader's may be of a lookup, which is no write
        held = {bucket: word for bucket, word in segments.locks().items() if word & WRITER}
        if not held or self._inside():
            return
        operations = report.operations()
        severity = "warning" if operations else "error"
        for bucket, word in held.items():
            text = (
                f"the lock of bucket {bucket} is a writer's ({word:#x}), but no thread "
                f"{'could be seen' if operations else 'is'} inside of a map"
            )
            place = segments.bucket_address(bucket) + (segments.layout.bucket_lock or 0)
            report.add(severity, "write-flag", text, place, bucket)

    def _inside(self) -> bool:
        """Whether a thread is in a function of the library that has buckets' locks."""
        return any(
            _INSIDE.match(frame.function)
            for thread in self._session.target.threads()
            for frame in islice(thread.frames(), _FRAMES)
        )

    def _waiting_parents(self) -> None:
        """A bucket that waits has no child that does not: that was filled from it first."""
        segments = self._segments
        heads, half = segments.heads(), segments.header.old_buckets
        if heads[2:half].count(WAITS) == 0:
            return
        for bucket in range(2, half):
            if heads[bucket] != WAITS:
                continue
            child = bucket + (1 << bucket.bit_length())
            if child < len(heads) and heads[child] != WAITS and not self._is_filled(child, 0):
                text = (
                    f"bucket {child} is rehashed, and bucket {bucket}, which it is filled from, "
                    "is not"
                )
                place = segments.bucket_address(child)
                self._report.add("error", "bucket-pointer", text, place, child)

    def end(self) -> None:
        """What was noted on the way; a count that is off by what is being done is none."""
        report = self._report
        self._hashed.settle("wrong-bucket")
        report.settle(0)
        for problem in self._view.problems:
            code = problem.code if isinstance(problem, Problem) else ""
            if code == "count" and report.operations():
                if report.operations() == ("?",):
                    text = f"{problem}; whether a write is half done cannot be told"
                    report.add("warning", "count", text, self._view.address)
                else:
                    text = f"{problem}: a write is half done"
                    report.add("note", "in-flight", text, self._view.address)
            else:
                report.problems([problem])
                if code == "unreadable":
                    report.left_out = "what could not be read"
        if self._left_out:
            report.left_out = f"{self._left_out} keys, whether others are the same"
