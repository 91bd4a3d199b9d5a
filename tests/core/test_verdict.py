# SPDX-License-Identifier: MIT
"""What is said of a map's hashes: chance is never blamed, and what is no chance is told."""

import math
import random
from collections import Counter
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapscope.flavours.cpp.cpp_hash import hash_integer
from mapscope.maps import chances
from mapscope.maps.batches import Where, pieces_of, some_of
from mapscope.maps.facts import Distribution
from mapscope.maps.hash_sample import HashSample
from mapscope.maps.hash_use import HashUse
from mapscope.maps.verdict import (
    BAD,
    CROWDED,
    EQUAL,
    PLACES_RANDOM,
    RANDOM,
    REGULAR,
    UNKNOWN,
    Verdict,
    bits_text,
    judge,
)
from mapscope.maps.view import MapView
from mapscope.program.values import Decoded

_ALL = (1 << 64) - 1


class Numbers(HashSample):
    """Hashes that a test has made up; keys are numbered."""

    def keys(self, number: int) -> List[Decoded]:
        found: List[Decoded] = []
        found += [at for at, one in enumerate(self.numbers) if one == number][:4]
        return found


@dataclass
class Entries:
    """A map of so many entries, of which nothing else is known."""

    count: int
    repeats: bool
    samples_pieces: bool = False


def use_of(places: int, marks: int = 0xFF << 56) -> HashUse:
    """A table with buckets: by the low bits, where their number is a power of two."""
    power = not places & places - 1

    def seen(where: Where, mark: Optional[int]) -> Optional[int]:
        raise AssertionError("what a test has made up is seen already")

    bits = places - 1 if power else None
    return HashUse(
        places,
        lambda number: number % places,
        bits,
        marks if power else 0,
        seen,
        (bits or 0) | marks,
        lambda where, mark, number: True,
        "bucket",
        "tophash",
    )


def said(
    numbers: Sequence[int],
    places: int,
    how: str = "computed",
    repeats: bool = False,
    total: int = 0,
    cells: Optional[Dict[int, int]] = None,
    bits: int = _ALL,
) -> Verdict:
    """The verdict on these hashes."""
    view, use = cast(MapView, Entries(total or len(numbers), repeats)), use_of(places)
    sample = Numbers(view, how, "" if how in ("computed", "stored") else "nobody knows it", bits)
    sample.numbers = [number & bits for number in numbers]
    sample.whole, sample.sampled = not total, bool(total)
    if cells is None:
        held = Counter(Counter(number % places for number in numbers).values())
        cells = {0: places - sum(held.values()), **held}
    empty: Dict[int, int] = {}
    shown = Distribution(cells, empty, empty, empty, len(numbers), None, None, None, None)
    verdict = judge(view, shown, sample, use)
    assert "\n" not in verdict.text and verdict.form()["text"] == verdict.text
    return verdict


def randoms(seed: int, count: int) -> List[int]:
    """As a good hash has them."""
    chosen = random.Random(seed)
    return [chosen.getrandbits(64) for _ in range(count)]


# --- chance is not blamed ---


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 1 << 60),
    st.one_of(st.integers(32, 64), st.integers(32, 4000)),
    st.one_of(st.integers(1, 14).map(lambda log: 1 << log), st.integers(2, 5000)),
    st.booleans(),
)
def test_random_hashes_look_random(seed: int, count: int, places: int, stored: bool) -> None:
    found = said(randoms(seed, count), places, "stored" if stored else "computed")
    assert found.verdict == RANDOM, found.text
    assert found.stuck == 0 and found.cluster is None and found.text.startswith("looks random: no")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 60), st.integers(64, 3000), st.integers(1, 12))
def test_random_places_look_random(seed: int, count: int, log: int) -> None:
    bits = (1 << log) - 1 | 0xFF << 56
    found = said(randoms(seed, count), 1 << log, "places", bits=bits)
    assert found.verdict == PLACES_RANDOM, found.text
    assert "whether hashes are equal is not known: nobody knows it" in found.text
    # counted alone, where nothing of a hash is in an entry's place
    counted = said(randoms(seed, count), 1009, "")
    assert counted.verdict == (PLACES_RANDOM if count >= 32 else UNKNOWN), counted.text


