# SPDX-License-Identifier: MIT
"""Sums over all maps of a process, by type, by owner, and of what stands out among them."""

import heapq
import math
import re
from dataclasses import field
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from ..maps.on_heap import Alike, HeapMap
from ..records import dataclass

#: cells from which on a map is large, and the share of them below which it is nearly empty
_LARGE, _NEARLY_EMPTY = 1024, 1 / 8
#: maps of one type that are many, and entries up to which a map is small
_MANY, _SMALL = 10000, 8
#: share of a Swiss map's cells that are tombstones, from which on they are told
_TOMBSTONES = 1 / 4
#: candidates for a type that are named
_NAMED = 3
#: maps that are named of each finding
_EXAMPLES = 3

#: what maps can be sorted by
SORTS: Dict[str, Callable[[HeapMap], int]] = {
    "bytes": lambda map: map.bytes or 0,
    "wasted": lambda map: map.wasted or 0,
    "entries": lambda map: map.entries or 0,
    "retained": lambda map: map.retained,
}
_GOROUTINE = re.compile(r" \((?:goroutine|thread) \d+\)")


@dataclass
class Group:
    """Maps that have something in common.

    :ivar unknown: maps among them whose bytes are not known
    :ivar uncounted: maps among them whose entries are not known
    """

    maps: int = 0
    entries: int = 0
    bytes: int = 0
    wasted: int = 0
    retained: int = 0
    unknown: int = 0
    uncounted: int = 0

    def add(self, map: HeapMap, number: int = 1) -> None:
        """Count more, so many of one kind."""
        self.maps += number
        if map.entries is None:
            self.uncounted += number
        self.entries += number * (map.entries or 0)
        self.retained += number * map.retained
        if map.bytes is None or map.wasted is None:
            self.unknown += number
        self.bytes += number * (map.bytes or 0)
        self.wasted += number * (map.wasted or 0)

    def value(self, sort: str) -> int:
        """What it is sorted by."""
        return int(getattr(self, sort))

    def form(self) -> Dict[str, object]:
        """As JSON; sums that lack a map are null."""
        known = not self.unknown
        return {
            "maps": self.maps,
            "count": None if self.uncounted else self.entries,
            "bytes": self.bytes if known else None,
            "wasted": self.wasted if known else None,
            "retained": self.retained,
        }


class Finding(NamedTuple):
    """Something that stands out.

    :ivar code: as JSON has it
    :ivar bytes: that it is about
    :ivar examples: addresses
    """

    code: str
    text: str
    maps: int
    bytes: int
    examples: Tuple[int, ...]


@dataclass
class _Standing:
    """Maps that stand out for one reason."""

    maps: int = 0
    bytes: int = 0
    largest: List[Tuple[int, int]] = field(default_factory=list)

    def add(self, addresses: Sequence[int], bytes: int) -> None:
        """Count more.

        :param bytes: of each
        """
        self.maps += len(addresses)
        self.bytes += len(addresses) * bytes
        for address in addresses[-_EXAMPLES:]:
            item = (bytes, address)
            if len(self.largest) < _EXAMPLES:
                heapq.heappush(self.largest, item)
            else:
                heapq.heappushpop(self.largest, item)

    def examples(self) -> Tuple[int, ...]:
        return tuple(address for _, address in sorted(self.largest, reverse=True))


def type_text(map: HeapMap) -> str:
    """A map's type, or what it may be."""
    if map.type is not None:
        return map.type
    if not map.candidates:
        return "?"
    more = len(map.candidates) - _NAMED
    text = "one of " + ", ".join(map.candidates[:_NAMED])
    return f"{text} and {more} more" if more > 0 else text


def owner_text(map: HeapMap) -> str:
    """Who owns a map, as groups are named."""
    if map.owner:
        return _GOROUTINE.sub("", map.owner)
    return "(nothing refers to them)" if map.garbage else "?"


