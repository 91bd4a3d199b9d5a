# SPDX-License-Identifier: MIT
"""The lives of maps out of the lines of a trace, among whatever else a program prints.

The lines are those of `map trace`, of `map history` and of MAPDEBUG=maptrace=1
(core's maps/event_lines.py). A log may begin late, end early, or have lost lines: what it does not
say is not known, and is never made up.
"""

import re
from dataclasses import field
from typing import IO, Dict, Iterator, List, Optional, Set, Tuple

from mapscope.records import dataclass

#: bytes of a line that are looked at; what is longer is taken apart
_LONGEST = 1 << 16
_EVENT = re.compile(r"map\[0x([0-9a-f]{1,16})\] ")
_NUMBER = r"(\d{1,19})"
_CREATED = re.compile(rf"created with hint {_NUMBER} \((buckets|slots): {_NUMBER}\)")
_GROWS = re.compile(rf"(grows|shrinks) from {_NUMBER} to {_NUMBER} buckets \(entries: {_NUMBER}")
_SAME_SIZE = re.compile(rf"grows same-size at {_NUMBER} buckets")
_FIRST_TABLE = re.compile(rf"grows from a group to a table of {_NUMBER} slots")
_TABLE = re.compile(rf"table {_NUMBER} grows from {_NUMBER} to {_NUMBER} slots")
_SPLIT = re.compile(rf"table {_NUMBER} splits into two of {_NUMBER} slots")
_MOVED = re.compile(
    rf"bucket migration: bkt#{_NUMBER} -> bkt#{_NUMBER}(?:, bkt#{_NUMBER})? "
    rf"\({_NUMBER}(?: \+ {_NUMBER})? keys moved\)"
)
_ENDED = re.compile(
    rf"growth (done|abandoned by clear|abandoned by the end of the map): {_NUMBER} buckets"
)
_CLEARED = re.compile(rf"cleared \(entries: {_NUMBER}\)")
_REBUILD = re.compile(rf"rebuild with hint {_NUMBER} ")
_RACE = re.compile(r"race: (.{1,200})")
_DESTROYED = re.compile(rf"destroyed \(entries: {_NUMBER}\)")

#: slots of a group
_GROUP = 8

#: how a growth ended, where its own line does not say so
UNFINISHED, END_MISSING = "unfinished", "end not in the log"


@dataclass
class Growth:
    """A growth, and the migration that it began.

    :ivar kind: "double", "same-size", "shrink"; "jump": the new array is neither of that; of Swiss
        maps "table", "split", "first table"; "": the log has not its beginning
    :ivar line: where it began, or was met first
    :ivar old: buckets, or slots, before; None: not known
    :ivar entries: with the new one; None: not known
    :ivar moved: old buckets that were migrated
    :ivar end: how it ended; UNFINISHED: it was going on at the log's end
    """

    kind: str
    line: int
    old: Optional[int]
    new: Optional[int]
    entries: Optional[int] = None
    moved: Set[int] = field(default_factory=set)
    keys: int = 0
    end: str = UNFINISHED
    end_line: Optional[int] = None

    @property
    def is_over(self) -> bool:
        """Whether its end is known, or known to be lost."""
        return self.end != UNFINISHED


@dataclass
class Life:
    """One map, from its creation to its end: a later one may have the same address.

    :ivar created: (line, hint, number of buckets or slots, which of both); None: not in the log
    :ivar other: (line, what) of whatever else happened to it
    """

    address: int
    first: int
    last: int = 0
    created: Optional[Tuple[int, int, int, str]] = None
    growths: List[Growth] = field(default_factory=list)
    other: List[Tuple[int, str]] = field(default_factory=list)
    destroyed: Optional[int] = None

    @property
    def current(self) -> Optional[Growth]:
        """The growth that goes on."""
        last = self.growths[-1] if self.growths else None
        return None if last is None or last.is_over else last


@dataclass
class Log:
    """What a log says.

    :ivar lines: that it has
    :ivar events: of maps among them
    :ivar unknown: events that are of no known form
    :ivar lives: in the order of their first events
    """

    lines: int = 0
    events: int = 0
    unknown: int = 0
    lives: List[Life] = field(default_factory=list)


