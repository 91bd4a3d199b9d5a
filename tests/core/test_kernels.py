# SPDX-License-Identifier: MIT
"""The library of kernels and what stands for it in Python: the same results on the same bytes, and
the same answers of commands."""

import os
import random
import subprocess
import sys
from array import array
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple, TypeVar

import pytest
from codec import Int, StdString
from cppprogram import CppProgram
from goprogram import number_map
from hypothesis import given
from hypothesis import strategies as st
from image import FakeTarget, Image
from looking import text
from mapscope.cells.tophashes import equal_tophashes
from mapscope.flavours.cpp import cpp_hash
from mapscope.go.memhash import AesHash, FallbackHash, MemoryHash
from mapscope.kernels import native
from mapscope.kernels.scanning import (
    Cells,
    Histogram,
    Links,
    Looked,
    Records,
    Survey,
    anchor,
    put,
    reach,
    sort,
    sums,
    take,
)
from mapscope.program.memory import Memory
from mapscope.program.scattered import hash_texts
from model import ClassicMap, mixed

CORE = Path(__file__).resolve().parents[2] / "core"
LIBRARY = native.load()
T = TypeVar("T")
needs_library = pytest.mark.skipif(LIBRARY is None, reason="the kernels were not built")


def by(kernels: Optional[native.Kernels], work: Callable[[], T]) -> T:
    """What some work gives with these kernels, or by Python alone."""
    before = native.use(kernels)
    try:
        return work()
    finally:
        native.use(before)


def same(work: Callable[[], T]) -> T:
    """What it gives either way."""
    expected = by(None, work)
    assert by(LIBRARY, work) == expected
    return expected


#: mostly 0, as overflow pointers are
WORDS = st.one_of(st.just(0), st.just(0), st.integers(0, (1 << 64) - 1))


@st.composite
def records(draw: st.DrawFn) -> Tuple[Records, int]:
    """Records of any bytes, and the offset of a word in them."""
    words = draw(st.integers(1, 5))
    number = draw(st.integers(0, 40))
    column = draw(st.integers(0, words - 1))
    data = bytearray(draw(st.binary(min_size=8 * words * number, max_size=8 * words * number)))
    for at in range(number if draw(st.booleans()) else 0):
        start = 8 * (words * at + column)
        data[start : start + 8] = draw(WORDS).to_bytes(8, "little")
    if not number or draw(st.booleans()):
        return Records(memoryview(bytes(data)), 8 * words), 8 * column
    base = draw(st.integers(0, 1 << 40))
    starts = st.integers(base, base + 8 * words * (number - 1))
    places = array("Q", draw(st.lists(starts, max_size=20)))
    return Records(memoryview(data), 8 * words, places, base), 8 * column


@needs_library
@given(records(), st.integers(1, 8), st.integers(0, 255), st.integers(0, 255))
def test_records(made: Tuple[Records, int], width: int, one: int, other: int) -> None:
    found, offset = made
    low, high = min(one, other), max(one, other)
    counts, histogram = same(lambda: found.count(offset, width, low, high))
    assert len(counts) == len(found) == sum(histogram)
    assert same(lambda: found.total(offset, width, low, high)) == sum(counts)
    but = bytes(count & 1 for count in counts)
    for left_out in (None, but):
        links: Links = same(lambda: found.links(offset, left_out))
        assert len(links.indices) == len(links.words)
        assert same(lambda: sums(None, counts, links.indices)) is not None
        before = array("I", range(7, 7 + len(found)))
        same(lambda: sums(before, counts, links.indices))


