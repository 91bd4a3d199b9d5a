# SPDX-License-Identifier: MIT
"""Entries that a thread holds between two buckets.

rehash_bucket, and rehash for the whole map, unlink a node from the bucket that it leaves before
they link it to its own. In between a thread's register or its stack has it, and nothing else. So
words of threads are tried: a node is on its way if no bucket leads to it, what follows it is a node
of the map or nothing, and its key belongs to a bucket that is just being filled: the locks of that
bucket and of the one that it leaves are both a writer's, or a thread is in the function.
"""

import re
from typing import Callable, Dict, Iterator, List, Optional, Set, Tuple

from ...errors import MapscopeError, MemoryUnreadable
from ...program.hashing import KeyHash
from ...program.memory import ADDRESS_LIMIT
from ...program.target import Frame, Thread
from ...session import Session
from .segments import WAITS, WRITER, Segments, parent

#: functions that move nodes, and what they call the node that they move
MOVES = re.compile(
    r"^tbb::(?:\w+::)*concurrent_hash_map<.*>::(rehash_bucket|rehash)(?:<.*>)?$", re.DOTALL
)
_MOVED = "curr"
#: words of each thread's stack that are tried, threads, and frames that are looked at
_WORDS, _THREADS, _FRAMES = 512, 64, 32
#: a lock's word is no larger: so many readers there are not
_LOCK = 1 << 20


class InFlight:
    """Finds them.

    :param width: bytes of a key
    :param hashing: gives the map's hash function, if it is known
    """

    def __init__(
        self,
        session: Session,
        segments: Segments,
        address: int,
        width: int,
        hashing: Callable[[], Optional[KeyHash]],
    ) -> None:
        self._session = session
        self._segments = segments
        self._address = address
        self._width = width
        self._hashing = hashing

    def __call__(self, missing: int, seen: Set[int]) -> Tuple[List[Tuple[int, bytes]], str]:
        """(nodes with their bytes, "") or ([], why it cannot be told which they are).

        :param missing: entries that the map counts, and that no bucket leads to
        :param seen: nodes that buckets lead to
        """
        named: Dict[int, bytes] = {}
        tried: Dict[int, bytes] = {}
        moving = False
        for _, thread in zip(range(_THREADS), self._session.target.threads()):
            inside = [frame for frame in _frames(thread) if self._moves(frame)]
            moving |= bool(inside)
            for frame in inside:
                word = _pointer(self._session, frame)
                row = None if word is None else self._node(word, seen)
                if word is not None and row is not None:
                    named[word] = row
            for word in self._words(thread):
                row = None if word in tried or word in named else self._node(word, seen)
                if row is not None and self._belongs(row, bool(inside)):
                    tried[word] = row
        named = {word: row for word, row in named.items() if self._belongs(row, True)}
        for found in ({**named, **tried}, named):
            if found and len(found) <= missing:
                return list(found.items()), ""
        if not moving and not tried:
            return [], ""  # of an entry that is being inserted, or was erased
        return [], "threads' registers and stacks do not tell which"

    def _moves(self, frame: Frame) -> bool:
        """Whether a frame moves nodes of this map, or may."""
        if MOVES.match(frame.function) is None:
            return False
        this = frame.variable("this")
        if this is None:
            return True
        raw = this.data
        try:
            raw = raw if raw is not None else self._session.memory.read(this.address or 0, 8)
        except MemoryUnreadable:
            return True
        return int.from_bytes(raw[:8], "little") == self._address

    def _words(self, thread: Thread) -> Iterator[int]:
        registers = thread.registers()
        yield from registers.values()
        sp = registers.get("rsp", 0)
        for count in (_WORDS, 32):
            try:
                raw = self._session.memory.read(sp & ~7, 8 * count)
            except MemoryUnreadable:
                continue
            yield from memoryview(raw).cast("Q").tolist()
            break

    def _node(self, word: int, seen: Set[int]) -> Optional[bytes]:
        """The bytes of a node that no bucket leads to; None: that cannot be one."""
        layout = self._segments.layout
        if word in seen or word % 8 or not 4096 <= word < ADDRESS_LIMIT:
            return None
        try:
            row = self._session.memory.read(word, layout.node)
        except MapscopeError:
            return None
        following = int.from_bytes(row[layout.following : layout.following + 8], "little")
        if following and following not in seen:
            return None
        if layout.node_lock is not None:
            lock = int.from_bytes(row[layout.node_lock : layout.node_lock + 8], "little")
            if lock >= _LOCK:
                return None
        return bytes(row)

    def _belongs(self, row: bytes, inside: bool) -> bool:
        """Whether a node's key belongs to a bucket that is just being filled.

        :param inside: whether the thread is in a function that moves nodes
        """
        known = self._hashing()
        if known is None:
            return inside
        at = self._segments.layout.key
        key_hash = known.many([row[at : at + self._width]])[0]
        if key_hash is None:
            return False
        bucket = key_hash & self._segments.header.mask
        while bucket > 1:
            if self._segments.head(bucket) != WAITS:
                return inside or self._both_locked(bucket)
            bucket = parent(bucket)
        return False

    def _both_locked(self, bucket: int) -> bool:
        """Whether a bucket and the one that its entries come from are a writer's."""
        lock = self._segments.lock(bucket)
        if lock is None or not lock & WRITER:
            return False
        source = parent(bucket)
        while source > 1 and self._segments.head(source) == WAITS:
            source = parent(source)
        other = self._segments.lock(source)
        return other is not None and bool(other & WRITER)


def _frames(thread: Thread) -> Iterator[Frame]:
    for _, frame in zip(range(_FRAMES), thread.frames()):
        yield frame


def _pointer(session: Session, frame: Frame) -> Optional[int]:
    """The node that a function moves, where debug information tells."""
    variable = frame.variable(_MOVED)
    if variable is None:
        return None
    raw = variable.data
    if raw is None:
        try:
            raw = session.memory.read(variable.address or 0, 8)
        except MemoryUnreadable:
            return None
    return int.from_bytes(raw[:8], "little")
