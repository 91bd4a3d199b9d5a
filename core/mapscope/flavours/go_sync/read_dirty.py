# SPDX-License-Identifier: MIT
"""A sync.Map of two maps: what commands ask of it.

Its read map is never written to once it is in place: a lookup takes no lock for it. The dirty one
has all keys that are not deleted, those of the read map too, and is written under the lock. Both
lead to the same *entry for a key, which leads to the value, or is nil for a deleted key, or marks
one as expunged that the dirty map does not have. A lookup asks the read map first; if the key is
not there, and that map says that it is amended, the dirty one.
"""

from typing import Iterator, Optional

from ...errors import UsageError
from ...go import layouts
from ...maps.batches import EntryBatch
from ...maps.facts import Chain, Distribution, Growth, Held, Histogram, Summary
from ...maps.found import Found, KeyTest
from ...maps.problems import is_cut_short
from ...maps.progress import Progress, no_progress
from ...maps.report import Report
from ...maps.view import MapView
from ...program.memory import Memory
from ...program.types import Type
from ...program.values import escape
from .read_dirty_check import check_read_dirty
from .read_dirty_lookup import find_in
from .same_text import with_note
from .sync_facts import HalfFacts, ReadDirtyFacts
from .two_maps import VALUE_SIZE, State, TwoMaps

NAME = "go-sync-map"
#: that a program can have counted
_MOST_MISSES = 1 << 32


