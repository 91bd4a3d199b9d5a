# SPDX-License-Identifier: MIT
"""What many small sync.Maps hold, looked at together: a heap may have tens of thousands.

Only what is whole and plain is told here. Of any other, None is: it is to be opened by itself,
which says what there is to say.
"""

from collections import Counter
from itertools import compress
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

from ...cells.layout import BucketLayout
from ...cells.marks import CELLS, EVACUATED, LIVE
from ...go import layouts
from ...go.size_classes import allocated
from ...program.memory import ADDRESS_LIMIT, Memory
from .sync_types import ReadDirtyLayout, TrieLayout
from .trie_reader import CHILDREN, DEEPEST, children_of, kinds_of

#: bytes of an interface value, which an entry of two maps points at
VALUE_SIZE = 16
#: log2 of the buckets of a map that is looked at together with others, at most
_MOST_B = 4


class Contents(NamedTuple):
    """What one sync.Map is made of.

    :ivar entries: None: not known
    :ivar own: bytes beside its maps; None: not known
    :ivar gone: of these what deleted entries take
    :ivar maps: addresses of its maps
    """

    entries: Optional[int]
    own: Optional[int]
    gone: int
    maps: Sequence[int]


# --- tries ---


def of_trie(nodes: int, entries: int, layout: TrieLayout) -> Contents:
    """A trie of so many nodes with children, and entries: no node of it stays without entries."""
    own = nodes * allocated(layouts.TRIE_INDIRECT.size) + entries * allocated(layout.entry_size)
    return Contents(entries, own, 0, ())


def of_tries(
    memory: Memory, addresses: Sequence[int], layout: TrieLayout
) -> List[Optional[Contents]]:
    """Tries at some addresses.

    :param layout: of all of them
    """
    walk = _Walk(memory, len(addresses))
    roots_at, inited_at = layout.header["root"], layout.header["inited"]
    roots: List[int] = []
    owners: List[int] = []
    for owner, raw in enumerate(memory.gather(addresses, layouts.HASH_TRIE_MAP.size)):
        root = -1 if raw is None else int.from_bytes(raw[roots_at : roots_at + 8], "little")
        if raw is None or root % 8 or int.from_bytes(raw[inited_at : inited_at + 4], "little") > 1:
            walk.odd.add(owner)
        elif root:
            roots.append(root)
            owners.append(owner)
    walk.run(roots, owners)
    return [
        None if owner in walk.odd else of_trie(walk.nodes[owner], walk.entries[owner], layout)
        for owner in range(len(addresses))
    ]


