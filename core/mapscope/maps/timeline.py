# SPDX-License-Identifier: MIT
"""What happens to maps, as a timeline for Perfetto: a track for each map and for each thread.

A map's track has its migrations as slices, what else happens to it as instants, and counters of
its entries and of the bytes of its bucket arrays beneath it.
"""

from typing import IO, Callable, Dict, Optional

from ..program.values import escape
from ..records import dataclass
from .event_lines import CREATED, DESTROYED, DONE, GROW, MOVED, EventLine
from .perfetto import BYTES, COUNT, PerfettoFile

#: maps and threads that are remembered; those that were met first are forgotten
_MOST = 1 << 16


@dataclass(frozen=True)
class About:
    """A map's type, and the bytes of a bucket; None: not known."""

    type_name: Optional[str] = None
    bucket_bytes: Optional[int] = None


@dataclass
class _Life:
    """A map, from its creation or from when it was met to its end.

    :ivar entries: the counter's track, and `bytes` that of the arrays; 0: it has none yet
    :ivar shown: the newest values of both; None: none
    """

    track: int
    about: About
    migrating: bool = False
    entries: int = 0
    bytes: int = 0
    shown_entries: Optional[int] = None
    shown_bytes: Optional[int] = None


class Timeline:
    """Writes a timeline, event by event; times are nanoseconds since 1970."""

    def __init__(self, file: IO[bytes], now: int) -> None:
        """:param file: is closed in the end, and complete after each event"""
        self._file = PerfettoFile(file, now)
        self._maps_track = self._file.track("maps")
        self._threads_track = self._file.track("threads")
        self._lives: Dict[int, _Life] = {}
        self._threads: Dict[str, int] = {}
        self._newest = 0

    def add(
        self,
        line: str,
        time: int,
        thread: Optional[str] = None,
        about: Callable[[], About] = About,
        entries: Optional[int] = None,
    ) -> None:
        """An event.

        :param thread: who did it; None: not known
        :param about: tells of the map, and is asked when it is met
        :param entries: of the map then, where they are known better than the line tells
        """
        time = self._newest = max(time, self._newest)  # clocks of processors may differ a bit
        if not isinstance(line, EventLine):
            self._file.instant(self._maps_track, time, line)
            return
        if line.event == CREATED:
            self._forget(line.address, time)
        life = self._life(line.address, about)
        self._draw(life, line, time)
        if thread is not None:
            self._file.instant(self._thread(thread), time, _short(line), line)
        self._count(life, line, time, entries)
        if line.event == DESTROYED:
            self._forget(line.address, time)

    def stopped(self, text: str, time: int, thread: str, address: Optional[int]) -> None:
        """The program has come to a stop.

        :param address: of the map that it is at; None: not known
        """
        time = self._newest = max(time, self._newest)
        self._file.instant(self._thread(thread), time, text)
        life = None if address is None else self._lives.get(address)
        if life is not None:
            self._file.instant(life.track, time, text)

    def process_ended(self, time: int) -> None:
        """The process is gone: the next one has other maps and threads."""
        time = max(time, self._newest)
        if self._lives or self._threads:
            self._file.instant(self._maps_track, time, "the process has ended")
        for address in list(self._lives):
            self._forget(address, time)
        self._threads.clear()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _life(self, address: int, about: Callable[[], About]) -> _Life:
        known = self._lives.get(address)
        if known is None:
            if len(self._lives) >= _MOST:
                del self._lives[next(iter(self._lives))]
            told = about()
            name = "map" if told.type_name is None else escape(told.type_name)
            track = self._file.track(f"{name} {address:#x}", self._maps_track)
            known = self._lives[address] = _Life(track, told)
        elif known.about == About():
            known.about = about()  # a later event may tell
        return known

    def _thread(self, name: str) -> int:
        if name not in self._threads:
            if len(self._threads) >= _MOST:
                del self._threads[next(iter(self._threads))]
            self._threads[name] = self._file.track(name, self._threads_track)
        return self._threads[name]

    def _forget(self, address: int, time: int) -> None:
        """The map is gone; one that gets its address is another."""
        life = self._lives.pop(address, None)
        if life is not None and life.migrating:
            self._file.end(life.track, time)

    def _draw(self, life: _Life, line: EventLine, time: int) -> None:
        file = self._file
        if line.event == GROW:
            if life.migrating:
                file.end(life.track, time)  # its end was not told
            file.begin(life.track, time, _short(line), line)
            life.migrating = True
            return
        if line.event == MOVED and not life.migrating:
            sizes = "" if line.old is None else f" of {line.old} buckets"
            file.begin(life.track, time, f"migration{sizes}, begun before", line)
            life.migrating = True
        file.instant(life.track, time, _short(line), line)
        if line.event == DONE and life.migrating:
            file.end(life.track, time)
            life.migrating = False

    def _count(self, life: _Life, line: EventLine, time: int, entries: Optional[int]) -> None:
        file = self._file
        entries = line.entries if line.entries is not None else entries
        if entries is not None and entries != life.shown_entries:
            life.entries = life.entries or file.track("entries", life.track, COUNT)
            file.count(life.entries, time, entries)
            life.shown_entries = entries
        size = life.about.bucket_bytes
        if line.event == DESTROYED:
            total: Optional[int] = 0 if life.bytes else None
        elif size is None or line.buckets is None:
            total = None
        else:
            total = size * (line.buckets + (line.old or 0))
        if total is not None and total != life.shown_bytes:
            life.bytes = life.bytes or file.track("bytes of bucket arrays", life.track, BYTES)
            file.count(life.bytes, time, total)
            life.shown_bytes = total


def thread_name(number: int, kernel: Optional[int]) -> str:
    """A thread's track.

    :param number: the debugger's own
    :param kernel: the kernel's id; None: not known
    """
    return f"thread {number}" if kernel is None else f"thread {number} ({kernel})"


def _short(line: EventLine) -> str:
    """An event without what differs each time."""
    return line.said.partition(" (")[0]
