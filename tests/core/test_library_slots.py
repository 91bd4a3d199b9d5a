# SPDX-License-Identifier: MIT
"""Tables of slots of C++ libraries, made up of bytes: Abseil's of 2024, with their only entry in
themselves, and Boost's flat ones, of groups of 15."""

from typing import Dict, List, Optional, Tuple

import pytest
from image import NOWHERE, FakeTarget, Image, words
from looking import lines, one, text

from mapscope.errors import LayoutUnknown, MapscopeError
from mapscope.program.target import Variable
from mapscope.program.types import CppClass, Kind, Part, Type

INT = Type(Kind.INT, "int", 4)
ULONG = Type(Kind.UINT, "unsigned long", 8)
_OF = "absl::container_internal::"


def a_class(
    tag: str,
    size: int,
    parts: List[Tuple[str, int, Type]],
    arguments: Optional[Dict[int, Type]] = None,
    nested: Optional[Dict[str, Type]] = None,
) -> Type:
    """A class of a library."""
    fields = tuple(Part(*part) for part in parts)
    made = CppClass(tag, fields, (arguments or {}).get, (nested or {}).get)
    return Type(Kind.OPAQUE, tag, size, as_class=lambda: made)


PAIR = a_class("std::pair<const int, int>", 8, [("first", 0, INT), ("second", 4, INT)])


def absl_type(size: Type = ULONG) -> Type:
    """flat_hash_map<int, int> of 2024, as debug information has it."""
    slot = a_class("slot", 8, [("value", 0, PAIR)])
    heap = a_class("HeapPtrs", 16, [("control", 0, ULONG), ("slot_array", 8, ULONG)])
    either = a_class("HeapOrSoo", 16, [("heap", 0, heap), ("soo_data", 0, ULONG)])
    common = a_class(
        "CommonFields",
        32,
        [("capacity_", 0, ULONG), ("size_", 8, size), ("heap_or_soo_", 16, either)],
    )
    settings = a_class("CompressedTuple", 32, [("value", 0, common)])
    policy = a_class(f"{_OF}FlatHashMapPolicy<int, int>", 1, [], {0: INT, 1: INT})
    raw = a_class(
        f"{_OF}raw_hash_set<P, H, E, A>",
        32,
        [("settings_", 0, settings)],
        {0: policy},
        {"slot_type": slot},
    )
    return a_class("absl::flat_hash_map<int, int, H>", 32, [("", 0, raw)])


def absl_table(capacity: int, entries: Dict[int, Tuple[int, int]]) -> Tuple[FakeTarget, int, int]:
    """(a program with such a table, the table's address, that of its control bytes)

    :param entries: by slot
    """
    image = Image()
    target = FakeTarget(image)
    address = image.allocate(32)
    control = image.place(words((1 << 63) | 5)) + 8
    image.allocate(64)
    slots = image.allocate(8 * max(capacity, 1))
    image.write(control, b"\x80" * capacity + b"\xff" + b"\x80" * 15)
    image.write(address, words(capacity, 2 * len(entries) + 1, control, slots))
    for slot, (key, value) in entries.items():
        place = slots + 8 * slot if capacity > 1 else address + 16
        image.write(place, key.to_bytes(4, "little") + value.to_bytes(4, "little"))
        if capacity > 1:
            image.write(control + slot, b"\x11")
    target.variables["m"] = Variable(absl_type(), address)
    return target, address, control


@pytest.mark.parametrize("capacity, count", [(0, 0), (1, 0), (1, 1), (7, 3), (15, 13)])
def test_abseil(capacity: int, count: int) -> None:
    model = {100 + at: at for at in range(count)}
    target, _, _ = absl_table(capacity, dict(enumerate(model.items())))
    found = lines(target, "entries", "m")
    assert {row["key"]: row["value"] for row in found[1:-1]} == model and found[-1]["complete"]
    shown = one(target, "inspect", "m")
    assert (shown["count"], shown["slots"]) == (count, capacity)
    assert shown["growth_left"] == (5 if capacity > 1 else capacity - count)
    assert one(target, "check", "m")["ok"]
    for key, value in model.items():
        assert one(target, "find", f"m {key}")["entry"]["value"] == value
    if capacity:
        cells = one(target, "bucket", "m 0")["buckets"][0]["cells"]
        assert [cell["state"] for cell in cells] == ["full"] * count + ["empty"] * (
            capacity - count
        )


