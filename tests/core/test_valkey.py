# SPDX-License-Identifier: MIT
"""Valkey's hashtables in memory made up: entries of every kind, and every store of a migration."""

import random
from typing import Any, List

import pytest

from image import HEAP
from looking import lines, one, some, text
from mapscope.errors import MapscopeError, NotAMap
from redisprogram import siphash
from valkeyprogram import CHILDREN, EXPS, PAUSE, USED, Table, filled

KINDS = ("kvstoreKeys", "kvstoreExpires", "set", "zset", "hash")
VERSIONS = ("8.1", "9.1")


def truth(map: Table) -> List[Any]:
    """(key, value) as the model has them."""
    return sorted((key.decode(), value) for key, value in map.held.items())


def shown(rows: List[Any]) -> List[Any]:
    """The same as `map entries` shows them."""
    return sorted((row["key"], row["value"]) for row in rows[1:-1])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_entries_of_every_kind(version: str, kind: str) -> None:
    map = filled(version, kind, 60, 4)
    rows = lines(map.program.target, "entries", f"{map.address:#x} --where")
    assert shown(rows) == truth(map) and rows[-1]["complete"]
    assert max(row["where"]["chain"] for row in rows[1:-1]) >= 2
    report = one(map.program.target, "check", hex(map.address))
    assert report["ok"] is True and report["checked"]["keys"] == 60
    for key in list(map.held)[:9]:
        found = one(map.program.target, "find", f"{map.address:#x} '{key.decode()}'")
        assert found["method"] == "hash" and found["entry"]["value"] == map.held[key]
    assert one(map.program.target, "find", f"{map.address:#x} none")["found"] is False
    judged = one(map.program.target, "stats", hex(map.address))["hash_verdict"]
    assert (judged["verdict"], judged["hashes"]) == ("random", "computed")
    assert judged["judged"] == judged["distinct"] == 60 and judged["cluster"] is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["set", "hash"])
@pytest.mark.parametrize("buckets", some([8, 2], 2))
def test_entries_after_every_store_of_a_migration(version: str, kind: str, buckets: int) -> None:
    map = filled(version, kind, 70, 4)
    expected = truth(map)
    stores = in_flight = unsure = 0

    def look(address: int) -> None:
        nonlocal stores, in_flight, unsure
        stores += 1
        try:
            rows = lines(map.program.target, "entries", hex(map.address))
        except NotAMap as error:
            assert "just starting or ending" in str(error)
            unsure += 1
            return
        in_flight += sum(row.get("in_flight", False) for row in rows[1:-1])
        if shown(rows) != expected:
            assert not rows[-1]["complete"], (stores, rows[-1])
            unsure += 1

    map.image.after_store = look
    map.grow(buckets)
    map.finish()
    assert stores > 300 and unsure < 8 and (in_flight > 20) is (version == "8.1")
    assert shown(lines(map.program.target, "entries", hex(map.address))) == expected


def test_the_migration_in_numbers() -> None:
    map = filled("8.1", "set", 70, 4)
    map.grow(8)
    map.step()
    map.image.write_word(map.address + PAUSE, 1, 2)
    form = one(map.program.target, "inspect", hex(map.address))
    assert form["flavor"] == "valkey-hashtable" and form["type"] == "hashtable<setHashtableType>"
    assert form["sizes"] == [4, 8] and form["paused"] == 1 and form["grows_above"] == 56
    map.image.write_word(map.program.policy, 1, 4)
    avoiding = one(map.program.target, "inspect", hex(map.address))
    assert avoiding["grows_above"] == 5 * 56 and "AVOID" in " ".join(avoiding["notes"])
    growth = form["growth"]
    assert growth["nevacuate"] == growth["evacuated"] == 1 and growth["kind"] == "double"
    assert growth["entries_moved"] + growth["entries_waiting"] == 70
    assert "pause_rehash" in text(map.program.target, "inspect", hex(map.address))
    bucket = one(map.program.target, "bucket", f"{map.address:#x} 0 --old")
    assert bucket["evacuated"] is True and not bucket["buckets"][0]["cells"]
    bucket = one(map.program.target, "bucket", f"{map.address:#x} 1 --old")
    cells = bucket["buckets"][0]["cells"]
    assert [cell["tophash"] for cell in cells] == [
        siphash(cell["key"].encode()) >> 56 for cell in cells
    ]


