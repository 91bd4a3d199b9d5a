# SPDX-License-Identifier: MIT
"""How much memory each map of a Go heap holds, and how much of it a fresh one would not.

Sizes are those of the heap's objects, as the allocator has rounded them. Facts: runtime/map.go
(makeBucketArray, mapextra), internal/runtime/maps (NewMap, newTable) of Go 1.17 to 1.27.
"""

import struct
from functools import lru_cache
from typing import Dict, List, NamedTuple, Optional, Sequence

from ...go import layouts
from ...go.size_classes import allocated
from ...go.heap_spans import GoHeap
from .heap_headers import Header
from .map_types import MapType
from .references import tables_of

_CELLS = layouts.CELLS
#: most entries of a group of a table (maxAvgGroupLoad)
_FULL_GROUP = 7
#: maps whose tables are read together
_TOGETHER = 1 << 14


class Size(NamedTuple):
    """Of one map, in bytes.

    :ivar total: and wasted: None where something of it could not be read
    :ivar capacity: cells
    :ivar overflow: overflow buckets; Swiss: tombstones
    :ivar buckets: or groups
    """

    total: Optional[int]
    wasted: Optional[int]
    retained: int
    capacity: int
    overflow: int
    buckets: int


class Sizes:
    """Measures maps."""

    def __init__(self, heap: GoHeap, swiss: bool) -> None:
        self._heap = heap
        self._swiss = swiss
        self._minor = heap.minor
        self._own = allocated(
            (layouts.swiss_map(heap.minor) if swiss else layouts.hmap(heap.minor)).size
        )

    def measure(self, headers: Sequence[Header], types: Sequence[Optional[MapType]]) -> List[Size]:
        """Of each, in their order.

        :param types: of each; None: not known
        """
        result: List[Size] = []
        for first in range(0, len(headers), _TOGETHER):
            some = headers[first : first + _TOGETHER]
            typed = types[first : first + _TOGETHER]
            if self._swiss:
                result += self._swiss_sizes(some, typed)
            else:
                result += [self._classic(header, type) for header, type in zip(some, typed)]
        return result

    def _object(self, address: int) -> int:
        """Bytes of the object at an address; 0: there is none."""
        if not address:
            return 0
        span = self._heap.span_of(address)
        return 0 if span is None else span.elemsize

    # --- classic ---

    def _classic(self, header: Header, type: Optional[MapType]) -> Size:
        buckets = 1 << header.log if header.data else 0
        held = self._object(header.data)
        old = self._object(header.old)
        total = self._own + held + old
        bucket = self._bucket_size(type, held, header.log)
        each = allocated(bucket) if bucket else 0
        extra = self._extra(header)
        total += extra.own
        total += max(0, header.noverflow - extra.spare_used(header, bucket)) * each
        indirect = _indirect(type) * header.entries
        fresh = self._own
        fresh += _fresh_classic(self._minor, header.entries, bucket, self._before(header.data))
        return Size(
            total + indirect if extra.known else None,
            max(0, total - fresh) if extra.known else None,
            old,
            buckets * _CELLS,
            header.noverflow,
            buckets,
        )

    @staticmethod
    def _bucket_size(type: Optional[MapType], held: int, log: int) -> int:
        if type is not None:
            return type.layout.size
        # the array has been rounded up to a size class
        count = (1 << log) + (1 << log >> 4 if log >= 4 else 0)
        return held // count // 8 * 8

    def _extra(self, header: Header) -> "_Extra":
        """What hangs on a map's mapextra."""
        if not header.extra:
            return _Extra(0, 0, True)
        raw = self._heap.memory.gather([header.extra], layouts.MAPEXTRA.size)[0]
        if raw is None:
            return _Extra(0, 0, False)
        overflow, old, following = struct.unpack("<QQQ", raw)
        own = allocated(layouts.MAPEXTRA.size)
        known = True
        for pointer in (overflow, old):  # *[]*bmap, of buckets that have no pointers
            if pointer:
                own += self._object(pointer)
                slice = self._heap.memory.gather([pointer], 8)[0]
                known &= slice is not None
                own += self._object(int.from_bytes(slice or b"", "little"))
        return _Extra(own, following, known)

    # --- Swiss ---

    def _swiss_sizes(
        self, headers: Sequence[Header], types: Sequence[Optional[MapType]]
    ) -> List[Size]:
        large = [header for header in headers if header.log and header.data]
        tables = self._tables(large)
        result: List[Size] = []
        for header, type in zip(headers, types):
            indirect = _indirect(type) * header.entries
            if not header.log or not header.data:
                held = self._object(header.data)
                total = self._own + held
                fresh = self._own + (held if header.entries else 0)
                groups = 1 if header.data else 0
                result.append(Size(total + indirect, total - fresh, 0, groups * _CELLS, 0, groups))
                continue
            found = tables.get(header.address, _NO_TABLES)
            total = self._own + self._object(header.data) + found.held
            size = found.size if type is None else type.layout.size
            fresh = self._own + _fresh_swiss(header.entries, size, found.header)
            result.append(
                Size(
                    total + indirect if found.known else None,
                    max(0, total - fresh) if found.known else None,
                    0,
                    found.groups * _CELLS,
                    found.tombstones,
                    found.groups,
                )
            )
        return result

    def _tables(self, headers: Sequence[Header]) -> Dict[int, "_Tables"]:
        """What each map's tables hold, by the map's address."""
        result: Dict[int, _Tables] = {}
        table_size = allocated(layouts.TABLE.size)
        for header in headers:
            held = groups = tombstones = size = before = 0
            known = False
            for pieces in tables_of(self._heap.memory, [header]):
                known = bool(pieces) and None not in pieces
                for raw in pieces:
                    if raw is None:
                        continue
                    used, capacity, left, _, _, data, mask = layouts.TABLE_FIELDS.unpack(raw)
                    span = self._heap.span_of(data)
                    each = 0 if span is None else span.elemsize
                    known &= span is not None
                    before = self._before(data)
                    held += table_size + each
                    groups += mask + 1
                    size = (each - before) // (mask + 1) // 8 * 8
                    most = capacity * _FULL_GROUP // _CELLS if capacity > _CELLS else _FULL_GROUP
                    tombstones += max(0, most - used - left)
            result[header.address] = _Tables(held, groups, tombstones, size, before, known)
        return result

    def _before(self, address: int) -> int:
        """Bytes that arrays of such a type have before them, if they are not small."""
        span = self._heap.span_of(address)
        return 8 if self._minor >= 22 and span is not None and not span.noscan else 0


