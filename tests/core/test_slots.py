# SPDX-License-Identifier: MIT
"""Tables of slots, made up of bytes: Rust's, whose hash is computed here too."""

import random
import time
from collections import Counter
from typing import Dict, List, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image import NOWHERE, FakeTarget, Image, words
from looking import Json, lines, one, text

from mapscope.errors import Corrupt, LayoutUnknown, MapscopeError
from mapscope.flavours.rust.sip_hash import sip13
from mapscope.maps import hash_sample
from mapscope.program.target import Variable
from mapscope.program.types import CppClass, Kind, Part, Type
from mapscope.slots.probe_lengths import probe_lengths, ways_on

U32 = Type(Kind.UINT, "u32", 4)
U64 = Type(Kind.UINT, "u64", 8)
NAME = "std::collections::hash::map::HashMap<u32, u32, std::hash::random::RandomState>"
K0, K1 = 0x0123456789ABCDEF, 0xFEDCBA9876543210
#: as the library has it for a table that has allocated nothing
EMPTY = b"\xff" * 16


def a_class(
    tag: str, size: int, parts: List[Tuple[str, int, Type]], arguments: Dict[int, Type]
) -> Type:
    """A struct of the library."""
    made = CppClass(tag, tuple(Part(*part) for part in parts), arguments.get)
    return Type(Kind.STRUCT, tag, size, as_class=lambda: made)


def table_type(items: str = "items") -> Type:
    """HashMap<u32, u32>, as debug information has it."""
    inner = a_class(
        "hashbrown::raw::RawTableInner",
        32,
        [("ctrl", 0, U64), ("bucket_mask", 8, U64), ("growth_left", 16, U64), (items, 24, U64)],
        {},
    )
    entry = a_class("(u32, u32)", 8, [("__0", 4, U32), ("__1", 0, U32)], {})
    raw = a_class("hashbrown::raw::RawTable<(u32, u32)>", 32, [("table", 0, inner)], {0: entry})
    state = a_class("std::hash::random::RandomState", 16, [("k0", 0, U64), ("k1", 8, U64)], {})
    map_type = a_class(
        "hashbrown::map::HashMap<u32, u32>",
        48,
        [("hash_builder", 32, state), ("table", 0, raw)],
        {},
    )
    return a_class(NAME, 48, [("base", 0, map_type)], {})


