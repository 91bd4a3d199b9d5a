# SPDX-License-Identifier: MIT
"""oneTBB's concurrent_hash_map, made up of bytes: buckets that wait, an entry on its way."""

import random
from typing import Dict, Iterator, List, Optional, Tuple

import pytest
from image import NOWHERE, FakeTarget, Image, words
from looking import Json, lines, one, text

from mapscope.errors import LayoutUnknown, MapscopeError
from mapscope.program.target import Frame, Thread, Variable
from mapscope.program.types import CppClass, Kind, Part, Type

INT = Type(Kind.INT, "int", 4)
ULONG = Type(Kind.UINT, "unsigned long", 8)
POINTER = Type(Kind.POINTER, "node *", 8)
NAME = "tbb::detail::d2::concurrent_hash_map<int, int, C, A>"
EMBEDDED, SEGMENTS, SIZE = 24, 56, 568


def a_class(
    tag: str,
    size: int,
    parts: List[Tuple[str, int, Type]],
    arguments: Optional[Dict[int, Type]] = None,
    nested: Optional[Dict[str, Type]] = None,
) -> Type:
    """A class of the library."""
    fields = tuple(Part(*part) for part in parts)
    made = CppClass(tag, fields, (arguments or {}).get, (nested or {}).get)
    return Type(Kind.OPAQUE, tag, size, as_class=lambda: made)


def map_type(mutex: str = "tbb::detail::d1::spin_rw_mutex") -> Type:
    """concurrent_hash_map<int, int>, as debug information has it."""
    lock = a_class(mutex, 8, [("m_state", 0, ULONG)])
    bucket = a_class("bucket", 16, [("mutex", 0, lock), ("node_list", 8, ULONG)])
    pair = a_class("std::pair<const int, int>", 8, [("first", 0, INT), ("second", 4, INT)])
    start = a_class("node_base", 16, [("next", 0, POINTER), ("mutex", 8, lock)])
    node = a_class("node", 24, [("", 0, start), ("my_value", 16, pair)])
    table = Type(Kind.ARRAY, "bucket[2]", 32, element=lambda: bucket)
    base = a_class(
        "tbb::detail::d2::hash_map_base<A, M>",
        SIZE,
        [
            ("my_mask", 8, ULONG),
            ("my_size", 16, ULONG),
            ("my_embedded_segment", EMBEDDED, table),
            ("my_table", SEGMENTS, Type(Kind.ARRAY, "segments", 512)),
        ],
    )
    hasher = a_class("std::hash<int>", 1, [])
    compare = a_class("tbb::detail::d1::tbb_hash_compare<int>", 1, [("my_hash_func", 0, hasher)])
    arguments = {0: INT, 1: INT, 2: compare}
    return a_class(NAME, SIZE + 8, [("", 0, base)], arguments, {"node": node})


class Held(Thread):
    """A thread with a word in a register."""

    def __init__(self, word: int) -> None:
        self.number, self.kernel_id = 1, 1
        self._word = word

    def frames(self) -> Iterator[Frame]:
        return iter(())

    def registers(self) -> Dict[str, int]:
        return {"rax": self._word, "rip": 4096, "rsp": NOWHERE}


