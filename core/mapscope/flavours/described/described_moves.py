# SPDX-License-Identifier: MIT
"""Entries that a step of the migration holds alone, and threads that are in the midst of one.

A step takes a chain apart entry by entry. What it has not yet linked into the new table hangs on
its locals: those that the description names, and words of registers and of the stack, are tried.
An entry is one of the lost ones if its hash belongs to the old bucket that is being moved, no
table leads to it, and all that were found so make the count that the table has.
"""

import re
from typing import Dict, Iterator, List, Optional, Sequence, Set, Tuple

from ...chained.two_tables import Lost, Piece
from ...errors import MapscopeError
from ...maps.problems import Problem
from ...maps.view import Hashing
from ...program.target import Frame
from ...program.values import Unreadable
from ...session import Session
from .description import Description
from .node_chains import NodeChains
from .scopes import variable

#: what compilers put behind the name of a function that they have split or copied
_SUFFIX = re.compile(r"\.(?:part|constprop|isra|cold|lto_priv|llvm)\.?\d*.*$")
#: words of a thread's stack that are tried, and entries of a chain that are followed
_WORDS, _LONGEST = 128, 1 << 16
_LIMIT = 1 << 47


def plain_name(function: str) -> str:
    """A function's name as its source has it."""
    return _SUFFIX.sub("", function).partition("(")[0]


def frames_in(session: Session, functions: Sequence[str]) -> List[Tuple[Frame, List[str]]]:
    """Frames of threads that are in one of these functions, with the functions that are called
    there, innermost first."""
    if not functions:
        return []
    found: List[Tuple[Frame, List[str]]] = []
    thread: Optional[int] = None
    inner: List[str] = []
    for frame in session.runtime_frames():
        if frame.thread != thread:
            thread, inner = frame.thread, []
        name = plain_name(frame.function)
        if name in functions:
            found.append((frame, list(inner)))
        inner.append(name)
    return found


def waiting(session: Session, description: Description, index: int) -> Iterator[str]:
    """Why a migration stands still, a line each."""
    functions, waits = description.words("moving.function"), description.words("moving.waits")
    for frame, inner in frames_in(session, functions) if waits else ():
        held = next((name for name in inner if name in waits), None)
        if held is not None:
            why = description.get("moving.waits_for", "something that another thread has")
            yield (
                f"stalled: thread {frame.thread}, which moves entries, is in {held} at old bucket "
                f"{index}: {why}"
            )


