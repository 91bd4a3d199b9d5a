# SPDX-License-Identifier: MIT
"""Redis's dicts in memory made up: layouts, marks of pointers, and every store of a migration."""

import json
import random
import struct
from typing import Any, Callable, List, Optional

import pytest

from image import HEAP, frame
from looking import lines, one, some, text
from mapscope.errors import MapscopeError, NotAMap
from mapscope.flavours.redis import siphash as fast
from redisprogram import CODE, MASK, SEED, Dict, Program, siphash

VERSIONS = ("6.2", "7.0", "7.2", "8.0")
KINDS = [(version, type) for version in VERSIONS for type in ("hashDictType", "setDictType")]
KINDS.append(("valkey", "hashDictType"))  # its sets are those of 7.2


def entries(map: Dict, where: str = "") -> List[Any]:
    """(key, value) as `map entries` shows them."""
    rows = lines(map.program.target, "entries", f"{map.address:#x} {where}")
    assert rows[-1]["complete"], rows[-1]
    assert rows[-1]["entries"] == len(rows) - 2 == rows[0]["count"] or not where
    return sorted((row["key"], row["value"]) for row in rows[1:-1])


def truth(map: Dict) -> List[Any]:
    """The same as the model has it."""
    return sorted(
        (key.decode(), None if value is None else value.decode()) for key, value in map.held.items()
    )


def filled(version: str, type: str, number: int = 24, odd: Optional[int] = None) -> Dict:
    """A dict of 8 buckets."""
    map = Dict(Program(version), type, 8)
    for at in range(number):
        value = None if type == "setDictType" else b"value %d" % at
        map.add(b"key %d" % at, value, odd is None or at % odd != 0)
    return map


def test_many_hashes_are_those_of_the_definition() -> None:
    texts = [bytes((7 * at + n) & 255 for at in range(n)) for n in range(60)]
    assert fast.siphash(texts, SEED) == [siphash(text) for text in texts]
    assert fast.siphash([b"HeLLo"], SEED, True) == [siphash(b"hello")]
    assert fast.siphash([], SEED) == []


@pytest.mark.parametrize("version, type", KINDS)
def test_entries_at_rest(version: str, type: str) -> None:
    map = filled(version, type)
    assert entries(map) == truth(map)
    assert one(map.program.target, "check", hex(map.address))["ok"] is True


def test_keys_in_place_of_entries_may_be_even() -> None:
    map = filled("8.0", "setDictType", odd=3)
    assert entries(map) == truth(map)
    map = filled("8.0", "setDictType", number=3, odd=1)
    assert entries(map) == truth(map)


@pytest.mark.parametrize("version, type", some(KINDS, 2))
@pytest.mark.parametrize("buckets", some([16, 64, 4], 2))
def test_entries_after_every_store_of_a_migration(version: str, type: str, buckets: int) -> None:
    map = filled(version, type, odd=None if version != "8.0" else 3)
    expected = truth(map)
    stores = lost = unsure = 0

    def look(address: int) -> None:
        nonlocal stores, lost, unsure
        stores += 1
        try:
            rows = lines(map.program.target, "entries", f"{map.address:#x} --where")
        except NotAMap as error:
            assert "just starting or ending" in str(error)
            unsure += 1
            return
        found = sorted((row["key"], row["value"]) for row in rows[1:-1])
        if type == "setDictType" and "cannot tell" in (rows[-1]["error"] or ""):
            # a key alone in a register, between two stores: it may be what a client asks for
            assert not rows[-1]["complete"] and len(found) == len(expected) - 1
            unsure += 1
            return
        assert found == expected, (stores, rows[-1])
        lost += sum(row.get("in_flight", False) for row in rows[1:-1])

    map.image.after_store = look
    map.grow(buckets)
    map.finish()
    assert stores > 100 and lost > 5 and unsure <= stores // 16
    assert not map.rehashing and entries(map) == expected


@pytest.mark.parametrize("type", ["hashDictType", "setDictType"])
def test_buckets_that_are_moved_out_of_order(type: str) -> None:
    map = filled("8.0", type)
    expected = truth(map)
    map.grow(16)
    map.image.after_store = lambda address: assert_same(map, expected)
    for bucket in (5, 2, 7):
        map.step(bucket)
    map.finish()