class Map:
    """A map in memory, which grows and rehashes as the library does it."""

    def __init__(self) -> None:
        self.image = Image()
        self.target = FakeTarget(self.image)
        self.address = self.image.allocate(SIZE + 8)
        self.mask, self.count = 1, 0
        self.segments = [self.address + EMBEDDED] + [0] * 63
        self.target.variables["m"] = Variable(map_type(), self.address)
        self.store()

    def store(self) -> None:
        """The header."""
        self.image.write(self.address + 8, words(self.mask, self.count))
        self.image.write(self.address + SEGMENTS, words(*self.segments))

    def bucket(self, number: int) -> int:
        """The address of a bucket."""
        segment = (number | 1).bit_length() - 1
        return self.segments[segment] + 16 * (number - (1 << segment & ~1))

    def head(self, number: int) -> int:
        """What leads to its first node."""
        return int.from_bytes(self.image.read(self.bucket(number) + 8, 8), "little")

    def word(self, address: int) -> int:
        """A word of memory."""
        return int.from_bytes(self.image.read(address, 8), "little")

    def key(self, node: int) -> int:
        """Of a node."""
        return int.from_bytes(self.image.read(node + 16, 4), "little")

    def rehash(self, number: int) -> Iterator[None]:
        """Fill a bucket from its parent; goes on after each store."""
        if number < 2 or self.head(number) != 3:
            return
        self.image.write_word(self.bucket(number), 1)
        self.image.write_word(self.bucket(number) + 8, 0)
        yield
        source = number & ((1 << (number.bit_length() - 1)) - 1)
        yield from self.rehash(source)
        self.image.write_word(self.bucket(source), 1)
        mask = (1 << number.bit_length()) - 1
        link, node = self.bucket(source) + 8, self.head(source)
        while node:
            following = self.word(node)
            if self.key(node) & mask != number:
                link, node = node, following
                continue
            self.target.thread_list = [Held(node)]
            self.image.write_word(link, following)
            yield
            self.image.write_word(node, self.head(number))
            yield
            self.image.write_word(self.bucket(number) + 8, node)
            yield
            node = following
        self.image.write_word(self.bucket(source), 0)
        self.image.write_word(self.bucket(number), 0)
        yield

    def insert(self, key: int, value: int) -> None:
        """A new entry, and a new segment where that is due."""
        number = key & self.mask
        for _ in self.rehash(number):
            pass
        node = self.image.place(words(self.head(number), 0))
        self.image.allocate(8)
        self.image.write(node + 16, key.to_bytes(4, "little") + value.to_bytes(4, "little"))
        self.image.write_word(self.bucket(number) + 8, node)
        self.count += 1
        if self.count >= self.mask:
            new = 254 if self.mask == 1 else self.mask + 1
            start = self.image.place(words(0, 3) * new)
            first = self.mask + 1
            while first < self.mask + 1 + new:
                self.segments[first.bit_length() - 1] = start
                start, first = start + 16 * first, 2 * first
            self.mask += new
        self.store()

    def entries(self) -> Tuple[Dict[int, int], Json]:
        """What `map entries` shows, each once, and its last line."""
        found = lines(self.target, "entries", "m")
        shown = {row["key"]: row["value"] for row in found[1:-1]}
        assert len(shown) == len(found) - 2, "an entry is there twice"
        return shown, found[-1]

    def codes(self) -> List[str]:
        """The kinds of findings of `map check`, but for notes."""
        found = one(self.target, "check", "m")["findings"]
        return sorted({finding["code"] for finding in found if finding["severity"] != "note"})


def filled(count: int, seed: int = 1) -> Tuple[Map, Dict[int, int]]:
    """A map with so many entries."""
    made, chosen = Map(), random.Random(seed)
    model = {chosen.randrange(1 << 20): at for at in range(count)}
    for key, value in model.items():
        made.insert(key, value)
    return made, model


@pytest.mark.parametrize("count", [0, 1, 2, 60, 254, 600])
def test_entries_and_lookups(count: int) -> None:
    made, model = filled(count)
    shown, last = made.entries()
    assert shown == model and last == {"entries": len(model), "complete": True, "error": None}
    assert made.codes() == []
    for key in list(model)[:10]:
        found = one(made.target, "find", f"m {key}")
        assert found["method"] == "hash" and found["entry"]["value"] == model[key]
        number = key & made.mask
        while made.head(number) == 3:
            number &= (1 << (number.bit_length() - 1)) - 1
        assert found["entry"]["where"]["bucket"] == number
    assert one(made.target, "find", "m 2000000")["found"] is False


def test_waiting_buckets_are_counted() -> None:
    made, model = filled(300)
    heads = [made.head(number) for number in range(512)]
    growth = one(made.target, "inspect", "m")["growth"]
    assert growth["kind"] == "lazy" and growth["waiting"] == heads.count(3)
    assert growth["remaining"] == heads[256:].count(3)
    waits = [key for key in model if heads[key & 511] == 3]
    assert growth["entries_waiting"] == len(waits)
    number = heads.index(3)
    bucket = one(made.target, "bucket", f"m {number}")
    assert bucket["rehashed"] is False and bucket["source"] < number and not bucket["nodes"]
    stats = one(made.target, "stats", "m")["cells"]
    assert sum(stats.values()) == 512 - heads.count(3)