class _Tables(NamedTuple):
    """The tables of a Swiss map.

    :ivar held: bytes
    :ivar size: bytes of a group, as far as the size of an object tells
    :ivar header: bytes before an array of groups that is not small
    :ivar known: whether all of them could be read
    """

    held: int
    groups: int
    tombstones: int
    size: int
    header: int
    known: bool


_NO_TABLES = _Tables(0, 0, 0, 0, 0, False)


class _Extra(NamedTuple):
    """What hangs on a mapextra.

    :ivar own: bytes
    :ivar following: the next spare overflow bucket; 0: none is left, or there never were
    :ivar known: whether all of it could be read
    """

    own: int
    following: int
    known: bool

    def spare_used(self, header: Header, bucket: int) -> int:
        """How many overflow buckets lie within the array itself."""
        if header.log < 4 or not bucket:
            return 0
        spares = 1 << header.log >> 4
        if not self.following:
            return spares
        used = (self.following - header.data) // bucket - (1 << header.log)
        return used if 0 <= used <= header.noverflow else 0


def _indirect(type: Optional[MapType]) -> int:
    """Bytes that each entry of a type has outside of the arrays."""
    if type is None:
        return 0
    size = allocated(type.key.size) if type.layout.indirect_key else 0
    return size + (allocated(type.elem.size) if type.layout.indirect_elem else 0)


def _array(size: int, header: int) -> int:
    """Bytes that the allocator sets aside for an array."""
    return allocated(size + header if 512 < size <= 32760 else size)


@lru_cache(maxsize=4096)
def _fresh_classic(minor: int, entries: int, bucket: int, header: int) -> int:
    """Bytes of the array that make(map[K]V, entries) allocates."""
    if not entries:
        return 0
    B = 0
    while entries > layouts.load_limit(minor, B):
        B += 1
    count = (1 << B) + (1 << B >> 4 if B >= 4 else 0)
    return _array(bucket * count, header)


@lru_cache(maxsize=4096)
def _fresh_swiss(entries: int, group: int, header: int) -> int:
    """Bytes of directory, tables and groups that make(map[K]V, entries) allocates."""
    if not entries:
        return 0
    if entries <= _CELLS:
        return _array(group, header)
    slots = entries * _CELLS // _FULL_GROUP
    tables = 1 << (-(-slots // layouts.MAX_TABLE_CAPACITY) - 1).bit_length()
    capacity = 1 << (max(slots // tables, _CELLS) - 1).bit_length()
    each = _array(group * (capacity // _CELLS), header) + allocated(layouts.TABLE.size)
    return _array(8 * tables, header) + tables * each