class Table:
    """A HashMap<u32, u32> in memory, filled as the library does it."""

    def __init__(self, entries: Dict[int, int], slots: int = 32) -> None:
        self.image = Image()
        self.target = FakeTarget(self.image)
        self.slots = slots
        start = self.image.allocate(8 * slots + slots + 16)
        self.control = start + 8 * slots
        self.image.write(self.control, b"\xff" * (slots + 16))
        self.places: Dict[int, int] = {}
        used = set()
        for key, value in entries.items():
            number = sip13(key.to_bytes(4, "little"), K0, K1)
            place, step = number % slots, 0
            while True:
                free = [at for at in range(16) if (place + at) % slots not in used]
                if free:
                    break
                step += 16
                place = (place + step) % slots
            slot = (place + free[0]) % slots
            used.add(slot)
            self.places[key] = slot
            self.image.write(self.control + slot, bytes([number >> 57]))
            self.image.write(self.control - 8 * (slot + 1), words(key << 32 | value))
        self.address = self.image.place(
            words(
                self.control, slots - 1, max(slots // 8 * 7 - len(entries), 0), len(entries), K0, K1
            )
        )
        self.image.shrink(4096)
        self.target.variables["m"] = Variable(table_type(), self.address)

    def codes(self) -> List[str]:
        """The kinds of findings of `map check`, but for notes."""
        found = one(self.target, "check", "m")["findings"]
        return sorted({finding["code"] for finding in found if finding["severity"] != "note"})

    def entries(self) -> Tuple[Dict[int, int], Json]:
        """What `map entries` shows, each once, and its last line."""
        found = lines(self.target, "entries", "m")
        shown = {row["key"]: row["value"] for row in found[1:-1]}
        assert len(shown) == len(found) - 2, "an entry is there twice"
        return shown, found[-1]


@pytest.mark.parametrize("count, slots", [(0, 4), (3, 4), (28, 32), (1700, 2048), (20000, 32768)])
def test_entries_and_lookups(count: int, slots: int) -> None:
    chosen = random.Random(count)
    model = {chosen.randrange(1 << 32): at for at in range(count)}
    made = Table(model, slots)
    shown, last = made.entries()
    assert shown == model and last == {"entries": len(model), "complete": True, "error": None}
    assert made.codes() == []
    for key in list(model)[-20:]:
        found = one(made.target, "find", f"m {key}")
        assert found["method"] == "hash" and found["entry"]["value"] == model[key]
        where = found["entry"]["where"]
        assert 16 * where["group"] + where["slot"] == made.places[key]
    assert one(made.target, "find", "m 4294967295")["found"] is False
    stats = one(made.target, "stats", "m")
    assert stats["entries"] == len(model)
    assert sum(stats["probes"].values()) == made.slots
    assert stats["hash_verdict"]["verdict"] == ("random" if count > 31 else "unknown")
    assert stats["hash_verdict"]["judged"] == count
    assert sum(int(size) * many for size, many in stats["cells"].items()) == len(model)
    assert one(made.target, "inspect", "m")["tombstones"] == 0


def test_a_table_that_has_allocated_nothing() -> None:
    made = Table({})
    made.image.write(made.address + 48, EMPTY)
    made.image.write(made.address, words(made.address + 48, 0, 0, 0))
    form = one(made.target, "inspect", "m")
    assert (form["slots"], form["groups"], form["count"]) == (0, 0, 0)
    assert made.entries()[0] == {} and made.codes() == []
    assert one(made.target, "find", "m 1")["found"] is False


def test_deleted_slots() -> None:
    made = Table({at: at for at in range(20)})
    made.image.write(made.control + made.places[7], b"\x80")
    made.image.write_word(made.address + 24, 19)
    shown, last = made.entries()
    assert 7 not in shown and len(shown) == 19 and last["complete"]
    assert one(made.target, "inspect", "m")["tombstones"] == 1
    assert made.codes() == []


def test_damage() -> None:
    made = Table({at: at for at in range(20)})
    made.image.write_word(made.address + 24, 21)
    assert made.codes() == ["count"] and not made.entries()[1]["complete"]
    made = Table({at: at for at in range(20)})
    made.image.write(made.control + made.places[7], b"\x81")
    assert made.codes() == ["control-byte", "count"]
    made = Table({at: at for at in range(20)})
    made.image.write_word(made.control - 8 * (made.places[7] + 1), 8 << 32)
    assert "duplicate-key" in made.codes()
    made = Table({at: at for at in range(20)})
    mark = made.image.word(made.control + made.places[7], 1)
    made.image.write(made.control + made.places[7], bytes([mark ^ 1]))
    assert made.codes() == ["wrong-hash"]
    found = one(made.target, "find", "m 7")
    assert found["found"] is False and "control byte of its hash" in found["unseen"]["reason"]


@pytest.mark.parametrize(
    "offset, value", [(0, 0), (0, NOWHERE), (8, 5), (8, (1 << 50) - 1), (24, 1 << 40)]
)
def test_headers_that_no_table_has(offset: int, value: int) -> None:
    made = Table({1: 2})
    made.image.write_word(made.address + offset, value)
    if value != (1 << 50) - 1:
        with pytest.raises(Corrupt):
            text(made.target, "entries", "m")
        return
    with pytest.raises(Corrupt):
        text(made.target, "inspect", "m")


def test_control_bytes_that_end() -> None:
    """What can be read is shown, and that not all could be."""
    made = Table({at: at for at in range(20)})
    made.image.write_word(made.address + 8, (1 << 40) - 1)
    last = lines(made.target, "entries", "m")[-1]
    assert not last["complete"] and "control bytes end" in last["error"]
    form = one(made.target, "inspect", "m")
    assert form["read"]["of"] == 1 << 36 and form["tombstones"] is None
    assert one(made.target, "stats", "m")["entries"] is None


def test_members_of_another_version() -> None:
    made = Table({1: 2})
    made.target.variables["m"] = Variable(table_type("len"), made.address)
    with pytest.raises(LayoutUnknown) as error:
        text(made.target, "inspect", "m")
    assert "no member items" in str(error.value)


def test_garbage() -> None:
    """Any word may be anything: a command ends with an answer or one line."""
    chosen = random.Random(7)
    for _ in range(60):
        made = Table({at * 5: at for at in range(20)})
        places = [made.address + 8 * at for at in range(6)] + [made.control + 8, made.control]
        values = [0, 1, 3, 31, NOWHERE, (1 << 64) - 1, made.control, made.address, 0x8080FF00]
        for _ in range(chosen.randrange(1, 3)):
            made.image.write_word(chosen.choice(places), chosen.choice(values))
        for command in ("inspect m", "entries m --where", "find m 5", "check m", "stats m"):
            made.target.reads = 0
            try:
                text(made.target, *command.split(" ", 1))
            except MapscopeError as error:
                assert "internal error" not in str(error)
            assert made.target.reads < 1000


def test_the_hash_of_the_library() -> None:
    """The first of the vectors of core::hash::sip's own test."""
    k0, k1 = (int.from_bytes(bytes(range(at, at + 8)), "little") for at in (0, 8))
    assert sip13(b"", k0, k1).to_bytes(8, "little").hex() == "dcc40f055801acab"


@pytest.mark.parametrize("table", range(4))
def test_a_sample_is_judged_as_all_are(table: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the entries in slots side by side both are in it now and then."""
    monkeypatch.setattr(hash_sample, "MOST", 2000)
    monkeypatch.setattr(hash_sample, "SAMPLED", 1500)
    chosen = random.Random(table)
    made = Table({chosen.randrange(1 << 32): at for at in range(6000)}, 8192)
    found = one(made.target, "stats", "m")["hash_verdict"]
    assert found["verdict"] == "random" and found["judged"] == 1500, found
    assert 0.5 < found["sharing"] < 1.3 and found["cluster"] is None
    assert found["text"].endswith("(a sample: 1500 of 6000 entries)")


# --- how far lookups go ---


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 1 << 60),
    st.sampled_from([1, 2, 4, 8, 16, 31, 32, 64, 256]),
    st.sampled_from([0.0, 0.02, 0.125, 0.5]),
    st.sampled_from([8, 16]),
)
def test_probe_lengths(seed: int, count: int, share: float, group: int) -> None:
    """As lookups that go from group to group one by one find them."""
    chosen = random.Random(seed)
    empty = bytes(chosen.random() < share for _ in range(count))
    ends = [any(empty[(at + on) % count] for on in range(group)) for at in range(count)]
    expected: Dict[int, int] = Counter()
    endless = False
    for start in range(count):
        place, length = start, 1
        while not ends[place] and length <= 2 * count:
            place = (place + group * length) % count
            length += 1
        endless |= length > 2 * count
        expected[length] += 1
        if endless:
            break
    found = probe_lengths(empty, group)
    if count < group:
        assert found == {1: count}
    elif endless:
        assert found is None
    else:
        assert found == dict(expected) and sum(found.values()) == count


@given(st.integers(0, 1 << 60), st.sampled_from([1, 2, 8, 64]), st.sampled_from([0.05, 0.5, 1.0]))
def test_ways_on(seed: int, groups: int, share: float) -> None:
    """As lookups of each class of hashes, group by group, find them."""
    chosen = random.Random(seed)
    last = bytes(
        sum(1 << way for way in range(8) if chosen.random() < share) for _ in range(groups)
    )
    expected: Dict[int, int] = Counter()
    for way in range(8):
        for start in range(groups):
            place, length = start, 1
            while last[place] >> way & 1 and length < groups:
                place = (place + length) % groups
                length += 1
            expected[length] += 1
    assert ways_on(last, 8) == dict(expected)


def test_probe_lengths_of_a_large_table() -> None:
    """In bulk: a million slots of which one in eight is empty, in less than a second."""
    chosen = random.Random(1)
    empty = bytes(chosen.randbytes(1 << 20).translate(bytes(byte < 32 for byte in range(256))))
    started = time.process_time()
    found = probe_lengths(empty, 16)
    assert found is not None and sum(found.values()) == 1 << 20
    assert found[1] == pytest.approx((1 - 0.875**16) * (1 << 20), rel=0.01)
    assert time.process_time() - started < 1