@pytest.mark.parametrize("type", ["hashDictType", "setDictType"])
def test_the_end_of_a_migration_as_compilers_order_its_stores(type: str) -> None:
    map = filled("7.0", type)
    expected = truth(map)
    map.grow(16)
    told: List[str] = []

    def look(address: int) -> None:
        try:
            rows = lines(map.program.target, "entries", hex(map.address))
        except NotAMap as error:
            told.append(str(error))
            return
        found = sorted((row["key"], row["value"]) for row in rows[1:-1])
        if found != expected:
            assert not rows[-1]["complete"], rows[-1]
            told.append(rows[-1]["error"])

    map.image.after_store = look
    map.finish_as_compiled()
    assert 2 < len(told) < 8 and "just starting or ending" in told[0]
    assert entries(map) == expected


def assert_same(map: Dict, expected: List[Any]) -> None:
    """At any moment."""
    try:
        rows = lines(map.program.target, "entries", hex(map.address))
    except NotAMap as error:
        assert "just starting or ending" in str(error)
        return
    found = sorted((row["key"], row["value"]) for row in rows[1:-1])
    assert found == expected or "cannot tell" in rows[-1]["error"]


def test_an_entry_that_is_just_added_is_marked() -> None:
    map = filled("7.0", "hashDictType", 3)
    rows = lines(map.program.target, "entries", hex(map.address))
    assert not any("in_flight" in row for row in rows)
    slot = map._slot(0, siphash(b"key 1") & 7)
    map.program.thread.held["r14"] = map.image.word(slot)
    for function, marked in (("dictFind", 0), ("dbAdd", 1)):
        map.program.thread.stack = [frame("zmalloc"), frame(function)]
        rows = lines(map.program.target, "entries", hex(map.address))
        assert len([row for row in rows if row.get("in_flight")]) == marked


def test_what_no_register_has_cannot_be_told() -> None:
    map = filled("7.0", "hashDictType")
    expected = truth(map)
    seen = []

    def look(address: int) -> None:
        held = dict(map.program.thread.held)
        map.program.thread.held.clear()
        try:
            rows = lines(map.program.target, "entries", hex(map.address))
        except NotAMap as error:
            assert "just starting or ending" in str(error)
            return
        map.program.thread.held.clear()
        map.program.thread.held.update(held)
        found = sorted((row["key"], row["value"]) for row in rows[1:-1])
        assert found == expected or not rows[-1]["complete"], (rows[-1], held)
        if not rows[-1]["complete"]:
            seen.append(rows[-1]["error"])

    map.grow(16)
    map.image.after_store = look
    map.finish()
    assert len(seen) > 10 and all("cannot tell" in error for error in seen)


def test_a_lookup_takes_the_way_of_the_server() -> None:
    map = filled("7.0", "hashDictType")
    map.grow(16)
    for _ in range(3):
        map.step()
    map.add(b"new", b"value")
    for key in map.held:
        found = one(map.program.target, "find", f"{map.address:#x} '{key.decode()}'")
        assert found["found"] and found["method"] == "hash", found
        assert found["hash"] == hex(siphash(key))
    found = one(map.program.target, "find", f"{map.address:#x} none")
    assert found["found"] is False and found["candidates"]
    below = [c for c in found["candidates"] if c["array"] == "old"]
    assert below[0]["authoritative"] is (siphash(b"none") & 7 >= 3)


def test_the_migration_in_numbers() -> None:
    map = filled("7.0", "hashDictType")
    map.grow(16)
    map.step()
    map.image.write_word(map.address + 48, 2, 2)
    form = one(map.program.target, "inspect", hex(map.address))
    assert form["flavor"] == "redis-dict" and form["type"] == "dict<hashDictType>"
    assert form["sizes"] == [8, 16] and form["paused"] == 2 and "paused" in form["notes"][0]
    growth = form["growth"]
    assert growth["kind"] == "double" and growth["nevacuate"] == growth["evacuated"] > 0
    assert growth["entries_moved"] + growth["entries_waiting"] == 24
    assert "pauserehash" in text(map.program.target, "inspect", hex(map.address))
    stats = one(map.program.target, "stats", hex(map.address))
    assert stats["entries"] == 24
    assert sum(int(n) * count for n, count in stats["cells"].items()) == growth["entries_moved"]


def test_hashes_look_random_in_the_middle_of_a_migration() -> None:
    map = Dict(Program("7.0"), "hashDictType", 32)
    for number in range(100):
        map.add(b"field %d" % number, b"value")
    map.grow(128)
    for _ in range(9):
        map.step()
    found = one(map.program.target, "stats", hex(map.address))["hash_verdict"]
    assert (found["verdict"], found["hashes"]) == ("random", "computed")
    assert (found["judged"], found["entries"], found["distinct"]) == (100, 100, 100)
    assert found["fullest"]["unit"] == "bucket" and found["fullest"]["place"] < 128