class LogReader:
    """Takes a log in, line by line."""

    def __init__(self) -> None:
        self.log = Log()
        self._current: Dict[int, Life] = {}

    def read(self, file: IO[bytes]) -> Log:
        """All of a file."""
        for line in _lines(file):
            self.log.lines += 1
            self.line(line)
        return self.log

    def line(self, text: str) -> None:
        """One line, in which there may be several events: of two threads, or behind text that
        has no end of its own."""
        starts = list(_EVENT.finditer(text))
        for match, following in zip(starts, [*starts[1:], None]):
            rest = text[match.end() : None if following is None else following.start()]
            self._event(int(match[1], 16), rest)

    def _event(self, address: int, text: str) -> None:
        log = self.log
        log.events += 1
        created = _CREATED.match(text)
        life = self._current.get(address)
        if life is None or created or life.destroyed is not None:
            if life is not None:
                _lose_end(life)
            life = self._current[address] = Life(address, log.lines)
            log.lives.append(life)
        life.last = log.lines
        if created:
            life.created = (log.lines, int(created[1]), int(created[3]), created[2])
        elif not (self._grows(life, text) or self._moves(life, text) or self._else(life, text)):
            log.unknown += 1

    def _grows(self, life: Life, text: str) -> bool:
        line = self.log.lines
        match = _GROWS.match(text)
        if match:
            old, new = int(match[2]), int(match[3])
            kind = "double" if new == 2 * old else "jump"
            if match[1] == "shrinks":
                kind = "shrink" if 2 * new == old else "jump"
            _lose_end(life)
            life.growths.append(Growth(kind, line, old, new, int(match[4])))
            return True
        match = _SAME_SIZE.match(text)
        if match:
            _lose_end(life)
            size = int(match[1])
            life.growths.append(Growth("same-size", line, size, size))
            return True
        # a Swiss table is replaced at once
        for pattern, kind in ((_FIRST_TABLE, "first table"), (_SPLIT, "split"), (_TABLE, "table")):
            match = pattern.match(text)
            if match:
                numbers = [int(text) for text in match.groups()]
                new = numbers[-1]
                old = {"first table": _GROUP, "split": new}.get(kind, numbers[-2:][0])
                if kind == "table" and new != 2 * old:
                    kind = "jump"
                growth = Growth(kind, line, old, new, end="done", end_line=line)
                life.growths.append(growth)
                return True
        return False

    def _moves(self, life: Life, text: str) -> bool:
        line = self.log.lines
        match = _MOVED.match(text)
        if match:
            growth = life.current
            bucket = int(match[1])
            if growth is None:
                old = int(match[3]) - bucket if match[3] else None
                new = 2 * old if old is not None and old > 0 else None
                growth = Growth("", line, old if new else None, new)
                life.growths.append(growth)
            growth.moved.add(bucket)
            growth.keys += int(match[4]) + int(match[5] or 0)
            return True
        match = _ENDED.match(text)
        if match:
            growth = life.current
            if growth is None:
                growth = Growth("", line, None, int(match[2]))
                life.growths.append(growth)
            growth.end, growth.end_line = match[1], line
            return True
        return False

    def _else(self, life: Life, text: str) -> bool:
        line = self.log.lines
        for pattern, what in (
            (_CLEARED, "cleared, {} entries"),
            (_REBUILD, "rebuild with hint {}"),
            (_RACE, "race: {}"),
        ):
            match = pattern.match(text)
            if match:
                life.other.append((line, what.format(match[1])))
                return True
        match = _DESTROYED.match(text)
        if match:
            life.destroyed = line
            _lose_end(life)
            return True
        return False


def _lose_end(life: Life) -> None:
    """Something has happened that cannot be before a growth's end, which the log has not."""
    growth = life.current
    if growth is not None:
        growth.end = END_MISSING


def _lines(file: IO[bytes]) -> Iterator[str]:
    while True:
        raw = file.readline(_LONGEST)
        if not raw:
            return
        yield raw.decode("utf-8", "replace")
