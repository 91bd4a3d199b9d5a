# SPDX-License-Identifier: MIT
"""Go's hash tries, made up of bytes: right after every store of every operation; what is damaged is
told in a line, and ends."""

import random
import time
from typing import Dict, List, Optional, Tuple

import pytest
from goprogram import GoProgram
from image import NOWHERE, FakeTarget, words
from looking import lines, one, one_in, text

from mapscope.errors import MapscopeError
from mapscope.program.target import Variable
from mapscope.program.types import Field, Kind, Type

U64 = Type(Kind.UINT, "uint64", 8)
NAME = "internal/sync.HashTrieMap[uint64,uint64]"
#: of the trie, of a node and of an entry (internal/sync/hashtriemap.go)
ROOT, KEY_HASH, SEED = 16, 24, 40
DEAD, LOCK, PARENT, CHILDREN, NODE_SIZE = 4, 8, 16, 24, 152
OVERFLOW, KEY, VALUE, ENTRY_SIZE = 8, 16, 24, 32
FIELDS = (("inited", 0, 4), ("initMu", 4, 8), ("root", 16, 8), ("keyHash", 24, 8), ("seed", 40, 8))


class Trie:
    """A HashTrieMap[uint64,uint64] in the variable m, written as Go writes it."""

    def __init__(self) -> None:
        program = GoProgram("go1.24.4")
        self.hashes = program.hash_with()
        self.image = program.image
        code = self.image.allocate(16)
        program.target.symbols_at[code] = "runtime.memhash64"
        self.closure = self.image.place(words(code))
        self.address = self.image.allocate(48)
        fields = [Field(name, at, Type(Kind.UINT, name, size)) for name, at, size in FIELDS]
        fields.append(Field("valEqual", 32, Type(Kind.FUNC, "func", 8)))
        type = Type(Kind.STRUCT, NAME, 48, tuple(fields))
        entry = (Field("key", KEY, U64), Field("value", VALUE, U64))
        program.target.types["internal/sync.entry[uint64,uint64]"] = Type(
            Kind.STRUCT, "internal/sync.entry[uint64,uint64]", ENTRY_SIZE, entry
        )
        program.target.variables["m"] = Variable(type, self.address)
        self.target: FakeTarget = program.finish()
        self.seed = 0x1234567
        self.root = 0
        self.model: Dict[int, int] = {}

    def hash(self, key: int) -> int:
        return self.hashes.words(key.to_bytes(8, "little"), 8, [self.seed])[0]

    def node(self, parent: int) -> int:
        node = self.image.allocate(NODE_SIZE)
        self.image.write_word(node + PARENT, parent)
        return node

    def init(self) -> None:
        """HashTrieMap.initSlow."""
        self.root = self.node(0)
        self.image.store_word(self.address + ROOT, self.root)
        self.image.store_word(self.address + KEY_HASH, self.closure)
        self.image.store_word(self.address + SEED, self.seed)
        self.image.store_word(self.address, 1, 4)

    def entry(self, key: int, value: int) -> int:
        entry = self.image.allocate(ENTRY_SIZE)
        self.image.write_word(entry, 1, 1)
        self.image.write(entry + KEY, words(key, value))
        return entry

    def slot(self, key: int) -> Tuple[int, int, List[int]]:
        """(the slot of a key, the bits above it, the nodes to it)"""
        node, shift, nodes = self.root, 64, []
        while True:
            nodes.append(node)
            shift -= 4
            place = node + CHILDREN + 8 * (self.hash(key) >> shift & 15)
            child = self.image.word(place)
            if not child or self.image.word(child, 1):
                return place, shift, nodes
            node = child

    def put(self, key: int, value: int) -> None:
        """HashTrieMap.Swap."""
        place, shift, nodes = self.slot(key)
        old = self.image.word(place)
        self.image.store_word(nodes[-1] + LOCK, 1, 4)
        new = self.entry(key, value)
        if not old or self.image.word(old + KEY) == key:
            self.image.store_word(place, new)
        else:
            self.image.store_word(place, self.expand(old, new, shift, nodes[-1]))
        self.image.store_word(nodes[-1] + LOCK, 0, 4)
        self.model[key] = value

    def expand(self, old: int, new: int, shift: int, parent: int) -> int:
        top = node = self.node(parent)
        hashes = [self.hash(self.image.word(entry + KEY)) for entry in (old, new)]
        while True:
            shift -= 4
            one_place, other = (number >> shift & 15 for number in hashes)
            if one_place != other:
                self.image.write_word(node + CHILDREN + 8 * one_place, old)
                self.image.write_word(node + CHILDREN + 8 * other, new)
                return top
            below = self.node(node)
            self.image.write_word(node + CHILDREN + 8 * one_place, below)
            node = below

    def delete(self, key: int) -> None:
        """HashTrieMap.LoadAndDelete."""
        place, shift, nodes = self.slot(key)
        node = nodes.pop()
        self.image.store_word(node + LOCK, 1, 4)
        self.image.store_word(place, 0)
        while nodes and not any(self.image.read(node + CHILDREN, 128)):
            shift += 4
            parent = nodes.pop()
            self.image.store_word(parent + LOCK, 1, 4)
            self.image.store_word(node + DEAD, 1, 4)
            self.image.store_word(parent + CHILDREN + 8 * (self.hash(key) >> shift & 15), 0)
            self.image.store_word(node + LOCK, 0, 4)
            node = parent
        self.image.store_word(node + LOCK, 0, 4)
        del self.model[key]

    def shown(self) -> Dict[int, int]:
        """What map entries shows, each key once."""
        head, *entries, last = lines(self.target, "entries", "m")
        found = {entry["key"]: entry["value"] for entry in entries}
        assert len(found) == len(entries) == head["count"], "an entry is shown twice"
        assert last == {"entries": len(entries), "complete": True, "error": None}
        return found