@pytest.mark.parametrize(
    "entries, places", [(32, 2), (32, 1 << 20), (100, 7), (300, 300), (1000, 64), (2000, 4096)]
)
def test_bounds_of_chance_are_bounds(entries: int, places: int) -> None:
    """What is said to have a chance of 1 in N does not happen more often."""
    chosen, trials = random.Random(entries * places), max(200, 200000 // entries)
    counted: Dict[int, List[int]] = {0: [0] * 4, 1: [0] * 4}
    for _ in range(trials):
        held = Counter(Counter(chosen.randrange(places) for _ in range(entries)).values())
        found = (
            chances.fullest(entries, places, max(held)),
            chances.clumped(entries, places, chances.pairs_in(held)),
        )
        for which, chance in enumerate(found):
            for power in range(1, 4):
                counted[which][power] += chance < -power
    for which in (0, 1):
        for power in range(1, 4):
            expected = trials / 10**power
            assert counted[which][power] <= expected + 6 * math.sqrt(expected) + 3, (which, power)


def test_chances_of_small_cases() -> None:
    """Against all cases, counted one by one."""
    assert chances.equal(3, 3, 1) == pytest.approx(math.log10(1 / 4))
    assert 10 ** chances.equal(23, 2, 8) == pytest.approx(253 / 256)
    assert chances.equal(10, 1, 64) == chances.equal(2, 3, 64) == 0
    # four entries in four places, all in one: 4 of 256
    assert 10 ** chances.fullest(4, 4, 4) == pytest.approx(4 / 256)
    assert chances.fullest(4, 4, 1) == chances.fullest(10, 1, 10) == chances.fullest(0, 4, 2) == 0
    assert chances.clumped(0, 4, 0) == chances.clumped(4, 1, 6) == 0
    assert chances.text(0) == "as chance would" and chances.text(-2) == "chance 1 in 100"
    assert chances.text(-31.7) == "chance 1 in 10^31"
    # large ones end, and are numbers
    assert chances.fullest(1 << 40, 1 << 30, 1 << 30) < -(10**9)
    assert chances.clumped(1 << 24, 1 << 20, (1 << 24) * (1 << 23) / 2) < -(10**6)


# --- what is no chance ---


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 1 << 60),
    st.integers(64, 3000),
    st.integers(4, 300),
    st.booleans(),
    st.sampled_from([64, 32]),
)
def test_an_attack(seed: int, count: int, same: int, power: bool, width: int) -> None:
    """Keys with one hash among others that are random; also where the function has 32 bits."""
    if power:
        width = 64
    numbers = [number >> 64 - width for number in randoms(seed, count)]
    numbers += [numbers[0]] * (same - 1)
    found = said(numbers, 4096 if power else 4099)
    assert found.verdict == EQUAL, found.text
    assert found.text.startswith(f"collision attack or many equal hashes: {same} keys share hash ")
    assert found.cluster is not None and found.cluster.hash == numbers[0]
    assert found.cluster.entries == same and found.cluster.chance < -9
    assert found.cluster.keys == [0, count, count + 1]
    assert "the others look random" in found.text


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 60), st.integers(100, 3000), st.integers(1, 12), st.integers(0, 63))
def test_bits_that_are_the_same(seed: int, count: int, many: int, first: int) -> None:
    """They are found; a table that takes a bucket or a tophash from them has a bad function."""
    mask = (1 << many) - 1 << first & _ALL
    numbers = [number & ~mask for number in randoms(seed, count)]
    found = said(numbers, 1 << 12)
    assert found.stuck == mask and found.value == 0
    used = mask & (0xFF << 56 | (1 << 12) - 1)
    assert (found.verdict == BAD) == bool(used), found.text
    if used:
        assert "the same in all hashes" in found.text
        for bits in filter(None, (used & (1 << 12) - 1, used >> 56 << 56)):
            assert bits_text(bits) + " (of " in found.text
    else:
        assert found.verdict == REGULAR and bits_text(mask) in found.text