class Totals:
    """Takes every map once, or all that are alike.

    :param by: "map", "type" or "owner"
    """

    def __init__(self, by: str = "map") -> None:
        self.all = Group()
        self.garbage = Group()
        self.certain = self.with_candidates = self.growing = 0
        self.groups: Dict[str, Group] = {}
        self._group_of = {"type": type_text, "owner": owner_text}.get(by)
        self._small: Dict[str, Group] = {}
        self._standing: Dict[str, _Standing] = {}

    def add(self, map: HeapMap) -> None:
        """Count one map."""
        self.add_alike(Alike(map, (map.address,)))

    def add_alike(self, alike: Alike) -> None:
        """Count all maps of one kind."""
        map, number = alike.map, len(alike.addresses)
        self.all.add(map, number)
        if map.garbage:
            self.garbage.add(map, number)
        if map.type is not None:
            self.certain += number
        elif map.candidates:
            self.with_candidates += number
        if map.growing is not None:
            self.growing += number
            self._stands("migration", alike, map.retained)
        if self._group_of is not None:
            self.groups.setdefault(self._group_of(map), Group()).add(map, number)
        if map.entries is None:
            return
        if map.entries <= _SMALL:
            self._small.setdefault(type_text(map), Group()).add(map, number)
        elif map.growing is None and map.buckets:
            self._look_at_chains(alike)
        if map.capacity >= _LARGE:
            self._look_at_fill(alike)

    def _stands(self, code: str, alike: Alike, bytes: int) -> None:
        self._standing.setdefault(code, _Standing()).add(alike.addresses, bytes)

    def _look_at_fill(self, alike: Alike) -> None:
        map = alike.map
        if (map.entries or 0) < map.capacity * _NEARLY_EMPTY:
            self._stands("emptied", alike, map.wasted or 0)

    def _look_at_chains(self, alike: Alike) -> None:
        map = alike.map
        if not map.overflow or map.entries is None:
            return
        if map.tombstones:
            if map.overflow >= map.capacity * _TOMBSTONES:
                self._stands("tombstones", alike, map.wasted or 0)
            return
        # overflow buckets that random hashes give, and that Go tidies up at (tooManyOverflow)
        if map.overflow > 4 * expected_overflow(map.entries, map.buckets) + 16:
            code = "overflow" if map.entries < 4 * map.buckets else "chains"
            self._stands(code, alike, map.wasted or 0)

    def findings(self) -> List[Finding]:
        """What stands out, by the bytes that it is about."""
        found: List[Finding] = []
        for code, standing in self._standing.items():
            text = _TEXTS[code].format(
                n=standing.maps, maps="map" if standing.maps == 1 else "maps"
            )
            found.append(Finding(code, text, standing.maps, standing.bytes, standing.examples()))
        for name, group in self._small.items():
            if group.maps >= _MANY:
                each = group.bytes // group.maps
                text = (
                    f"{group.maps} small maps of type {name}, {each} bytes each, with "
                    f"{group.entries / group.maps:.2g} entries on average"
                )
                found.append(Finding("small", text, group.maps, group.bytes, ()))
        found.sort(key=lambda finding: (-finding.bytes, finding.code))
        return found

    def form(self) -> Dict[str, object]:
        """As JSON."""
        return {
            **self.all.form(),
            "growing": self.growing,
            "types": {
                "certain": self.certain,
                "candidates": self.with_candidates,
                "unknown": self.all.maps - self.certain - self.with_candidates,
            },
            "garbage": self.garbage.form(),
        }

    def sorted(self, sort: str) -> List[Tuple[str, Group]]:
        """Groups, the largest first."""
        return sorted(self.groups.items(), key=lambda item: (-item[1].value(sort), item[0]))


_TEXTS = {
    "migration": "{n} {maps} in mid-migration: the old arrays stay until the maps are written to",
    "emptied": "{n} large {maps} with fewer than one cell in eight used: only a new map gives the "
    "memory back",
    "tombstones": "{n} {maps} with a quarter or more of the cells lost to deleted entries",
    "overflow": "{n} {maps} with many overflow buckets for few entries: a new map ends that",
    "chains": "{n} {maps} with longer chains than random hashes give: look at the keys' hashes",
}


def expected_overflow(entries: int, buckets: int) -> float:
    """Overflow buckets of 8 cells that random hashes give, on average."""
    mean = entries / buckets
    total, probability = 0.0, math.exp(-mean) if mean < 500 else 0.0
    for number in range(1, 64):
        probability *= mean / number
        if number > 8:
            total += probability * math.ceil((number - 8) / 8)
    return buckets * total


def largest(maps: Iterable[HeapMap], sort: str, limit: Optional[int]) -> List[HeapMap]:
    """Maps, the largest first.

    :param limit: how many; None: all
    """
    key = SORTS[sort]
    if limit is None:
        return sorted(maps, key=lambda map: (-key(map), map.address))
    return heapq.nsmallest(limit, maps, key=lambda map: (-key(map), map.address))


def largest_alike(found: Iterable[Alike], sort: str, limit: Optional[int]) -> List[Alike]:
    """Kinds of maps, the largest first, among which so many of the largest maps are.

    :param limit: how many; None: all
    """
    key = SORTS[sort]
    ordered = sorted(found, key=lambda alike: -key(alike.map))
    if limit is None:
        return ordered
    number, last = 0, 0
    for at, alike in enumerate(ordered):
        # of those that are as large as the last one, the addresses decide
        if number >= limit and key(alike.map) != last:
            return ordered[:at]
        number, last = number + len(alike.addresses), key(alike.map)
    return ordered


def rows_of(found: Iterable[Alike], sort: str, limit: Optional[int]) -> List[HeapMap]:
    """The same maps, each by itself, the largest first."""
    maps = (
        map
        for alike in largest_alike(found, sort, limit)
        for map in Alike(alike.map, alike.addresses[:limit]).maps()
    )
    return largest(maps, sort, limit)
