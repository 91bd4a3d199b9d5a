# SPDX-License-Identifier: MIT
"""Rows of sync.Maps in `map heap`: what they are made of adds up, what cannot be told is null."""

from typing import Any, Dict, Iterable, List, Optional, Set, Tuple

import pytest
from image import NOWHERE, Image, words
from test_go_sync import CHILDREN, Trie, filled, first_entry

from mapscope.cells.layout import BucketLayout
from mapscope.errors import Corrupt, MapscopeError
from mapscope.flavours.go_sync.go_sync_maps import GoTrieMaps
from mapscope.flavours.go_sync.many_maps import Contents, of_pairs, of_trie, of_tries
from mapscope.flavours.go_sync.sync_heap import GoSyncHeapView
from mapscope.flavours.go_sync.sync_types import ReadDirtyLayout, TrieLayout, trie_layout
from mapscope.flavours.go_sync.trie_map import TrieMap
from mapscope.go import layouts
from mapscope.maps.on_heap import HeapMap
from mapscope.maps.progress import no_progress
from mapscope.program.memory import Memory
from mapscope.program.types import Kind, Type
from mapscope.session import Session

SYNC = Type(Kind.STRUCT, "sync.Map", 48)


class FakeHeap:
    """A heap that leads to a trie."""

    def __init__(self, trie: Trie, places: int = 1) -> None:
        self.session = Session(trie.target)
        self.steps: Dict[str, Tuple[str, ...]] = {}
        self.followed = True
        self._places = [(trie.address + 4096 * at, SYNC, f"main.m{at}") for at in range(places)]

    def parts(self) -> List[Tuple[int, Type, str]]:
        return self._places

    def rows_at(self, addresses: Iterable[int]) -> Dict[int, HeapMap]:
        assert not list(addresses)
        return {}

    def leave_out(self, addresses: Set[int]) -> None:
        assert not addresses


def looked(trie: Trie, places: int = 1, error: Optional[BaseException] = None) -> GoSyncHeapView:
    def open(session: Session, address: int, type: Optional[Type]) -> Any:
        if address != trie.address:
            raise error or Corrupt("no sync.Map")
        return GoTrieMaps().from_variable(session, trie.target.variables["m"])

    heap: Any = FakeHeap(trie, places)
    return GoSyncHeapView(
        heap, "go-sync-trie", open, lambda *given: [None] * len(given[1]), no_progress
    )


def test_a_trie_is_its_nodes_and_entries() -> None:
    view = looked(filled(60))
    (row,) = view.maps()
    nodes, rest = divmod((row.bytes or 0) - 60 * 32, 160)
    assert nodes > 1 and not rest and (row.entries, row.wasted, row.owner) == (60, 0, "main.m0")
    assert (row.fill, row.garbage, view.notes, view.complete) == (None, False, [], True)


def test_what_is_damaged_is_not_counted() -> None:
    trie = filled(30)
    slot, _ = first_entry(trie)
    assert slot >= trie.root + CHILDREN
    trie.image.write_word(slot, NOWHERE)
    view = looked(trie, 6)
    rows = list(view.maps())
    assert len(rows) == len(view) == 6 and all(view.has(row.address) for row in rows)
    assert {(row.entries, row.bytes, row.wasted) for row in rows} == {(None, None, None)}
    (note,) = view.notes
    assert note.startswith(f"cannot tell all of what is in the sync.Map at {trie.address:#x}: ")
    assert note.endswith("no sync.Map, and of 3 more")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MapscopeError("no")])
def test_an_interrupt_leaves_what_was_found(error: BaseException) -> None:
    view = looked(filled(3), 2, error)
    stopped = isinstance(error, KeyboardInterrupt)
    assert view.interrupted is stopped and view.complete is not stopped
    expected: List[Optional[int]] = [3] if stopped else [3, None]
    assert [row.entries for row in view.maps()] == expected


def read_one(trie: Trie, layout: TrieLayout) -> Optional[Contents]:
    """What is told of a trie by itself; None: not all of it can be."""
    view = GoTrieMaps().from_variable(Session(trie.target), trie.target.variables["m"])
    assert isinstance(view, TrieMap)
    entries = view.known_count
    return None if entries is None else of_trie(len(view.walk().nodes), entries, layout)