class Moving:
    """Finds the entries of one table that are on their way.

    :param hashing: gives its hash function
    """

    def __init__(self, session: Session, description: Description, hashing: Hashing) -> None:
        self._session = session
        self._description = description
        self._hashing = hashing

    def busy(self) -> str:
        """What a thread is doing that makes the table look like none for a moment; "": nothing
        that is known."""
        for frame, _ in frames_in(self._session, self._description.words("old.busy")):
            return f"thread {frame.thread} is in {plain_name(frame.function)}: let it return"
        return ""

    def splitting(self) -> str:
        """Which thread is splitting a chain; "": none that is known."""
        for frame, _ in frames_in(self._session, self._description.words("table.splits")):
            return f"thread {frame.thread} is in {plain_name(frame.function)}, which splits a chain"
        return ""

    def writing(self) -> int:
        """How many threads are in functions that add or remove an entry."""
        frames = frames_in(self._session, self._description.writers())
        return len({frame.thread for frame, _ in frames})

    def lost(self, nodes: NodeChains, seen: Set[int], missing: Optional[int]) -> Lost:
        """Entries that no table leads to.

        :param seen: those that one leads to
        :param missing: how many there are; None: the table has no count
        """
        if missing is not None and missing <= 0:
            return Lost()
        movers = self._description.words("moving.function")
        frames = frames_in(self._session, movers)
        blind = [] if frames else self._blind(movers)
        links: List[int] = []
        for frame in [frame for frame, _ in frames] + blind:
            words = list(self._locals(frame)) + list(self._words(frame))
            for word in dict.fromkeys(words):
                self._follow(nodes, word, seen, links, missing)
                if missing is not None and len(links) == missing:
                    return Lost(_piece(nodes, links))
        if missing is None:
            return Lost(_piece(nodes, links)) if links else Lost()
        if not frames and not self._description.has("moving"):
            return Lost()
        if missing - len(links) <= self.writing() and not blind:
            return Lost(_piece(nodes, links) if links else None)  # counted, and not linked yet
        what = f"{missing} {'entry' if missing == 1 else 'entries'} may be on the way to the new "
        what += "table"
        if frames:
            why = (
                f"{len(links)} were found by what thread {frames[0][0].thread} holds in "
                f"{plain_name(frames[0][0].function)}"
            )
        elif blind:
            why = (
                f"{len(links)} were found by what thread {blind[0].thread} holds; it is in "
                f"{plain_name(blind[0].function)}, and nothing says whether that moves entries"
            )
        else:
            why = "and no thread is seen in what moves them"
        return Lost(None, Problem(f"cannot tell: {what}, {why}", "lost", nodes.owner or None))

    def _blind(self, movers: Sequence[str]) -> List[Frame]:
        """Functions that write to the table, where nothing tells of a function that moves entries
        and that they may call: it has no name in the program, and they no debug information that
        would have it."""
        places = [at for name in movers for at in self._session.target.symbols(name)]
        # a file of types that was given to the debugger may have it, where nothing is
        if not movers or any(self._session.memory.readable(at, 1) for at in places):
            return []
        frames = frames_in(self._session, self._description.writers())
        return [frame for frame, _ in frames if not frame.has_variables]

    def _locals(self, frame: Frame) -> Iterator[int]:
        """What the locals hold that the description names."""
        for name in self._description.words("moving.locals"):
            found = frame.variable(name)
            if found is None:
                continue
            if found.address is not None:
                known = variable(self._session.target, name, ())
                if known is not None and known.address == found.address:
                    continue  # a variable of the program, by the same name
                try:
                    yield self._session.memory.read_word(found.address)
                except MapscopeError:
                    continue
            elif found.data is not None:
                yield int.from_bytes(found.data[:8], "little")

    def _words(self, frame: Frame) -> Iterator[int]:
        """Words in its thread's registers, and on the stack of the frame."""
        for thread in self._session.target.threads():
            if thread.number != frame.thread:
                continue
            registers: Dict[str, int] = thread.registers()
            yield from registers.values()
            low = registers.get("rsp", 0)
            for start in dict.fromkeys((low, frame.sp())):
                for size in (_WORDS, 16):
                    try:
                        raw = self._session.memory.read(start & ~7, 8 * size)
                    except MapscopeError:
                        continue
                    yield from memoryview(raw).cast("Q").tolist()
                    break

    def _follow(
        self, nodes: NodeChains, link: int, seen: Set[int], links: List[int], most: Optional[int]
    ) -> None:
        """A chain, as far as its entries are lost ones."""
        tables = nodes.tables
        for _ in range(_LONGEST if most is None else most + 1):
            if not 4096 <= link < _LIMIT or link % 8 or link in seen or link in links:
                return
            if not self._is_of(nodes, link, tables.index):
                return
            after = nodes.after([link])[0]
            if after is None:
                return
            links.append(link)
            link = after

    def _is_of(self, nodes: NodeChains, link: int, bucket: int) -> bool:
        """Whether there is an entry at an address whose hash belongs to an old bucket."""
        piece = _piece(nodes, [link])
        if isinstance(nodes.keys(piece).value(0, self._session.decoder()), Unreadable):
            return False  # what else lies there may have such a hash by chance
        hashes: List[Optional[int]] = [None]
        if nodes.stores_hashes:
            hashes = nodes.hashes(piece)
        else:
            known, _ = self._hashing()
            data = nodes.keys(piece).data(0)
            if known is not None and data is not None:
                hashes = known.many([data])
        try:
            return hashes[0] is not None and nodes.tables.place(0, hashes[0]) == bucket
        except MapscopeError:
            return False


def _piece(nodes: NodeChains, links: List[int]) -> Piece:
    count = len(links)
    zeros, buckets = [0] * count, [max(nodes.tables.index, 0)] * count
    return Piece(0, buckets, zeros, zeros, links, links, links, links, links)