@pytest.mark.parametrize("version, hard", [("7.0", 6), ("8.0", 4)])
def test_why_a_migration_stands_still(version: str, hard: int) -> None:
    map = filled(version, "hashDictType")
    map.grow(16)
    notes = {}
    for policy in range(4):
        map.image.write_word(map.program.policy, policy, 4)
        form = one(map.program.target, "inspect", hex(map.address))
        notes[policy] = form["notes"], form["grows_above"]
    (alone,) = notes[0][0]
    assert "a hash migrates only when commands use it" in alone and notes[0][1] == 16
    assert "no steps are done" in notes[1][0][0] and notes[1][1] == 16 * hard
    assert "forbidden" in notes[2][0][0] and notes[2][1] is None
    assert notes[3] == ([alone], None)


#: hasActiveChildProcess as gcc and clang make it of several servers: xor; cmpl $-1,N(%rip); and lea
#: N(%rip),%rax; cmpl $-1,304(%rax); with and without endbr64
CHILDREN = (
    lambda start, at: b"\x31\xc0\x83\x3d" + struct.pack("<i", at - start - 9) + b"\xff",
    lambda start, at: b"\xf3\x0f\x1e\xfa\x31\xc0\x83\x3d"
    + struct.pack("<i", at - start - 13)
    + b"\xff",
    lambda start, at: b"\x48\x8d\x05"
    + struct.pack("<i", at - 304 - start - 7)
    + b"\x83\xb8\x30\x01\x00\x00\xff",
    lambda start, at: b"\xf3\x0f\x1e\xfa\x48\x8d\x05"
    + struct.pack("<i", at - 304 - start - 11)
    + b"\x83\xb8\x30\x01\x00\x00\xff",
)


@pytest.mark.parametrize("make", CHILDREN)
def test_the_child_process_is_told(make: Callable[[int, int], bytes]) -> None:
    map = filled("7.0", "hashDictType")
    program, image = map.program, map.image
    image.write_word(program.policy, 1, 4)
    start, at = CODE + 3072, CODE + 3584
    program._name("hasActiveChildProcess", start)
    image.write(start, make(start, at) + b"\x0f\x95\xc0\xc3")

    def note() -> str:
        (found,) = one(program.target, "inspect", hex(map.address))["notes"]
        return str(found)

    for pid, what in ((4711, "child process 4711 runs"), (MASK, "though none does")):
        image.write_word(at, pid & 0xFFFFFFFF, 4)
        assert what in note()
    image.write_word(at, 0, 4)
    assert note().startswith("a child process runs"), "0 is no process: its number is not known"
    image.write(start, b"\x90\x90")
    assert note().startswith("a child process runs")


def test_damage_is_found() -> None:
    map = filled("7.0", "hashDictType")
    target, image = map.program.target, map.image
    map.image.write_word(map.address + 24, 30)
    found = one(target, "check", hex(map.address))
    assert found["ok"] is False and found["findings"][-1]["code"] == "count"
    map.image.write_word(map.address + 24, 24)
    array = image.word(map.address + 8)
    heads = [image.word(array + 8 * at) for at in range(8)]
    swapped = [at for at in range(8) if heads[at]][:2]
    image.write_word(array + 8 * swapped[0], heads[swapped[1]])
    image.write_word(array + 8 * swapped[1], heads[swapped[0]])
    codes = {finding["code"] for finding in one(target, "check", hex(map.address))["findings"]}
    assert "wrong-bucket" in codes
    image.write_word(array + 8 * swapped[0], heads[swapped[0]])
    image.write_word(array + 8 * swapped[1], heads[swapped[1]])
    assert one(target, "check", hex(map.address))["ok"] is True
    image.write_word(heads[swapped[0]] + 16, heads[swapped[0]])
    rows = lines(target, "entries", hex(map.address))
    assert not rows[-1]["complete"] and "leads to the entry" in rows[-1]["error"]
    image.write_word(heads[swapped[0]] + 16, 0x7000)
    rows = lines(target, "entries", hex(map.address))
    assert not rows[-1]["complete"] and "cannot read" in rows[-1]["error"]


def test_the_end_of_a_migration_is_left_behind() -> None:
    map = filled("7.0", "hashDictType")
    map.grow(16)
    heads = [map.image.word(map._slot(0, at)) for at in range(8)]
    while map._get(map.index_at) < 3:
        map.step()
    map.image.write_word(map._slot(0, 0), next(head for head in heads[4:] if head))
    form = one(map.program.target, "check", hex(map.address))
    assert "not-evacuated" in {finding["code"] for finding in form["findings"]}


