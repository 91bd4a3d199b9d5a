# SPDX-License-Identifier: MIT
"""Which maps `map list` shows, and in which order."""

from typing import Iterator, Tuple

import pytest
from codec import Int, StdString
from cppprogram import CppProgram
from looking import one, text
from mapscope.commands import list as list_command
from mapscope.errors import UnknownType, UsageError
from mapscope.locate import list_maps
from mapscope.maps.view import MapView
from mapscope.session import Session


def program() -> CppProgram:
    """Maps of 27, 9 and 3 entries; the second is the largest, the first alone migrates."""
    made = CppProgram()
    made.map("many", Int(8), Int(8)).fill({number: number for number in range(27)})
    made.map("wide", StdString(), StdString()).fill({str(n): "text" for n in range(16)})
    made.map("few", StdString(), Int(4, True)).fill({"a": -1, "b": 2, "c": 3})
    return made


def counts(made: CppProgram, line: str) -> "list[int]":
    return [found["count"] for found in one(made.target, "list", line)["maps"]]


def test_orders() -> None:
    made = program()
    assert counts(made, "") == counts(made, "--sort entries") == [27, 16, 3]
    sizes = [found["bytes"] for found in one(made.target, "list", "--sort bytes")["maps"]]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) > 1
    kept = [found["retained"] for found in one(made.target, "list", "--sort retained")["maps"]]
    assert kept == sorted(kept, reverse=True) and kept[0] > 0
    types = [found["type"] for found in one(made.target, "list", "--sort type")["maps"]]
    assert types == sorted(types) and types[0] != "mapscope::map<uint64, uint64>"
    with pytest.raises(UsageError, match="--sort"):
        one(made.target, "list", "--sort size")


def test_limits() -> None:
    made = program()
    form = one(made.target, "list", "--limit 2")
    assert len(form["maps"]) == 2 and form["left_out"] == 1
    assert counts(made, "--limit 0") == [27, 16, 3]
    assert "left_out" not in one(made.target, "list", "--limit 3")
    assert "... 2 more (--limit 0 shows all)" in text(made.target, "list", "--limit 1")


def test_types() -> None:
    made = program()
    assert counts(made, "--type 'mapscope::map<std::string, int32>'") == [3]
    assert counts(made, "--type mapscope::map<std::string,int32>") == [3]
    with pytest.raises(UnknownType, match="did you mean mapscope::map<std::string, int32>"):
        one(made.target, "list", "--type mapscope::map<std::string,int3>")


def test_none_of_those_that_could_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others may be what was asked for; and these were read."""
    made = program()
    read = list_maps

    def some(session: Session) -> "Iterator[Tuple[str, MapView]]":
        yield from read(session)
        session.unread.append(("the map at 0x10", "cannot read memory"))

    monkeypatch.setattr(list_command, "list_maps", some)
    shown = text(made.target, "list", "--type mapscope::map<int,int>")
    assert shown.startswith("no such map among those that could be read (3)\n")
    assert "the map at 0x10" in shown

    def none(session: Session) -> "Iterator[Tuple[str, MapView]]":
        session.unread.append(("the map at 0x10", "cannot read memory"))
        return iter(())

    monkeypatch.setattr(list_command, "list_maps", none)
    assert text(made.target, "list", "--migrating").startswith("no map could be read\n")