def test_damage_is_found() -> None:
    map = filled("8.1", "set", 70, 4)
    target, image = map.program.target, map.image
    image.write_word(map.address + USED, 72)
    report = one(target, "check", hex(map.address))
    assert report["ok"] is False and report["findings"][-1]["code"] == "count"
    image.write_word(map.address + USED, 70)
    first = map._bucket(0, 0)
    child = map._child(first)
    image.write_word(first + 56, 0x7000)
    rows = lines(target, "entries", hex(map.address))
    assert not rows[-1]["complete"] and "no child bucket at 0x7000" in rows[-1]["error"]
    image.write_word(first + 56, child)
    image.write_word(child, image.word(child, 1) | 1, 1)
    image.write_word(child + 56, child)
    rows = lines(target, "entries", hex(map.address))
    assert not rows[-1]["complete"] and "another's, too" in rows[-1]["error"]
    image.write_word(map.address + EXPS, 0x7F, 1)
    with pytest.raises(NotAMap, match="no hashtable of Valkey"):
        text(target, "inspect", hex(map.address))


def test_child_buckets_that_were_lost_are_told() -> None:
    map = filled("8.1", "set", 70, 4)
    target, image = map.program.target, map.image
    assert one(target, "check", hex(map.address))["findings"] == []
    have = image.word(map.address + CHILDREN)
    image.write_word(map.address + CHILDREN, have + 3)
    (finding,) = one(target, "check", hex(map.address))["findings"]
    assert (finding["severity"], finding["code"]) == ("warning", "child-buckets")
    assert f"counts {have + 3} child buckets, and {have} are linked: 3 of" in finding["message"]
    empty = filled("8.1", "set", 0, 4)
    empty.image.write_word(empty.address + CHILDREN, 2)
    (finding,) = one(empty.program.target, "check", hex(empty.address))["findings"]
    assert "counts 2 child buckets, and 0 are linked" in finding["message"]


def test_a_type_that_is_not_known_is_refused() -> None:
    map = filled("8.1", "set", 3, 4)
    type = map.program.types["set"]
    map.program.target.symbols_at[type] = "clientHashtableType"
    with pytest.raises(NotAMap, match="whose entries are not known"):
        text(map.program.target, "entries", hex(map.address))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_memory_costs_a_line(version: str, kind: str) -> None:
    map = filled(version, kind, 60, 4)
    map.grow(8)
    map.step()
    image, address = map.image, hex(map.address)
    end = image.allocate(8)
    saved, dice = image.save(), random.Random(version + kind)
    looks = ["inspect", "entries", "check", "stats", "find", "bucket"]
    answered = 0
    for turn in range(180):
        image.restore(saved)
        for _ in range(dice.randrange(1, 4)):
            near = map.address if dice.random() < 0.5 else HEAP
            at = near + 8 * dice.randrange(9 if near == map.address else (end - HEAP) // 8)
            word = image.word(at)
            wrong = [word ^ 1 << dice.randrange(64), dice.getrandbits(64), dice.randrange(40)]
            wrong.append(HEAP + dice.randrange(0, end - HEAP, 8))
            image.write_word(at, dice.choice(wrong))
        name = looks[turn % len(looks)]
        words = {"find": "'key 3'", "bucket": "2"}.get(name, "")
        try:
            text(map.program.target, name, f"{address} {words}")
            lines(map.program.target, name, f"{address} {words}")
            answered += 1
        except MapscopeError as error:
            assert "\n" not in str(error) and "internal error" not in str(error)
    assert answered > 40