def test_abseil_that_cannot_be() -> None:
    target, address, control = absl_table(7, {0: (1, 2)})
    for offset, word in ((0, 6), (8, 99), (16, NOWHERE), (24, 0), (16, 0)):
        kept = target.image.read(address + offset, 8)
        target.image.write_word(address + offset, word)
        with pytest.raises(MapscopeError):
            text(target, "inspect", "m")
        target.image.write(address + offset, kept)
    target.image.write(control + 3, b"\x90")
    assert one(target, "check", "m")["ok"] is False
    target.variables["m"] = Variable(absl_type(a_class("HashtableSize", 8, [])), address)
    with pytest.raises(LayoutUnknown):
        text(target, "inspect", "m")


def boost_type(inside: bool = True) -> Type:
    """unordered_flat_map<int, int>, as debug information has it.

    :param inside: whether its size is in size_ctrl, as since 1.83
    """
    to_slot = Type(Kind.POINTER, "pair *", 8, element=lambda: PAIR)
    arrays = a_class(
        "table_arrays",
        32,
        [("groups_size_mask", 8, ULONG), ("groups", 16, ULONG), ("elements", 24, to_slot)],
    )
    sizes = a_class("plain_size_control", 16, [("ml", 0, ULONG), ("size", 8, ULONG)])
    counts = [("size_ctrl", 32, sizes)] if inside else [("size_", 32, ULONG), ("ml", 40, ULONG)]
    table = a_class("boost::unordered::detail::foa::table<T>", 48, [("arrays", 0, arrays), *counts])
    hasher = Type(Kind.OPAQUE, "boost::hash<int>", 1)
    name = "boost::unordered::unordered_flat_map<int, int, boost::hash<int>, E, A>"
    return a_class(name, 48, [("table_", 0, table)], {0: INT, 1: INT, 2: hasher})


@pytest.mark.parametrize("inside", [True, False])
def test_boost(inside: bool) -> None:
    image = Image()
    target = FakeTarget(image)
    address, groups, slots = image.allocate(48), image.allocate(32), image.allocate(8 * 29)
    image.write(groups + 30, b"\x01")
    model = {at: at * at for at in (0, 3, 14, 15, 28)}  # by slot
    for slot, value in model.items():
        image.write(groups + slot + slot // 15, b"\x42")
        image.write(slots + 8 * slot, slot.to_bytes(4, "little") + value.to_bytes(4, "little"))
    counts = words(29, 5) if inside else words(5, 29)
    image.write(address, words(0, 1, groups, slots) + counts)
    target.variables["m"] = Variable(boost_type(inside), address)
    found = lines(target, "entries", "m --where")
    assert {row["key"]: row["value"] for row in found[1:-1]} == model and found[-1]["complete"]
    places = [row["where"] for row in found[1:-1]]
    assert places == [{"group": slot // 15, "slot": slot % 15} for slot in sorted(model)]
    shown = one(target, "inspect", "m")
    assert (shown["slots"], shown["groups"], shown["growth_left"]) == (29, 2, 24)
    assert one(target, "check", "m")["ok"]
    image.write(groups + 15, b"\x21")  # lookups of two classes go on behind the first group
    assert one(target, "stats", "m")["probes"] == {"1": 14, "2": 2}
    assert one(target, "find", "m 28")["entry"]["value"] == 784
    for offset, word in ((8, 2), (8, 1 << 60), (16, NOWHERE), (32 + 8 * inside, 99)):
        kept = image.read(address + offset, 8)
        image.write_word(address + offset, word)
        with pytest.raises(MapscopeError):
            text(target, "inspect", "m")
        image.write(address + offset, kept)
    image.write(address, words(0, 0, groups, 0) + (words(0, 0)))
    assert one(target, "inspect", "m")["slots"] == 0
