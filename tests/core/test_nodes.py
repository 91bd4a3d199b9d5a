# SPDX-License-Identifier: MIT
"""Tables of linked nodes, made up of bytes: what is damaged is told, and ends."""

import os
import random
from typing import Dict, List, Tuple

import pytest
from image import NOWHERE, FakeFrame, FakeTarget, Image, number, words
from looking import Json, lines, one, text

from mapscope.errors import Corrupt, LayoutUnknown, MapscopeError, MemoryUnreadable
from mapscope.flavours.std_unordered.std_hash import hash_bytes
from mapscope.program.memory import Memory
from mapscope.program.target import Variable
from mapscope.program.types import CppClass, Field, Kind, Part, Type

INT = Type(Kind.INT, "int", 4)
ULONG = Type(Kind.UINT, "unsigned long", 8)
POINTER = Type(Kind.POINTER, "node *", 8)
NAME = "std::unordered_map<int, int, std::hash<int>, std::equal_to<int>, A>"
_TABLE = (
    "std::_Hashtable<int, std::pair<const int, int>, A, std::__detail::_Select1st, "
    "std::equal_to<int>, std::hash<int>, std::__detail::_Mod_range_hashing, R, P, "
    "std::__detail::_Hashtable_traits<false, false, true>>"
)


def a_class(
    tag: str, size: int, parts: List[Tuple[str, int, Type]], arguments: Dict[int, Type]
) -> Type:
    """A class of the library."""
    made = CppClass(tag, tuple(Part(*part) for part in parts), arguments.get)
    return Type(Kind.OPAQUE, tag, size, as_class=lambda: made)


def table_type(buckets: str = "_M_buckets") -> Type:
    """std::unordered_map<int, int> of libstdc++, as debug information has it."""
    fields = (Field("first", 0, INT), Field("second", 4, INT))
    pair = Type(Kind.STRUCT, "std::pair<const int, int>", 8, fields)
    node = a_class(
        "std::__detail::_Hash_node<std::pair<const int, int>, false>",
        16,
        [("_M_nxt", 0, POINTER), ("_M_storage", 8, pair)],
        {},
    )
    allocator = a_class("A", 1, [], {0: node})
    base = a_class("std::__detail::_Hashtable_alloc<A>", 1, [], {0: allocator})
    policy = a_class("std::__detail::_Prime_rehash_policy", 16, [], {})
    hasher = a_class("std::hash<int>", 1, [], {})
    table = a_class(
        _TABLE,
        56,
        [
            ("", 0, base),
            (buckets, 0, POINTER),
            ("_M_bucket_count", 8, ULONG),
            ("_M_before_begin", 16, POINTER),
            ("_M_element_count", 24, ULONG),
            ("_M_rehash_policy", 32, policy),
            ("_M_single_bucket", 48, POINTER),
        ],
        {0: INT, 1: pair, 5: hasher},
    )
    return a_class(NAME, 56, [("_M_h", 0, table)], {})


class Table:
    """A std::unordered_map<int, int> in memory, filled as the library does it."""

    def __init__(self, entries: Dict[int, int], buckets: int = 13) -> None:
        self.image = Image()
        self.target = FakeTarget(self.image)
        self.address = self.image.allocate(56)
        self.array = self.image.allocate(8 * buckets)
        self.buckets = buckets
        self.nodes: List[int] = []
        head, before = self.address + 16, self.address + 16
        first: Dict[int, List[int]] = {}
        for key in entries:
            first.setdefault(key % buckets, []).append(key)
        for bucket, keys in first.items():
            self.image.write_word(self.array + 8 * bucket, before)
            for key in keys:
                node = self.image.place(words(0) + key.to_bytes(4, "little", signed=True))
                self.image.write(node + 12, entries[key].to_bytes(4, "little", signed=True))
                self.image.write_word(before, node)
                self.nodes.append(node)
                before = node
        self.image.write(self.address, words(self.array, buckets))
        self.image.write_word(head + 8, len(entries))
        self.image.write(self.address + 32, b"\0\0\x80?\0\0\0\0" + words(buckets))
        self.target.variables["m"] = Variable(table_type(), self.address)

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


