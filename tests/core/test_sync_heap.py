# SPDX-License-Identifier: MIT
"""Rows of sync.Maps in `map heap`: what they are made of adds up, what cannot be told is null."""

from typing import Any, Dict, Iterable, List, Optional, Set, Tuple

import pytest
from image import NOWHERE
from test_go_sync import CHILDREN, Trie, filled, first_entry

from mapscope.errors import Corrupt, MapscopeError
from mapscope.flavours.go_sync.go_sync_maps import GoTrieMaps
from mapscope.flavours.go_sync.sync_heap import GoSyncHeapView
from mapscope.maps.on_heap import HeapMap
from mapscope.maps.progress import no_progress
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
    def open(session: Session, address: int, type: Type) -> Any:
        if address != trie.address:
            raise error or Corrupt("no sync.Map")
        return GoTrieMaps().from_variable(session, trie.target.variables["m"])

    heap: Any = FakeHeap(trie, places)
    return GoSyncHeapView(heap, "go-sync-trie", open, no_progress)


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