class _Walk:
    """The walk through many tries at once, level by level.

    :ivar odd: those that are to be looked at by themselves
    :ivar nodes: with children, of each
    """

    def __init__(self, memory: Memory, count: int) -> None:
        self.odd: Set[int] = set()
        self.nodes = [0] * count
        self.entries = [0] * count
        self._memory = memory
        self._seen: Set[int] = set()

    def run(self, nodes: List[int], owners: List[int]) -> None:
        """:param owners: of each node, the trie that it is of"""
        for depth in range(DEEPEST + 1):
            nodes, owners = self._sorted_out(nodes, owners, depth)
            if not nodes:
                return
            raws = self._memory.gather(nodes, layouts.TRIE_INDIRECT.size)
            if None in raws:
                self.odd.update(owner for raw, owner in zip(raws, owners) if raw is None)
                owners = list(compress(owners, raws))
            _, children, there = children_of([raw for raw in raws if raw is not None])
            _count(self.nodes, owners)
            nodes = [children[at] for at in there]
            owners = [owners[at // CHILDREN] for at in there]
        self.odd.update(owners)

    def _sorted_out(
        self, nodes: List[int], owners: List[int], depth: int
    ) -> Tuple[List[int], List[int]]:
        """Those that have children; the others are entries, which are counted."""
        before = len(self._seen)
        self._seen.update(nodes)
        raws = self._memory.gather(nodes, 16)
        kinds, behind = kinds_of(raws)
        apart = len(self._seen) == before + len(nodes)
        if not apart or (nodes and not kinds) or any(node % 8 for node in nodes):
            # where one is met again it is not asked which of them has it rightly
            self.odd.update(owners)
            return [], []
        chained = compress(zip(kinds, behind, owners), behind)
        self.odd.update(owner for kind, _, owner in chained if kind)
        if depth == 0:
            self.odd.update(compress(owners, kinds))  # the root is none
        _count(self.entries, compress(owners, kinds))
        inner = [not kind for kind in kinds]
        return list(compress(nodes, inner)), list(compress(owners, inner))


def _count(sums: List[int], owners: Iterable[int]) -> None:
    for owner, number in Counter(owners).items():
        sums[owner] += number


# --- two maps ---


def of_two(entries: int, live: int, gone: int, has_read: bool, maps: Sequence[int]) -> Contents:
    """Two maps.

    :param entries: that Load finds
    :param live: entries with a value, of both maps, each once
    :param gone: deleted ones
    """
    entry = allocated(layouts.SYNC_ENTRY.size)
    own = live * (entry + allocated(VALUE_SIZE)) + gone * entry
    if has_read:
        own += allocated(layouts.SYNC_READ_ONLY.size)
    return Contents(entries, own, gone * entry, maps)


def of_pairs(
    memory: Memory,
    addresses: Sequence[int],
    layout: ReadDirtyLayout,
    buckets: BucketLayout,
    expunged: int,
) -> List[Optional[Contents]]:
    """sync.Maps of two classic maps at some addresses.

    :param layout: of all of them
    :param buckets: of both maps of each
    :param expunged: what expunged entries point at
    """
    heads = memory.gather(addresses, layout.size)
    read_at = layout.read + (8 if layout.value else 0)
    reads = [_word(raw, read_at) for raw in heads]
    dirties = [_word(raw, layout.dirty) for raw in heads]
    if layout.value:
        # of an atomic.Value without a type there is nothing yet; of which type it is, one tells
        kinds = {_word(raw, layout.read) for raw in heads if raw is not None} - {0}
        if len(kinds) > 1:
            return [None] * len(addresses)
        reads = [at if _word(raw, layout.read) else 0 for at, raw in zip(reads, heads)]
    held = _at(memory, reads, layouts.SYNC_READ_ONLY.size)
    maps_at, amended_at = layouts.SYNC_READ_ONLY.at("m"), layouts.SYNC_READ_ONLY.at("amended")
    amended = [_byte(raw, amended_at) if at else 0 for at, raw in zip(reads, held)]
    read_maps = [_word(raw, maps_at) if at else 0 for at, raw in zip(reads, held)]
    entries = _entries_of({*read_maps, *dirties} - {0}, memory, buckets)
    values = _values_of(entries, memory)
    found: List[Optional[Contents]] = []
    for raw, flag, read, dirty in zip(heads, amended, read_maps, dirties):
        busy = raw is None or _word(raw, layout.mu) & layouts.MUTEX_LOCKED
        ours, others = entries.get(read, ()), entries.get(dirty, ())
        if busy or flag > 1 or ours is None or others is None:
            found.append(None)
            continue
        known = set(ours)
        looks = [values[entry] for entry in ours]
        only = [values[entry] for entry in others if entry not in known]
        if None in looks or None in only or any(value in (0, expunged) for value in only):
            found.append(None)  # a dirty map has no deleted entry of its own for long
            continue
        gone = looks.count(0) + looks.count(expunged)
        live = len(looks) - gone
        maps = [map for map in dict.fromkeys((read, dirty)) if map]
        shown = live + (len(only) if flag else 0)
        found.append(of_two(shown, live + len(only), gone, read > 0, maps))
    return found


def _word(raw: Optional[bytes], at: int) -> int:
    return 0 if raw is None else int.from_bytes(raw[at : at + 8], "little")


def _byte(raw: Optional[bytes], at: int) -> int:
    """255: it cannot be read."""
    return 255 if raw is None else raw[at]


def _at(memory: Memory, places: Sequence[int], size: int) -> List[Optional[bytes]]:
    """Memory at some places, of which those that are 0 are none."""
    some = [place for place in places if place]
    pieces = iter(memory.gather(some, size))
    return [next(pieces) if place else None for place in places]


def _entries_of(
    maps: Set[int], memory: Memory, buckets: BucketLayout
) -> Dict[int, Optional[List[int]]]:
    """What the elements of small maps at rest point at; None of a map that is to be looked at by
    itself."""
    found: Dict[int, Optional[List[int]]] = {}
    arrays: List[Tuple[int, int, int, int]] = []
    places = sorted(maps)
    for map, raw in zip(places, memory.gather(places, layouts.HMAP_FIELDS.size)):
        found[map] = None
        if raw is None or map % 8:
            continue
        count, flags, log, _, _, array, old, _ = layouts.HMAP_FIELDS.unpack(raw)
        if old or log > _MOST_B or flags & (layouts.HASH_WRITING | layouts.SAME_SIZE_GROW):
            continue
        if array and array % 8 == 0 and array < ADDRESS_LIMIT:
            arrays.append((map, count, array, buckets.size << log))
        elif not array and not count:
            found[map] = []
    raws = memory.gather_ranges([at for _, _, at, _ in arrays], [size for *_, size in arrays])
    for (map, count, _, _), data in zip(arrays, raws):
        entries = None if data is None else _elements(data, buckets)
        if entries is not None and len(entries) == count and all(entries):
            found[map] = entries
    return found


def _elements(data: bytes, buckets: BucketLayout) -> Optional[List[int]]:
    """The elements of live cells, each a pointer; None: some are elsewhere."""
    found: List[int] = []
    for start in range(0, len(data), buckets.size):
        marks = data[start : start + CELLS]
        if _word(data, start + buckets.overflow) or any(marks.translate(EVACUATED)):
            return None
        first = start + buckets.elems
        found += [
            _word(data, first + cell * buckets.elemsize)
            for cell, live in enumerate(marks.translate(LIVE))
            if live
        ]
    return found


def _values_of(entries: Dict[int, Optional[List[int]]], memory: Memory) -> Dict[int, Optional[int]]:
    """What entries point at; None of one that cannot be read."""
    places = sorted({entry for some in entries.values() for entry in some or ()})
    words = memory.gather(places, layouts.SYNC_ENTRY.size)
    return {
        place: None if word is None else int.from_bytes(word, "little")
        for place, word in zip(places, words)
    }
