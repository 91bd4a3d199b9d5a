# SPDX-License-Identifier: MIT
"""What is known of a concurrent_hash_map, and how it is shown."""

from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from ...maps.facts import Growth, NodeChain, Summary
from ...maps.figures import optional
from ...maps.library_facts import LibraryFacts
from ...program.values import escape
from ...records import dataclass

#: locks that text shows
_LOCKS = 10


@dataclass
class LazyGrowth(Growth):
    """A migration without an order: a new bucket is filled when somebody looks in it.

    :ivar new_buckets: those of the newest segment; `evacuated` are the ones of them that are
        filled
    :ivar waiting: all buckets that are still to be filled, also those of older segments
    """

    new_buckets: int = 1
    waiting: int = 0

    @property
    def progress(self) -> Optional[float]:
        """The part of the new buckets that is filled, 0..1."""
        return None if self.evacuated is None else self.evacuated / self.new_buckets

    @property
    def places(self) -> int:
        """Buckets that a stop may name."""
        return self.old_buckets + self.new_buckets

    def json_form(self) -> Dict[str, object]:
        left = None if self.evacuated is None else self.new_buckets - self.evacuated
        form: Dict[str, object] = {**super().json_form(), "remaining": left, "nevacuate": None}
        form.update(new_buckets=self.new_buckets, waiting=self.waiting)
        return form

    def details(self) -> List[str]:
        return [
            f"{optional(self.evacuated)} of {self.new_buckets} new buckets rehashed; "
            f"{self.waiting} in all wait until somebody looks in them",
            f"{optional(self.entries_moved)} entries in the new buckets, "
            f"{optional(self.entries_waiting)} waiting in the old",
        ]


@dataclass(frozen=True)
class Lock:
    """A lock of a map that threads have, or wait for.

    :ivar place: what it is of, for readers
    :ivar address: where it is
    :ivar bucket: that it is of; None: it is an entry's
    :ivar threads: the debugger's numbers of those whose stacks lead to it: they have it, or wait
    """

    place: str
    address: int
    bucket: Optional[int]
    writer: bool
    pending: bool
    readers: int
    threads: Tuple[int, ...] = ()

    def text(self) -> str:
        """For readers."""
        what = []
        if self.writer:
            what.append("by a writer")
        if self.readers:
            what.append(f"by {self.readers} reader{'' if self.readers == 1 else 's'}")
        if self.pending:
            what.append("and a writer waits" if what else "a writer waits")
        who = (
            f" (on the stack of thread {', '.join(map(str, self.threads))})" if self.threads else ""
        )
        return f"{self.place} {' '.join(what)}{who}"

    def form(self) -> Dict[str, object]:
        """An element of `locks` of mapscope.inspect/1."""
        form: Dict[str, object] = dict(vars(self))
        return {**form, "address": hex(self.address), "threads": list(self.threads)}


@dataclass
class LockSummary(Summary):
    """What `map inspect` shows of a map with locks.

    :ivar locks: those that somebody has; None: they cannot be told
    """

    locks: Optional[Sequence[Lock]] = None


@dataclass(frozen=True)
class SegmentFacts(LibraryFacts):
    """Of a library's table of segments of buckets, which are filled when they are looked in.

    :ivar segments: how many there are
    """

    segments: int

    def walked_form(self, summary: Summary) -> Dict[str, object]:
        if not isinstance(summary, LockSummary) or summary.locks is None:
            return {}
        return {"locks": [lock.form() for lock in summary.locks]}

    def lines(self, summary: Summary, unit: str) -> Iterator[str]:
        yield from super().lines(summary, unit)
        if not isinstance(summary, LockSummary) or summary.locks is None:
            return
        for number, lock in enumerate(summary.locks[:_LOCKS]):
            yield f"  {'' if number else 'locks':<10} {escape(lock.text())}\n"
        if len(summary.locks) > _LOCKS:
            yield f"             and {len(summary.locks) - _LOCKS} more\n"
        if not summary.locks:
            yield "  locks      none is held\n"


@dataclass
class LazyChain(NodeChain):
    """A bucket of a table whose buckets are filled when they are looked in; `before` is its first
    node.

    :ivar source: the bucket that its entries still lie in; None: they are here
    :ivar lock: None: nobody has it, or it is not known
    """

    source: Optional[int] = None
    lock: Optional[Lock] = None

    def state(self) -> str:
        return super().state() if self.source is None else "not rehashed"

    def about(self) -> List[str]:
        told = []
        if self.source is not None:
            told.append(f"entries    in bucket {self.source}, until somebody looks in this one")
        if self.lock is not None:
            told.append(f"lock       {self.lock.text()}")
        return told

    def form(self) -> Dict[str, object]:
        return {
            "first": hex(self.before) if self.before else None,
            "rehashed": self.source is None,
            "source": self.source,
            "lock": None if self.lock is None else self.lock.form(),
        }