@pytest.mark.parametrize("count", [0, 1, 8, 1000, 20000])
def test_entries_and_lookups(count: int) -> None:
    chosen = random.Random(count)
    model = {chosen.randrange(1 << 30): at for at in range(count)}
    made = Table(model, 13 if count < 9 else 1109)
    shown, last = made.entries()
    assert shown == model and last == {"entries": len(model), "complete": True, "error": None}
    assert made.codes() == []
    for key in list(model)[:20]:
        found = one(made.target, "find", f"m {key}")
        assert found["method"] == "hash" and found["entry"]["value"] == model[key]
        place = found["entry"]["where"]
        assert place["bucket"] == key % made.buckets
        chain = one(made.target, "bucket", f"m {place['bucket']}")["nodes"]
        assert chain[place["node"]]["key"] == key
    assert one(made.target, "find", "m -1")["found"] is False
    stats = one(made.target, "stats", "m")
    assert sum(stats["cells"].values()) == made.buckets and stats["entries"] == len(model)
    assert sum(int(size) * many for size, many in stats["cells"].items()) == len(model)


def test_where_is_the_bucket() -> None:
    made = Table({at: at for at in range(40)})
    for row in lines(made.target, "entries", "m --where")[1:-1]:
        assert row["where"]["bucket"] == row["key"] % 13