def filled(count: int) -> Trie:
    trie = Trie()
    trie.init()
    for key in range(count):
        trie.put(key, 10 * key)
    return trie


def test_entries_are_right_after_every_store() -> None:
    trie, chance = Trie(), random.Random(4)
    wanted = one_in(5)
    before: Dict[int, int] = {}
    after: Dict[int, int] = {}
    stores = looked = 0

    def look(address: int) -> None:
        nonlocal stores, looked
        stores += 1
        if not wanted(stores):
            return
        looked += 1
        assert trie.shown() in (before, after)
        found = one(trie.target, "check", "m")
        errors = [f for f in found["findings"] if f["severity"] == "error"]
        assert found["ok"] is True and not errors

    trie.image.after_store = look
    trie.init()
    for _ in range(120):
        key = chance.randrange(40)
        before = dict(trie.model)
        after = dict(before)
        if key in before and chance.random() < 0.6:
            del after[key]
            trie.delete(key)
        else:
            after[key] = chance.randrange(1000)
            trie.put(key, after[key])
        assert trie.model == after
    assert looked > 60
    trie.image.after_store = None
    assert trie.shown() == trie.model


def test_every_key_is_found_by_its_hash() -> None:
    trie = filled(200)
    for key in (0, 7, 199):
        form = one(trie.target, "find", f"m {key}")
        assert form["method"] == "hash" and form["hash"] == hex(trie.hash(key))
        assert form["entry"]["value"] == 10 * key
        path = form["entry"]["where"]["path"]
        assert f"{trie.hash(key):016x}".startswith(path)
        assert [c["path"] for c in form["candidates"]] == [path[:at] for at in range(len(path))]
    assert one(trie.target, "find", "m 200")["found"] is False


def test_figures() -> None:
    trie = filled(60)
    form = one(trie.target, "inspect", "m")
    assert (form["flavor"], form["count"], form["inited"]) == ("go-sync-trie", 60, True)
    assert form["chained_leaves"] == form["locked_nodes"] == 0
    stats = one(trie.target, "stats", "m")
    assert sum(stats["depths"].values()) == 60 == stats["chains"]["1"]
    assert max(map(int, stats["depths"])) == form["depth"]
    assert sum(int(n) * many for n, many in stats["children"].items()) == 59 + form["nodes"]
    assert stats["bytes"]["total"] == 48 + 152 * form["nodes"] + 32 * 60