def test_databases_are_found_in_the_server() -> None:
    program = Program("7.0")
    databases = program.has_databases(3)
    keys, expires = databases[0]
    number = program.object(0, 1, (-5) & ((1 << 64) - 1))
    keys.add(b"n", None)
    node = program.image.word(keys._slot(0, siphash(b"n") & 3))
    program.image.write_word(node + 8, number)
    hash = Dict(program, "hashDictType")
    hash.add(b"field", b"value")
    keys.add(b"h", None)
    node = program.image.word(keys._slot(0, siphash(b"h") & 3))
    if program.image.word(program.image.word(node) - 0, 1) != ord("h"):
        node = program.image.word(node + 16)
    program.image.write_word(node + 8, program.object(4, 2, hash.address))
    target = program.target
    rows = lines(target, "entries", "db0")
    values = {row["key"]: row["value"] for row in rows[1:-1]}
    assert values["n"] == -5
    assert values["h"] == {"map": "hash", "address": hex(hash.address), "count": 1}
    inner = lines(target, "entries", 'db0["h"]')
    assert inner[1] == {"key": "field", "value": "value"}
    names = [row["name"] for row in one(target, "list")["maps"]]
    assert sorted(names) == [f"db{n}.{part}" for n in range(3) for part in ("expires", "keys")]
    assert one(target, "inspect", "db0.expires")["address"] == hex(expires.address)
    assert one(target, "list", "--migrating")["maps"] == []
    for line, what in (
        ("db7", "the last that has one is db2"),
        ('db0["n"]', "is no table"),
        ('db0["x"]', "no such key"),
        ("db0.values", "No symbol"),
    ):
        with pytest.raises(MapscopeError, match=what):
            one(target, "inspect", f"'{line}'")


def test_memory_that_is_no_dict_is_refused() -> None:
    map = filled("7.0", "hashDictType")
    target, image = map.program.target, map.image
    good = image.read(map.address, 56)
    for offset, raw in (
        (0, b"\0" * 8),  # no type
        (8, b"\1" + b"\0" * 7),  # no table
        (40, b"\xf0" + b"\xff" * 7),  # before the table
        (50, b"\x7f"),  # too many buckets
        (24, b"\xff" * 8),  # too many entries
    ):
        image.write(map.address, good)
        image.write(map.address + offset, raw)
        with pytest.raises(NotAMap) as refused:
            text(target, "inspect", hex(map.address))
        assert "\n" not in str(refused.value) and "no dict" in str(refused.value)
    image.write(map.address, good)
    for address in (map.address + 8, map.address + 1, CODE):
        with pytest.raises(NotAMap):
            text(target, "inspect", hex(address))


def test_without_the_seed_all_entries_are_looked_at() -> None:
    map = filled("7.0", "hashDictType")
    map.image.write(map.program.address("dictGetHashFunctionSeed") + 4, b"\x90" * 8)
    found = one(map.program.target, "find", f"{map.address:#x} 'key 3'")
    assert found["found"] and found["method"] == "scan" and "seed" in found["note"]
    assert json.loads(json.dumps(found))["hash"] is None


@pytest.mark.parametrize("version, type", KINDS)
def test_damaged_memory_costs_a_line(version: str, type: str) -> None:
    map = filled(version, type)
    map.grow(16)
    for _ in range(3):
        map.step()
    image, address = map.image, hex(map.address)
    end = image.allocate(8)
    saved, dice = image.save(), random.Random(version + type)
    looks = ["inspect", "entries", "check", "stats", "find", "bucket"]
    answered = 0
    for turn in range(240):
        image.restore(saved)
        for _ in range(dice.randrange(1, 4)):
            near = map.address if dice.random() < 0.5 else HEAP
            at = near + 8 * dice.randrange(7 if near == map.address else (end - HEAP) // 8)
            word = image.word(at)
            image.write_word(
                at,
                dice.choice(
                    [
                        word ^ 1 << dice.randrange(64),
                        dice.getrandbits(64),
                        HEAP + dice.randrange(0, end - HEAP, 8),
                        dice.randrange(40),
                    ]
                ),
            )
        name = looks[turn % len(looks)]
        words = {"find": "'key 3'", "bucket": "2"}.get(name, "")
        try:
            text(map.program.target, name, f"{address} {words}")
            lines(map.program.target, name, f"{address} {words}")
            answered += 1
        except MapscopeError as error:
            assert "\n" not in str(error) and "internal error" not in str(error)
    assert answered > 60
