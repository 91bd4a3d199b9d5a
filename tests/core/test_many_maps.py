# SPDX-License-Identifier: MIT
"""Lists of many maps: what each costs, and which of them cannot be read."""

import gc
from typing import List

import pytest
from codec import Int
from cppprogram import CppProgram
from looking import one, text
from mapscope.commands import list as list_command
from mapscope.errors import MemoryUnreadable, UsageError
from mapscope.locate import list_maps
from mapscope.session import Session


def in_one_shard(count: int) -> "tuple[CppProgram, List[int]]":
    """Maps of 1, 2, 3, 4, 4, ... entries and their addresses; the registry leads to the last one
    first."""
    made = CppProgram(shards=1)
    models = [made.map(f"m{size}", Int(8), Int(8)) for size in range(1, count + 1)]
    for size, model in enumerate(models, 1):
        model.fill({number: number for number in range(min(size, 4))})
    return made, [model.address for model in models]


def with_hole(made: CppProgram, start: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let so many bytes be no memory."""
    read = made.target.read_memory

    def but_there(address: int, wanted: int) -> memoryview:
        if address < start + size and start < address + wanted:
            raise MemoryUnreadable(address, wanted)
        return read(address, wanted)

    monkeypatch.setattr(made.target, "read_memory", but_there)


@pytest.mark.parametrize("field", ["type", "evacuated_before"])
def test_a_map_that_cannot_be_read_whole(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and those behind it in the registry are listed."""
    made, addresses = in_one_shard(4)
    hole = addresses[2] + 48 + made.offsets.mapextra[field]
    with_hole(made, hole, 8, monkeypatch)
    form = one(made.target, "list")
    assert [row["count"] for row in form["maps"]] == [4, 2, 1]
    (row,) = form["unread"]
    assert row["name"] == f"the map at {addresses[2]:#x}" and "cannot read" in row["error"]


def test_a_map_without_the_way_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those behind it are not known, which is said."""
    made, addresses = in_one_shard(4)
    with_hole(made, addresses[2] + 48 + made.offsets.mapextra["next"], 8, monkeypatch)
    form = one(made.target, "list")
    assert [row["count"] for row in form["maps"]] == [4]
    (row,) = form["unread"]
    assert row["name"] == f"the map at {addresses[2]:#x}, and those behind it in the registry"


def test_circles_are_looked_for_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a command runs; Python's own way comes back, whatever has happened."""
    made, _ = in_one_shard(3)
    before, during = gc.get_threshold(), []
    read = list_maps

    def noted(session: Session) -> object:
        during.append(gc.get_threshold())
        return read(session)

    monkeypatch.setattr(list_command, "list_maps", noted)
    text(made.target, "list")
    with pytest.raises(UsageError):
        text(made.target, "list", "--sort size")
    assert gc.get_threshold() == before and during[0][0] > 10 * before[0] > 0
    gc.set_threshold(0)
    try:
        text(made.target, "list")
        assert during[1][0] == 0, "somebody who never wants it never gets it"
    finally:
        gc.set_threshold(*before)


def test_little_is_made_of_each_map() -> None:
    """Objects of thousands of maps are what looking for circles takes its time for."""
    few, many = in_one_shard(20)[0], in_one_shard(220)[0]
    gc.disable()
    try:
        objects: List[int] = []
        for made in (few, many):
            from_here = len(gc.get_objects())
            views = list(list_maps(Session(made.target)))
            objects.append(len(gc.get_objects()) - from_here)
            assert len(views) in (20, 220)
    finally:
        gc.enable()
    assert objects[1] - objects[0] < 200 * 26