def test_a_list_that_leads_into_itself() -> None:
    """Each of its nodes is shown once, wherever the circle begins."""
    for count in (1, 2, 3, 7, 40):
        for start in {0, count // 2, count - 1}:
            made = Table({at: at for at in range(count)})
            made.image.write_word(made.nodes[-1], made.nodes[start])
            shown, last = made.entries()
            assert len(shown) == count and not last["complete"]
            assert "leads back into its own list" in last["error"]
            assert made.codes() == ["node-loop"]


def test_a_node_that_cannot_be_read() -> None:
    made = Table({at: at for at in range(20)})
    made.image.write_word(made.nodes[4], NOWHERE)
    shown, last = made.entries()
    assert len(shown) == 5 and not last["complete"]
    assert made.codes() == ["unreadable"]
    assert one(made.target, "inspect", "m")["read"]["of"] == 13
    assert one(made.target, "stats", "m")["entries"] is None


def test_counts() -> None:
    made = Table({at: at for at in range(20)})
    made.image.write_word(made.address + 24, 19)
    assert made.codes() == ["count"]
    made.image.write_word(made.address + 24, 1 << 40)
    assert made.codes() == ["count"]
    _, last = made.entries()
    assert last["entries"] == 20 and not last["complete"]


def test_a_write_that_is_half_done() -> None:
    """A count that differs while a function of the library is at work is no error."""
    made = Table({at: at for at in range(20)})
    made.image.write_word(made.address + 24, 19)
    frame = FakeFrame(1, f"{_TABLE}::_M_insert_unique_node", {"this": number(made.address)})
    pointer = Type(Kind.POINTER, f"{_TABLE} *", 8, element=_inner)
    frame.variables["this"] = Variable(pointer, None, words(made.address))
    made.target.frames = [frame]
    found = one(made.target, "check", "m")
    assert found["ok"] is None and [one["code"] for one in found["findings"]] == ["in-flight"]
    assert one(made.target, "inspect")["address"] == hex(made.address)


def _inner() -> Type:
    made = table_type().as_class
    assert made is not None
    part = made().find("_M_h")
    assert part is not None
    return part.type


@pytest.mark.parametrize(
    "offset, value", [(0, 0), (0, 7), (0, NOWHERE), (8, 0), (8, 1 << 60), (16, 0), (24, 1 << 60)]
)
def test_headers_that_no_table_has(offset: int, value: int) -> None:
    made = Table({1: 2})
    made.image.write_word(made.address + offset, value)
    for command in ("inspect m", "entries m", "find m 1", "stats m", "bucket m 0"):
        with pytest.raises(Corrupt) as error:
            text(made.target, *command.split(" ", 1))
        assert "not constructed yet, destroyed, or overwritten" in str(error.value)


def test_a_number_of_buckets_that_cannot_be() -> None:
    """What of the array can be read is looked at, and that is said."""
    made = Table({at: at for at in range(20)})
    made.image.write_word(made.address + 8, 1 << 40)
    form = one(made.target, "inspect", "m")
    assert form["read"]["looked_at"] < form["read"]["of"] == 1 << 40
    assert made.target.reads < 2000


def test_members_of_another_version() -> None:
    made = Table({1: 2})
    made.target.variables["m"] = Variable(table_type("_M_bkts"), made.address)
    with pytest.raises(LayoutUnknown) as error:
        text(made.target, "inspect", "m")
    assert "no member _M_buckets" in str(error.value)


def test_garbage() -> None:
    """Any word may be anything: a command ends with an answer or one line."""
    chosen = random.Random(5)
    for _ in range(400 if os.environ.get("MAPSCOPE_LONG") else 120):
        made = Table({at * 5: at for at in range(30)})
        places = [made.address + 8 * at for at in range(7)] + made.nodes
        places += [made.array + 8 * at for at in range(13)]
        values = [0, 1, 16, NOWHERE, (1 << 64) - 1, made.address, *made.nodes, *places]
        for _ in range(chosen.randrange(1, 4)):
            made.image.write_word(chosen.choice(places), chosen.choice(values))
        for command in ("inspect m", "entries m --where", "find m 5", "check m", "stats m"):
            made.target.reads = 0
            try:
                text(made.target, *command.split(" ", 1))
            except MapscopeError as error:
                assert "internal error" not in str(error)
            assert made.target.reads < 500


def test_hashes_of_the_library() -> None:
    """std::hash<std::string>{} of GCC 12's library gave these."""
    assert hash_bytes(b"key 17") == 0x3AC97832138EE3F1
    assert hash_bytes(b"nix") == 0xB76D3B39F704C3D5
    assert hash_bytes(b"k1") == 0x0DB4FF53452F25E1


def test_a_long_list_is_read_in_pieces() -> None:
    image = Image()
    nodes = [image.place(words(0, at)) for at in range(5000)]
    random.Random(1).shuffle(nodes)
    for node, following in zip(nodes, nodes[1:]):
        image.write_word(node, following)
    reads: List[int] = []

    def read(address: int, size: int) -> bytes:
        reads.append(size)
        return image.read(address, size)

    found, error = Memory(read).follow(nodes[0], 0, lambda done: None)
    assert found.tolist() == nodes and error is None and len(reads) < 20
    image.write_word(nodes[-1], NOWHERE)
    found, error = Memory(read).follow(nodes[0], 0, lambda done: None)
    assert found.tolist() == nodes and isinstance(error, MemoryUnreadable)


def test_hashes_of_a_list_that_ends_early() -> None:
    """What was not seen is not said to be a sample, and what was is judged."""
    made = Table({37 * at: at for at in range(200)}, 211)
    whole = one(made.target, "stats", "m")["hash_verdict"]
    assert whole["verdict"] == "regular" and (whole["judged"], whole["entries"]) == (200, 200)
    made.image.write_word(made.nodes[99], NOWHERE)
    found = one(made.target, "stats", "m")
    assert found["hash_verdict"]["judged"] == 100 and found["hash_verdict"]["entries"] == 200
    assert found["hash_verdict"]["text"].endswith("(only 100 of 200 entries were looked at)")
    assert len(found["problems"]) == 1, "nothing is told twice"
    made.image.write_word(made.nodes[9], NOWHERE)
    few = one(made.target, "stats", "m")["hash_verdict"]
    assert few["verdict"] == "unknown" and few["text"].startswith("cannot tell: 10 entries are too")


def test_ctrl_c_while_hashes_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Table({37 * at: at for at in range(200)}, 211)

    def progress(done: int, total: int) -> None:
        if not done:  # the list has been followed
            raise KeyboardInterrupt

    monkeypatch.setattr(made.target, "progress", progress)
    found = one(made.target, "stats", "m")
    assert found["entries"] == 200 and not found["problems"], "it was counted before"
    judged = found["hash_verdict"]
    assert (judged["hashes"], judged["judged"], judged["cluster"]) == (None, 0, None)
    assert judged["text"].endswith("(whether hashes are equal is not known: interrupted)")