def test_every_store_of_a_rehashing() -> None:
    """The node that is moved hangs on a register alone for two stores."""
    made, model = filled(256, 3)
    in_flight = 0
    waiting = [number for number in range(256, 512) if made.head(number) == 3]
    for number in waiting[:20]:
        for _ in made.rehash(number):
            found = lines(made.target, "entries", "m")
            assert {row["key"]: row["value"] for row in found[1:-1]} == model, f"bucket {number}"
            assert len(found) == len(model) + 2 and found[-1]["complete"]
            in_flight += any(row.get("in_flight") for row in found)
    assert in_flight > 10
    made.target.thread_list = []
    assert made.entries()[0] == model


def test_an_entry_on_its_way_that_no_thread_has() -> None:
    made, model = filled(256, 3)
    for number in range(256, 512):
        for _ in made.rehash(number):
            made.target.thread_list = []
            shown, last = made.entries()
            if shown != model:
                assert len(shown) == len(model) - 1 and "counts" in last["error"]
                return
    pytest.fail("nothing was moved")


def test_damage_is_told() -> None:
    made, _ = filled(60)
    number = next(n for n in range(256) if made.head(n) > 63)
    node = made.head(number)
    made.image.write_word(node, node)
    assert made.codes() == ["node-loop"]
    made.image.write_word(node, NOWHERE)
    assert "unreadable" in made.codes()
    made.image.write_word(node, 0)
    made.image.write_word(made.bucket(number), 1)
    assert "write-flag" in made.codes()
    made.image.write_word(made.bucket(number), 0)
    made.image.write_word(made.bucket(0) + 8, 3)
    assert "bucket-pointer" in made.codes()


def test_a_map_that_is_just_cleared() -> None:
    """Its last segment is given back, and the map counts nothing any more."""
    made, _ = filled(300)
    made.image.write_word(made.address + 16, 0)
    made.image.write_word(made.address + SEGMENTS + 8 * 8, 0)
    found = lines(made.target, "entries", "m")
    assert len(found) == 2 and "just being cleared" in found[-1]["error"]
    assert one(made.target, "inspect", "m")["growth"] is None
    assert one(made.target, "find", "m 5")["found"] is False
    with pytest.raises(MapscopeError):
        text(made.target, "bucket", "m 300")


def test_headers_that_cannot_be() -> None:
    made, _ = filled(3)
    for offset, word in ((8, 77), (8, 1 << 50), (SEGMENTS, 8), (SEGMENTS + 16, 9)):
        kept = made.image.read(made.address + offset, 8)
        made.image.write_word(made.address + offset, word)
        with pytest.raises(MapscopeError):
            lines(made.target, "entries", "m")
        made.image.write(made.address + offset, kept)
    assert made.codes() == []


def test_other_locks_are_not_told() -> None:
    made, model = filled(20)
    made.image.write_word(made.bucket(1), 1)
    other = map_type("tbb::detail::d1::queuing_rw_mutex")
    made.target.variables["m"] = Variable(other, made.address)
    assert "locks" not in one(made.target, "inspect", "m")
    assert made.entries()[0] == model
    no_base = a_class(NAME, SIZE, [])
    made.target.variables["m"] = Variable(no_base, made.address)
    with pytest.raises(LayoutUnknown):
        text(made.target, "inspect", "m")


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_overwritten_is_told_in_a_line(seed: int) -> None:
    """Damaged words of the header, of buckets and of nodes: no command fails in another way."""
    chosen = random.Random(seed)
    made, model = filled(chosen.choice((3, 60, 260)), seed)
    heads = [made.bucket(number) + 8 for number in range(made.mask + 1)]
    nodes = [made.word(head) for head in heads if made.word(head) > 63]
    for _ in range(6):
        place = chosen.choice(
            (
                chosen.choice(heads),
                chosen.choice(nodes) + 8 * chosen.randrange(2),
                made.address + 8 * chosen.randrange(SIZE // 8),
            )
        )
        word = chosen.choice(
            (0, 1, 2, 3, 64, NOWHERE, chosen.choice(nodes), chosen.choice(heads), (1 << 64) - 1)
        )
        made.image.write_word(place, word)
        for command, rest in (
            *(("inspect", "m"), ("entries", "m"), ("stats", "m"), ("check", "m")),
            *(("bucket", "m 1"), ("bucket", "m 77"), ("find", f"m {next(iter(model))}")),
        ):
            try:
                lines(made.target, command, rest)
            except MapscopeError as error:
                assert "\n" not in str(error)