def test_an_unused_trie_is_empty() -> None:
    trie = Trie()
    assert trie.shown() == {} and one(trie.target, "check", "m")["ok"] is True
    assert one(trie.target, "find", "m 3")["found"] is False
    assert one(trie.target, "inspect", "m")["depth"] is None


def first_entry(trie: Trie) -> Tuple[int, int]:
    """(its slot, itself), of one that the root leads to."""
    for child in range(16):
        slot = trie.root + CHILDREN + 8 * child
        entry = trie.image.word(slot)
        if entry and trie.image.word(entry, 1):
            return slot, entry
    raise AssertionError("there is none")


@pytest.mark.parametrize(
    "damage, code",
    [
        ("root", "unreadable"),
        ("child", "unreadable"),
        ("loop", "node-loop"),
        ("kind", "header"),
        ("dead", "trie-node"),
        ("parent", "trie-node"),
        ("key", "wrong-hash"),
        ("chain", "node-loop"),
        ("inited", "trie-node"),
    ],
)
def test_damage_is_told(damage: str, code: str) -> None:
    trie = filled(12)
    image = trie.image
    slot, entry = first_entry(trie)
    writes = {
        "root": (trie.address + ROOT, NOWHERE, 8),
        "child": (slot, NOWHERE, 8),
        "loop": (slot, trie.root, 8),
        "kind": (entry, 9, 1),
        "dead": (trie.root + DEAD, 1, 4),
        "parent": (trie.root + PARENT, trie.root, 8),
        "key": (entry + KEY, 4711, 8),
        "chain": (entry + OVERFLOW, entry, 8),
        "inited": (trie.address, 0, 4),
    }
    image.write_word(*writes[damage])
    form = one(trie.target, "check", "m")
    assert form["ok"] is False
    assert code in [f["code"] for f in form["findings"] if f["severity"] == "error"]


def test_the_same_key_twice_in_a_chain_is_told() -> None:
    trie = filled(12)
    _, entry = first_entry(trie)
    key = trie.image.word(entry + KEY)
    trie.image.write_word(entry + OVERFLOW, trie.entry(key, 1))
    codes = [f["code"] for f in one(trie.target, "check", "m")["findings"]]
    assert codes == ["duplicate-key"]
    form = one(trie.target, "inspect", "m")
    assert (form["chained_leaves"], form["chained_entries"]) == (1, 1)


def test_what_cannot_be_read_is_not_said_to_be_absent() -> None:
    trie = filled(30)
    slot, entry = first_entry(trie)
    key = trie.image.word(entry + KEY)
    trie.image.write_word(slot, NOWHERE)
    assert one(trie.target, "find", f"m {key}")["found"] is None
    assert one(trie.target, "inspect", "m")["bytes"]["buckets"] is None
    assert "at least 29" in text(trie.target, "inspect", "m")
    assert one(trie.target, "stats", "m")["entries"] is None


def test_hostile_tries_end() -> None:
    trie, chance = filled(80), random.Random(11)
    trie.image.shrink(64)
    saved = trie.image.save()
    first, last = trie.address, trie.image.word(trie.slot(79)[0])
    started, told = time.process_time(), 0
    for number in range(60):
        trie.image.restore(saved)
        for _ in range(chance.randrange(1, 12)):
            word: Optional[int] = chance.choice(
                [0, 1, NOWHERE, trie.root, last, trie.address, chance.getrandbits(64)]
            )
            trie.image.write_word(first + 8 * chance.randrange((last - first) // 8), word or 0)
        for command in ("inspect", "entries", "stats", "check", "find"):
            try:
                shown = text(trie.target, command, "m 7" if command == "find" else "m")
                told += bool(shown)
            except MapscopeError as error:
                assert "\n" not in str(error)
    assert told > 60 and time.process_time() - started < 4 * (number + 1) / 60