class ReadDirtyMap(MapView):
    """A sync.Map of two maps.

    :param key: the type of keys, and of values
    :param size: of the sync.Map itself
    :ivar maps: its two maps
    :ivar read_at: where the word is that leads to the read map
    :ivar receiver: what its methods are given
    """

    unit = "map"
    cells = "entries"
    has_overflow = False
    is_part = True

    def __init__(
        self,
        memory: Memory,
        address: int,
        type_name: str,
        key: Type,
        maps: TwoMaps,
        size: int,
        read_at: int,
    ) -> None:
        super().__init__(memory, address, type_name, key, key)
        self.maps = maps
        self.read_at = read_at
        self.receiver = address
        self._size = size
        maps.problems = self.problems
        self.made_of = [half for _, half in maps.maps()]

    @property
    def is_impossible(self) -> bool:
        """Whether there is nothing of a sync.Map in what lies there."""
        parts = len(set(self.maps.unread)) + (not 0 <= self.maps.misses < _MOST_MISSES)
        return parts > 1

    def headline(self) -> str:
        return f"{escape(self.type_name)} with {self.count_text()} entries"

    @property
    def known_count(self) -> Optional[int]:
        return None if self._is_cut() else self.count

    def _is_cut(self) -> bool:
        self.maps.tally()
        return is_cut_short(self.problems)

    # --- figures ---

    @property
    def count(self) -> int:
        """Entries that Load finds."""
        tally = self.maps.tally()
        return tally.of("read", State.LIVE) + (tally.only if self.maps.looks_in_dirty else 0)

    def facts(self) -> ReadDirtyFacts:
        maps, tally = self.maps, self.maps.tally()
        flags = ["amended"] if maps.amended else []
        flags += ["locked"] if maps.locked else []
        halves = {name: self._half(name, half) for name, half in maps.maps()}
        left: Optional[int] = None
        if maps.amended and maps.dirty is not None and not maps.same:
            left = max(1, maps.dirty.count - maps.misses)
        return ReadDirtyFacts(
            flags,
            0,
            self._buckets(),
            None,
            None,
            None,
            self.count,
            halves.get("read"),
            halves.get("dirty"),
            tuple(maps.unread),
            maps.amended,
            maps.same,
            maps.misses,
            left,
            maps.locked,
            tally.of("dirty", State.PENDING),
            self._is_cut(),
        )

    def _half(self, name: str, half: MapView) -> HalfFacts:
        tally = self.maps.tally()
        return HalfFacts(
            half.address or 0,
            half.type_name,
            half.count,
            tally.of(name, State.LIVE),
            tally.of(name, State.DELETED),
            tally.of(name, State.EXPUNGED),
            tally.only if name == "dirty" else None,
        )

    def _buckets(self) -> Optional[int]:
        """Of both maps."""
        found = [half.facts().buckets for _, half in self.maps.maps()]
        known = [buckets for buckets in found if buckets is not None]
        whole = len(known) == len(found) and not self.maps.unread
        return sum(known) if whole else None

    def growth(self) -> Optional[Growth]:
        return None  # of its maps each grows by itself

    def progress(self) -> Optional[float]:
        return None

    def overflow_in_use(self) -> Optional[int]:
        return None

    def load_factor(self) -> Optional[float]:
        return None

    def held(self) -> Optional[Held]:
        """The sync.Map, its maps, and what their entries are allocated in."""
        found = [half.held() for _, half in self.maps.maps()]
        known = [held for held in found if held is not None]
        if len(known) < len(found) or self._is_cut():
            return None
        tally = self.maps.tally()
        live = tally.of("read", State.LIVE) + tally.only
        entries = live + tally.of("read", State.DELETED) + tally.of("read", State.EXPUNGED)
        read_only = layouts.SYNC_READ_ONLY.size if self.maps.read is not None else 0
        nodes = entries * layouts.SYNC_ENTRY.size + live * VALUE_SIZE
        return Held(
            sum(held.buckets for held in known),
            sum(held.old for held in known),
            sum(held.overflow for held in known),
            self._size + read_only + sum(held.header for held in known),
            sum(held.retired for held in known),
            sum(held.indirect for held in known),
            nodes,
        )

    # --- commands ---

    def summary(self, progress: Progress = no_progress) -> Summary:
        self.maps.tally(progress)
        return Summary(held=self.held())

    def distribution(self, progress: Progress = no_progress) -> Distribution:
        self.maps.tally(progress)
        held = self.held()
        own = []
        for name, half in self.maps.maps():
            found = half.distribution(progress)
            title = f"entries per {found.unit} of the {name} map"
            own.append(Histogram(f"{name}_cells", title, found.cells))
            if found.chains:
                title = f"buckets per chain of the {name} map"
                own.append(Histogram(f"{name}_chains", title, found.chains))
        cut = self._is_cut()
        used = self.count * 2 * VALUE_SIZE
        return Distribution(
            cells={},
            chains={},
            old_cells={},
            old_chains={},
            entries=None if cut else self.count,
            uniformity=None,
            held=held,
            bytes_used=None if cut else used,
            bytes_rebuilt=None if held is None else self._rebuilt(held.total),
            unit=self.unit,
            read=(len(own), None) if cut else None,
            own=tuple(own),
        )

    def _rebuilt(self, total: int) -> int:
        """What one would hold, about, that has the same entries in a read map alone."""
        tally, maps = self.maps.tally(), self.maps.maps()
        sizes = [held.total for held in (half.held() for _, half in maps) if held is not None]
        gone = tally.of("read", State.DELETED) + tally.of("read", State.EXPUNGED)
        less = min(sizes) if len(sizes) > 1 else 0
        return total - less - gone * layouts.SYNC_ENTRY.size

    def entries(self, progress: Progress = no_progress) -> Iterator[EntryBatch]:
        """What Load finds at this moment, each entry once."""
        key, _ = self.types()
        for part in self.maps.seen(progress):
            batch = self.maps.live(part, key)
            if batch is not None:
                yield batch

    def chain(self, index: int, old: bool) -> Chain:
        named = [
            f"{half.address or 0:#x} --type '{escape(half.type_name)}'"
            for _, half in self.maps.maps()
        ]
        hint = f": name one of its maps, {' or '.join(named)}" if named else ", and no maps yet"
        raise UsageError(f"a sync.Map has no buckets of its own{hint}")

    def find(self, test: KeyTest) -> Found:
        return with_note(self, test, find_in(self, self.maps, test))

    def check(self, report: Report, progress: Progress = no_progress) -> None:
        check_read_dirty(self, self.maps, report, progress)