@needs_library
@given(st.lists(records(), max_size=3), st.integers(0, 255), st.integers(0, 50), st.booleans())
def test_survey(
    made: List[Tuple[Records, int]], low: int, ahead_from: int, but_marked: bool
) -> None:
    def looked() -> Tuple[object, ...]:
        survey = Survey(Looked((low, 255), (low // 2, low), 0, but_marked))
        for found, _ in made:
            survey.add(Records(found.data, found.stride), ahead_from)
        links = survey.links()
        return survey.histogram, survey.marked, survey.ahead, survey.together, links

    same(looked)


@needs_library
@given(records(), st.integers(0, 255), st.integers(0, 255), st.integers(1, 5), st.data())
def test_cells(
    made: Tuple[Records, int], one: int, other: int, width: int, data: st.DataObject
) -> None:
    """Cells that fit, and with one that does not."""
    found = Records(made[0].data, made[0].stride)
    width = min(width, found.stride // 8)
    low, high = min(one, other), max(one, other)
    cells: Cells = same(lambda: found.cells(low, high, 0, width, width))
    assert len(cells.positions) == len(cells.marks) == found.total(0, 8, low, high)
    table, mask = bytes(range(256)), 0xFFFF
    first = data.draw(st.integers(0, 1000))
    owners: Sequence[int] = range(first, first + len(found))
    if data.draw(st.booleans()):
        owners = [first + 3 * at for at in range(len(found))]
    numbers = [
        mark << 56 | owners[at >> 3] | 0xAB0000 for mark, at in zip(cells.marks, cells.positions)
    ]
    assert same(lambda: cells.fit(array("Q", numbers), table, mask, owners))
    if numbers:
        at = data.draw(st.integers(0, len(numbers) - 1))
        numbers[at] ^= data.draw(st.sampled_from([1, 1 << 15, 1 << 63]))
        assert not same(lambda: cells.fit(array("Q", numbers), table, mask, owners))


@needs_library
@given(st.binary(max_size=160), st.booleans(), st.integers(0, 6))
def test_equal_tophashes(data: bytes, both: bool, spread: int) -> None:
    tops = bytes(byte >> spread for byte in data[: len(data) // 16 * 8])
    others = bytes(byte >> spread for byte in data[len(tops) : 2 * len(tops)]) if both else None
    same(lambda: list(equal_tophashes(tops, others)))


@needs_library
@given(st.lists(st.tuples(WORDS, st.integers(0, 3)), max_size=50), st.randoms())
def test_columns_of_words(pairs: List[Tuple[int, int]], chance: random.Random) -> None:
    starts = [start & 0xFFFFFF for start, _ in pairs]
    lengths = array("Q", [length for _, length in pairs])

    def anchored() -> Tuple[object, ...]:
        changed = array("Q", starts)
        order, longest = anchor(changed, lengths)
        return changed, order, longest, reach(changed, lengths)

    same(anchored)
    order = list(range(len(pairs)))
    chance.shuffle(order)
    indices = array("I", order)
    taken = same(lambda: take(array("Q", starts), indices))
    assert same(lambda: put(taken, indices)).tolist() == starts


# --- hashes ---


def functions(schedule: bytes, key: int) -> List[MemoryHash]:
    """Go's, with these random keys of a process."""
    keys = [key, 3, 5 * key & (1 << 64) - 1, 7]
    return [AesHash(schedule), FallbackHash(keys, 19), FallbackHash(keys, 23)]


#: of all classes of lengths
TEXTS = st.integers(0, 300).flatmap(lambda size: st.binary(min_size=size, max_size=size))
SEEDS = st.integers(0, (1 << 64) - 1)


@needs_library
@given(st.lists(st.tuples(TEXTS, SEEDS), min_size=1, max_size=6), st.randoms())
def test_hashes(pairs: List[Tuple[bytes, int]], chance: random.Random) -> None:
    schedule = chance.randbytes(128)
    texts, seeds = [text for text, _ in pairs], [seed for _, seed in pairs]
    for hashes in functions(schedule, chance.getrandbits(64)):
        same(lambda: hashes.memory(texts, seeds))
        for width in (4, 8):
            words = chance.randbytes(width * len(seeds))
            same(lambda: hashes.words(words, width, seeds))
    for seed in seeds:
        same(lambda: [cpp_hash.hash_bytes(text, seed & 0xFFFFFFFF) for text in texts])
        values = array("q", chance.randbytes(8 * len(texts)))
        same(lambda: cpp_hash.hash_integers(values, seed & 0xFFFFFFFF))


@needs_library
@given(st.permutations(range(64)), st.lists(st.binary(max_size=64), min_size=1, max_size=30))
def test_texts_all_over_memory(places: List[int], texts: List[bytes]) -> None:
    """Each is hashed from where it is, or none is."""
    image, begin = Image(), (1 << 21) - (1 << 12)
    image.map_region(begin, bytes(1 << 13))
    hole = 1 << 16  # between one half of them and the other
    image.map_region(begin + hole, bytes(1 << 13))
    starts = array(
        "Q",
        [begin + 4032 + 64 * place + hole * (place & 1) for place in places[: len(texts)]],
    )
    for at, some in enumerate(texts):
        if some:
            image.write(starts[at], some)
        else:
            starts[at] = (0, 1, 1 << 62, 1 << 63)[at % 4]
    memory, function = Memory(image.read), AesHash(bytes(range(128)))
    lengths = array("Q", map(len, texts))

    def hashed() -> Optional[List[int]]:
        found = hash_texts(memory, function.function, starts, lengths, 77)
        return None if found is None else found.tolist()

    assert by(LIBRARY, hashed) == by(None, lambda: function.memory(texts, [77] * len(texts)))
    assert by(None, hashed) is None
    lengths[-1], starts[-1] = 5, begin + (1 << 13) - 4
    assert by(LIBRARY, hashed) is None
    lengths[-1], starts[-1] = 1 << 40, begin
    assert by(LIBRARY, hashed) is None


@needs_library
@given(st.lists(st.one_of(WORDS, st.integers(1 << 40, (1 << 40) + 64)), max_size=200))
def test_sort(words: List[int]) -> None:
    def sorted_words() -> Tuple[bool, List[int], List[int]]:
        some, more = array("Q", words), array("I", range(len(words)))
        return sort(some, more), some.tolist(), more.tolist()

    twice, found, _ = same(sorted_words)
    assert (twice, found) == (len(set(words)) < len(words), sorted(words))


@needs_library
@given(st.lists(st.tuples(st.integers(0, 1 << 23) | st.integers(4080, 4100), st.integers(0, 8))))
def test_histogram(pairs: List[Tuple[int, int]]) -> None:
    """Also where a few of the numbers are too large for the kernel's own."""

    def moved() -> Dict[int, int]:
        histogram = Histogram()
        for before, _ in pairs:
            histogram.move(array("I", [0]), b"\0")
            histogram.add([0] * min(before, 4100) + [1])
        histogram.move(
            array("I", [min(before, 4100) for before, _ in pairs]), bytes(more for _, more in pairs)
        )
        return histogram.form()

    found = same(moved)
    assert list(found) == sorted(found)
    assert sum(found.values()) == len(pairs)


@needs_library
@pytest.mark.parametrize("place", [99, 169, 1 << 63, 0])
def test_what_is_not_in_the_buffer_is_not_read(place: int) -> None:
    found = Records(memoryview(bytearray(80)), 16, array("Q", [100, place]), 100)
    for kernels in (None, LIBRARY):
        with pytest.raises(IndexError):
            by(kernels, lambda: found.count(0, 8, 0, 255))
        with pytest.raises(IndexError):
            by(kernels, lambda: found.links(8))


# --- answers ---


def growing(target: FakeTarget, model: ClassicMap) -> Iterator[FakeTarget]:
    """A map at some points of its growth, with overflow buckets."""
    for number in range(0, 400, 25):
        model.fill({key: key for key in range(number, number + 25)})
        yield target


def go_maps() -> Iterator[FakeTarget]:
    yield from growing(*number_map())


def cpp_maps() -> Iterator[FakeTarget]:
    program = CppProgram()
    model = program.map("m", Int(8), StdString())
    for number in range(0, 200, 25):
        model.fill({key: "x" * key for key in range(number, number + 25)})
        yield program.target


def looping() -> Iterator[FakeTarget]:
    """Chains that lead into themselves, into another, nowhere, and into the array."""
    for damage in range(4):
        target, model = number_map(hasher=lambda key, seed: mixed(key, seed) & ~2)
        model.fill({key: key for key in range(100)})
        chains = [model.chain(model.get("buckets"), index) for index in range(1 << model.get("B"))]
        long = [chain for chain in chains if len(chain) > 1]
        assert len(long) > 1, "no overflow buckets"
        to = (long[0][1], long[1][1], 0x1001, long[1][0])[damage]
        model.image.write(long[0][-1] + model.shape.size - 8, to.to_bytes(8, "little"))
        yield target


@needs_library
@pytest.mark.parametrize("made", [go_maps, cpp_maps, looping])
def test_answers_are_the_same(made: Callable[[], Iterator[FakeTarget]]) -> None:
    for target in made():
        for command in ("stats", "inspect", "check"):
            shown = same(lambda: text(target, command, "m"))
            assert len(shown) > 100


# --- the library itself ---


def test_nothing_loads_it_before_it_is_needed() -> None:
    code = (
        "import sys; from mapscope import shell; from mapscope.classic import tally;"
        "from mapscope.kernels import native; small = native.kernels_for(1000);"
        "print(small, 'ctypes' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=CORE, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "None False\n"


def test_where_it_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MAPSCOPE_KERNELS", "off")
    assert native.candidates() == [] and native.load() is None
    monkeypatch.setenv("MAPSCOPE_KERNELS", "/nowhere/at/all.so")
    assert native.candidates() == ["/nowhere/at/all.so"] and native.load() is None
    monkeypatch.delenv("MAPSCOPE_KERNELS")
    older, newer = (tmp_path / "build" / name / "kernels" / native.FILE for name in ("a", "b"))
    for at, path in enumerate((older, newer)):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"no library")
        os.utime(path, (at, at))
    monkeypatch.setattr(native, "_ROOT", str(tmp_path))
    assert native.candidates() == [str(newer), str(older)]
    assert native.load() is None
    installed = tmp_path / "lib" / "mapscope" / native.FILE
    installed.parent.mkdir(parents=True)
    installed.write_bytes(b"")
    monkeypatch.setattr(native, "_ROOT", str(tmp_path / "share" / "mapscope"))
    assert native.candidates() == [str(installed)]


@needs_library
def test_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert LIBRARY is not None
    monkeypatch.setattr(native, "ABI", native.ABI + 1)
    with pytest.raises(OSError, match="version"):
        native.Kernels(LIBRARY.path)
    assert native.load() is None