def test_many_tries_are_told_as_each() -> None:
    trie = Trie()
    tries: List[Tuple[int, Optional[Contents]]] = []
    layout, _ = trie_layout(Session(trie.target), trie.target.variables["m"].type)
    for count in (0, 1, 2, 16, 70, 3, 40, 41, 42, 43):
        if count:
            trie.init()
            for key in range(count):
                trie.put(key, key)
        if count == 41:  # an entry that cannot be read
            trie.image.write_word(first_entry(trie)[0], NOWHERE)
        elif count == 42:  # one that is there twice
            places = [trie.slot(key)[0] for key in (1, 2)]
            trie.image.write_word(places[0], trie.image.word(places[1]))
        elif count == 43:
            trie.image.write_word(trie.address + 16, trie.root + 4)
        place = trie.image.place(trie.image.read(trie.address, 48))
        tries.append((place, read_one(trie, layout)))
    places = [place for place, _ in tries] + [NOWHERE]
    # where one meets what another has, too, both are left to be looked at by themselves
    choices: List[List[int]] = [places, places[:2], places[5:7], places[-1:], []]
    for some in choices:
        found = of_tries(Session(trie.target).memory, some, layout)
        expected = [dict(tries).get(place) for place in some]
        assert found == expected or (len(some) > 6 and told(found, expected))
    sizes = [contents and contents.entries for _, contents in tries]
    assert sizes == [0, 1, 2, 16, 70, 3, 40, None, None, None]


def told(found: List[Optional[Contents]], expected: List[Optional[Contents]]) -> bool:
    """Whether nothing is told that is wrong, and of nearly all something."""
    assert all(one in (None, other) for one, other in zip(found, expected))
    return sum(one is not None for one in found) >= 1


#: a sync.Map of Go 1.23 with its entries' states: of the read map, then of the dirty one alone
EXPUNGED = 0xDEAD0
ENTRY_BUCKET = BucketLayout(208, 8, 136, 200, 16, 8)


class PairsOfMaps:
    """sync.Maps of two classic maps."""

    def __init__(self) -> None:
        self.image = Image()
        self.layout = ReadDirtyLayout(0, 8, 16, 24, 32, False)

    def entry(self, value: int) -> int:
        return self.image.place(words(value))

    def half(self, entries: List[int], log: int = 0, marks: Optional[bytes] = None) -> int:
        """A map whose elements are these."""
        array = self.image.allocate(208 << log)
        for at, entry in enumerate(entries):
            bucket = array + 208 * (at % (1 << log))
            cell = at // (1 << log)
            self.image.write(bucket + cell, b"\x50")
            self.image.write_word(bucket + 136 + 8 * cell, entry)
        if marks is not None:
            self.image.write(array, marks)
        head = layouts.HMAP_FIELDS.pack(len(entries), 0, log, 0, 7, array, 0, 0)
        return self.image.place(head + bytes(8))

    def add(self, read: int, amended: int, dirty: int, lock: int = 0) -> int:
        only = self.image.place(words(read, amended)) if read or amended else 0
        return self.image.place(words(lock, only, dirty, 0))

    def look(self, *places: int) -> List[Optional[Contents]]:
        memory = Memory(self.image.read)
        return of_pairs(memory, places, self.layout, ENTRY_BUCKET, EXPUNGED)


def test_many_pairs_are_told_as_each() -> None:
    made = PairsOfMaps()
    live, gone, expunged = (made.entry(value) for value in (0x7000, 0, EXPUNGED))
    others = [made.entry(0x7000 + 16 * at) for at in range(30)]
    read, dirty = made.half([live, gone, expunged]), made.half([live, gone, *others[:3]])
    large = made.half(others, 2)
    places = [
        made.add(0, 0, 0),
        made.add(read, 0, 0),
        made.add(read, 1, dirty),
        made.add(read, 0, dirty),
        made.add(0, 1, dirty),
        made.add(large, 0, large),
    ]
    found = made.look(*places)
    entry, read_only = 8 + 16, 16
    assert [contents and contents.entries for contents in found] == [0, 1, 4, 1, None, 30]
    assert [contents and contents.own for contents in found] == [
        0,
        entry + 2 * 8 + read_only,
        4 * entry + 2 * 8 + read_only,
        4 * entry + 2 * 8 + read_only,
        None,
        30 * entry + read_only,
    ]
    assert [contents and tuple(contents.maps) for contents in found][2:4] == [(read, dirty)] * 2


def test_pairs_that_are_not_plain_are_left_to_be_opened() -> None:
    made = PairsOfMaps()
    live = made.entry(0x7000)
    read = made.half([live])
    moving = made.half([live])
    made.image.write_word(moving + 24, made.image.word(moving + 16))
    chained = made.half([live])
    made.image.write_word(made.image.word(chained + 16) + 200, read)
    places = [
        NOWHERE,
        made.add(read, 1, 0, lock=1),
        made.add(read, 2, 0),
        made.add(moving, 0, 0),
        made.add(chained, 0, 0),
        made.add(made.half([live], marks=bytes([2])), 0, 0),
        made.add(made.half([live, 0]), 0, 0),
        made.add(made.half([NOWHERE]), 0, 0),
        made.add(NOWHERE, 0, 0),
        made.add(made.half([live], 5), 0, 0),
    ]
    assert made.look(*places) == [None] * len(places)
    assert [contents and contents.entries for contents in made.look(made.add(read, 0, 0))] == [1]