def test_pointers_as_they_are() -> None:
    """Multiples of 64 close together: bad for a power of two, no harm to a prime number."""
    numbers = [0x7F0000000000 + 64 * at for at in range(5000)]
    assert said(numbers, 8192).text.startswith(
        "bad hash function: the low 6 bits (of those that choose the bucket) and the high 8 bits "
        "(of the tophash) are the same in all hashes"
    )
    found = said(numbers, 6427)
    assert found.verdict == REGULAR and "no two share a bucket" in found.text
    assert found.share == 0
    # mixed, they are as good as any
    assert said([hash_integer(number, 1) for number in numbers], 8192).verdict == RANDOM


def test_few_different_hashes() -> None:
    """The length of a text, mixed or not."""
    chosen = random.Random(5)
    lengths = [chosen.randrange(5, 60) for _ in range(3000)]
    for numbers in (lengths, [hash_integer(length, 7) for length in lengths]):
        for places in (1024, 3001):
            found = said(numbers, places)
            assert found.verdict == BAD and found.distinct == 55
            assert "3000 keys have 55 different hashes" in found.text


def test_all_hashes_are_one() -> None:
    found = said([7] * 50, 53)
    assert found.verdict == EQUAL and found.text == (
        "all 50 keys that were looked at have hash 0x7 (0, 1, 2, ...): a bad hash function, or "
        "keys chosen to collide"
    )
    few = said([7] * 5, 13)
    assert few.verdict == EQUAL and few.stuck is None


def test_one_bucket_with_different_hashes() -> None:
    numbers = randoms(1, 1000) + [4099 * at for at in range(1, 101)]
    found = said(numbers, 4099)
    assert found.verdict == CROWDED and found.fullest is not None
    assert found.fullest.place == 0 and found.fullest.entries >= 100
    assert found.text.startswith(f"{found.fullest.entries} entries share bucket 0 though they have")
    # where places alone are known
    cells = {0: 1000, 1: 500, 2: 100, 90: 1}
    counted = said([], 1601, "", cells=cells, total=790)
    assert counted.verdict == CROWDED and counted.text.startswith("90 entries share one bucket,")


def test_keys_that_are_there_more_than_once() -> None:
    """They are no collisions."""
    distinct = randoms(3, 300)
    found = said(distinct * 5, 1024, repeats=True)
    assert found.verdict == RANDOM or found.cluster is None or found.cluster.entries <= 4
    once = said([9] * 200, 1024, repeats=True)
    assert once.verdict in (UNKNOWN, EQUAL)


def test_what_is_not_known_is_said() -> None:
    assert said(randoms(1, 10), 8).text == "cannot tell: 10 entries are too few (32 are judged)"
    assert said(randoms(1, 1), 8).text == "cannot tell: one entry is too few (32 are judged)"
    assert said([], 1, "", cells={}, total=500).text == "cannot tell: nobody knows it"
    sampled = said(randoms(1, 4000), 1 << 20, total=10**7)
    assert sampled.verdict == RANDOM and sampled.total == 10**7
    assert sampled.text.endswith("(a sample: 4000 of 10000000 entries)")


def test_names_of_bits() -> None:
    assert bits_text(0x3F) == "the low 6 bits" and bits_text(0xFF << 56) == "the high 8 bits"
    assert bits_text(1) == "the lowest bit" and bits_text(1 << 63) == "the highest bit"
    assert bits_text(0x10) == "bit 4" and bits_text(0xF0) == "bits 4 to 7"
    assert bits_text(0x2F) == "bits 0 to 3 and 5" and bits_text(_ALL) == "all bits"
    assert bits_text(0x5555) == "8 bits"


@given(st.integers(1, 1 << 22), st.floats(0.0001, 1))
def test_pieces_of_an_array(count: int, share: float) -> None:
    """Within it, none twice, about as much as was wanted, and from all over it."""
    end = total = 0
    for first, number in pieces_of(count, share):
        assert first >= end and number > 0
        end, total = first + number, total + number
    assert end <= count and abs(total - count * share) <= 64 and total


@given(st.integers(0, 5000), st.integers(1, 5000))
def test_some_of_many(count: int, wanted: int) -> None:
    """As many as are wanted, each once and in order, the same each time."""
    found = list(some_of(count, wanted))
    assert len(found) == min(count, wanted) and found == sorted(set(found))
    assert found == list(some_of(count, wanted)) and set(found) <= set(range(count))
    if wanted >= 500 and count >= 4 * wanted:
        assert 1 in [b - a for a, b in zip(found, found[1:])], "no two are neighbours"
