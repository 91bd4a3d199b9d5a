# SPDX-License-Identifier: MIT
"""Tables of linked nodes whose buckets have a list each, made up of bytes: Boost's since 1.80."""

import random
import struct
from typing import Dict, List, Optional, Tuple

import pytest
from image import NOWHERE, FakeTarget, Image, words
from looking import lines, one, text

from mapscope.errors import LayoutUnknown, MapscopeError
from mapscope.program.target import Variable
from mapscope.program.types import CppClass, Kind, Part, Type

INT = Type(Kind.INT, "int", 4)
ULONG = Type(Kind.UINT, "unsigned long", 8)
FLOAT = Type(Kind.FLOAT, "float", 4)
NAME = "boost::unordered::unordered_map<int, int, boost::hash<int>, E, A>"


def a_class(
    tag: str,
    size: int,
    parts: List[Tuple[str, int, Type]],
    arguments: Optional[Dict[int, Type]] = None,
) -> Type:
    """A class of the library."""
    made = CppClass(tag, tuple(Part(*part) for part in parts), (arguments or {}).get)
    return Type(Kind.OPAQUE, tag, size, as_class=lambda: made)


def table_type(start: str = "buckets") -> Type:
    """unordered_map<int, int>, as debug information has it."""
    pair = a_class("std::pair<const int, int>", 8, [("first", 0, INT), ("second", 4, INT)])
    buffer = Type(Kind.OPAQUE, "buffer", 8)
    node = a_class("node", 16, [("next", 0, ULONG), ("buf", 8, buffer)], {0: pair})
    to_node = Type(Kind.POINTER, "node *", 8, element=lambda: node)
    bucket = a_class("bucket", 8, [("next", 0, to_node)])
    to_bucket = Type(Kind.POINTER, "bucket *", 8, element=lambda: bucket)
    array = a_class("array", 32, [("size_", 8, ULONG), (start, 16, to_bucket)])
    table = a_class(
        "boost::unordered::detail::table<T>",
        64,
        [
            ("size_", 8, ULONG),
            ("mlf_", 16, FLOAT),
            ("max_load_", 24, ULONG),
            ("buckets_", 32, array),
        ],
    )
    hasher = Type(Kind.OPAQUE, "boost::hash<int>", 1)
    return a_class(NAME, 64, [("table_", 0, table)], {0: INT, 1: INT, 2: hasher})


class Table:
    """A table in memory."""

    def __init__(self, entries: Dict[int, int], buckets: int = 13) -> None:
        self.image = Image()
        self.target = FakeTarget(self.image)
        self.address = self.image.allocate(64)
        self.array = self.image.allocate(8 * (buckets + 1)) if buckets else 0
        self.nodes: List[int] = []
        for key, value in entries.items():
            place = self.array + 8 * (key % buckets)
            before = int.from_bytes(self.image.read(place, 8), "little")
            self.nodes.append(self.image.place(words(before) + struct.pack("<ii", key, value)))
            self.image.write_word(place, self.nodes[-1])
        self.image.write(self.address, words(0, len(entries)) + struct.pack("<f4x", 1.0))
        self.image.write(self.address + 24, words(buckets, 0, buckets, self.array))
        self.target.variables["m"] = Variable(table_type(), self.address)

    def codes(self) -> List[str]:
        """The kinds of findings of `map check`, but for notes."""
        found = one(self.target, "check", "m")["findings"]
        return sorted({finding["code"] for finding in found if finding["severity"] != "note"})


@pytest.mark.parametrize("count", [0, 1, 8, 1000])
def test_entries_and_lookups(count: int) -> None:
    chosen = random.Random(count)
    model = {chosen.randrange(1 << 30): at for at in range(count)}
    buckets = 0 if not count else 13 if count < 9 else 1543
    made = Table(model, buckets)
    found = lines(made.target, "entries", "m --where")
    assert {row["key"]: row["value"] for row in found[1:-1]} == model
    assert found[-1] == {"entries": len(model), "complete": True, "error": None}
    assert all(row["where"]["bucket"] == row["key"] % buckets for row in found[1:-1])
    assert made.codes() == []
    for key in list(model)[:10]:
        answer = one(made.target, "find", f"m {key}")
        assert answer["method"] == "hash" and answer["entry"]["value"] == model[key]
        chain = one(made.target, "bucket", f"m {key % buckets}")
        place = answer["entry"]["where"]["node"]
        assert chain["nodes"][place]["key"] == key
        assert chain["first"] == chain["nodes"][0]["address"]
    assert one(made.target, "find", "m -1")["found"] is False
    stats = one(made.target, "stats", "m")["cells"]
    assert sum(int(size) * many for size, many in stats.items()) == len(model)
    assert sum(stats.values()) == max(buckets, 1)


def test_damage_is_told() -> None:
    made = Table({at: at for at in range(40)})
    assert made.codes() == []
    kept = made.image.read(made.nodes[0], 8)
    made.image.write_word(made.nodes[0], made.nodes[13])
    assert made.codes() == ["node-loop"]
    found = lines(made.target, "entries", "m")
    assert len({row["key"] for row in found[1:-1]}) == len(found) - 2 and not found[-1]["complete"]
    made.image.write_word(made.nodes[0], made.nodes[1])
    assert "node-loop" in made.codes()
    made.image.write_word(made.nodes[0], NOWHERE)
    assert "unreadable" in made.codes()
    read = one(made.target, "inspect", "m")["read"]
    assert read == {"looked_at": 12, "of": 13}
    made.image.write(made.nodes[0], kept)
    made.image.write(made.nodes[5] + 8, (6).to_bytes(4, "little"))
    assert made.codes() == ["duplicate-key", "wrong-bucket"]
    made.image.write_word(made.address + 8, 77)
    assert "count" in made.codes()


def test_headers_that_cannot_be() -> None:
    made = Table({1: 2})
    for offset, word in ((40, 1 << 60), (48, 4), (48, NOWHERE), (8, 1 << 60)):
        kept = made.image.read(made.address + offset, 8)
        made.image.write_word(made.address + offset, word)
        with pytest.raises(MapscopeError):
            text(made.target, "inspect", "m")
        made.image.write(made.address + offset, kept)
    made.target.variables["m"] = Variable(table_type("elsewhere"), made.address)
    with pytest.raises(LayoutUnknown):
        text(made.target, "inspect", "m")
