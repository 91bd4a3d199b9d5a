# SPDX-License-Identifier: MIT
"""Rows that are written in bulk, by the library of kernels and without it: the same text, and the
one that each value has by itself."""

import json
import math
from array import array
from typing import Callable, Dict, List, Optional, Sequence, Tuple, TypeVar

import pytest
from codec import Double, Int, StdString
from cppprogram import CppProgram
from hypothesis import given
from hypothesis import strategies as st
from image import Image
from looking import lines, one, text
from mapscope.kernels import native, writing
from mapscope.kernels.picking import cut, in_order, marked, pick, sums_before
from mapscope.kernels.writing import BOOLEAN, POINTER, SIGNED, STRING, Cells, Rows, ready
from mapscope.program.memory import Memory
from mapscope.program.values import (
    Address,
    Decoded,
    json_form,
    json_style,
    json_text,
    text_form,
    text_or_bytes,
    text_style,
)

LIBRARY = native.load()
needs_library = pytest.mark.skipif(LIBRARY is None, reason="the kernels were not built")
T = TypeVar("T")


def same(work: Callable[[], T]) -> T:
    """What some work gives, by Python alone and by the kernels."""
    found: List[T] = []
    for kernels in (None, LIBRARY):
        before = native.use(kernels)
        try:
            found.append(work())
        finally:
            native.use(before)
    assert found[0] == found[1]
    return found[0]


#: what strings hold: any bytes, and such as are UTF-8 or nearly so
BYTES = st.one_of(
    st.binary(max_size=12),
    st.text(max_size=8).map(lambda one: one.encode("utf-8", "surrogatepass")),
    st.text(st.characters(max_codepoint=0x7F), max_size=12).map(str.encode),
    st.sampled_from([b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xe0\x80\x80", b"\xf0"]),
    st.sampled_from([b'"\\/', b"\x7f\x00\x1f", b"\a\b\t\n\v\f\r", "\u2028\U0010ffff".encode()]),
)


def of_bytes(pieces: Sequence[bytes]) -> Cells:
    lengths = array("Q", map(len, pieces))
    return Cells(STRING, bytearray(b"".join(pieces)), sums_before(lengths))


@st.composite
def columns(draw: st.DrawFn, count: int) -> Tuple[Cells, List[Decoded]]:
    """A column, and its values."""
    kind = draw(st.sampled_from("bBhHiIqQ?ps"))
    if kind == "s":
        pieces = draw(st.lists(BYTES, min_size=count, max_size=count))
        return of_bytes(pieces), list(map(text_or_bytes, pieces))
    if kind in "?p":
        most = 255 if kind == "?" else (1 << 64) - 1
        some = draw(st.lists(st.integers(0, most), min_size=count, max_size=count))
        if kind == "?":
            return Cells(BOOLEAN, array("B", some)), [bool(one) for one in some]
        return Cells(POINTER, array("Q", some)), [Address(one) if one else None for one in some]
    width, signed = array(kind).itemsize, kind.islower()
    low = -1 << 8 * width - 1 if signed else 0
    numbers = st.integers(low, low + (1 << 8 * width) - 1)
    ends = st.sampled_from([low, low + (1 << 8 * width) - 1, 0])
    some = draw(st.lists(st.one_of(numbers, ends), min_size=count, max_size=count))
    return Cells(width + (SIGNED if signed else 0), array(kind, some)), list(some)


def written(rows: Rows, count: int, most: int) -> Tuple[str, List[int]]:
    """All that is written, and which of them are hard."""
    at, found, hard = 0, "", []
    while at < count:
        piece, done = rows.write(at, most)
        assert 0 <= done <= most
        if not done:
            hard.append(at)
        at += done or 1
        found += piece
    return found, hard


@needs_library
@given(st.data())
def test_rows(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    made = [data.draw(columns(count)) for _ in range(data.draw(st.integers(1, 2)))]
    rows: Sequence[int] = range(count)
    if data.draw(st.booleans()):
        rows = data.draw(st.lists(st.integers(0, count - 1), max_size=12))
    hard: Optional[bytearray] = None
    if data.draw(st.booleans()):
        hard = bytearray(data.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count)))
    limit = data.draw(st.integers(0, 6))
    style = json_style() if data.draw(st.booleans()) else text_style(limit)
    words = ["{k: ", ", \\v{", "}\n"][: len(made)] + ["}\n"]
    most = data.draw(st.integers(1, 5))

    def work() -> Tuple[str, List[int]]:
        made_of = [column for column, _ in made]
        return written(Rows(made_of, words, rows, hard, style), len(rows), most)

    found, hard_ones = same(work)
    form = json_text if style.json else (lambda value: text_form(value, limit))
    easy = [row for at, row in enumerate(rows) if at not in hard_ones]
    assert [rows[at] for at in hard_ones] == [row for row in rows if hard and hard[row]]
    expected = ""
    for row in easy:
        values = [form(values[row]) for _, values in made]
        expected += "".join(word + value for word, value in zip(words, [*values, ""]))
    assert found == expected


@needs_library
@given(st.data(), st.text(st.sampled_from('a01x"\\n-é'), max_size=3))
def test_holding(data: st.DataObject, wanted: str) -> None:
    count = data.draw(st.integers(1, 12))
    made = [data.draw(columns(count)) for _ in range(data.draw(st.integers(1, 2)))]
    hard = bytearray(data.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count)))

    def work() -> bytearray:
        marks = bytearray(count)
        words = ["", "\n", "\n"][: len(made) + 1]
        cells = [column for column, _ in made]
        rows = Rows(cells, words, range(count), hard, text_style(0))
        at = 0
        while at < count:
            at += rows.holding(at, 5, wanted, marks) or 1
        return marks

    marks = same(work)
    for row in range(count):
        if not hard[row]:
            assert marks[row] == any(wanted in text_form(values[row]) for _, values in made)


@needs_library
def test_little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that do not fit together are written one after the other, and the largest in Python."""
    monkeypatch.setattr(writing, "_BUFFER", 300)
    pieces = [b"\x01" * size for size in (0, 10, 30, 40, 200, 3)]
    rows = range(len(pieces))
    found, hard = same(
        lambda: written(Rows([of_bytes(pieces)], ["", "\n"], rows, None, json_style()), 6, 9)
    )
    assert not hard and [len(json.loads(line)) for line in found.splitlines()] == [
        0,
        10,
        30,
        40,
        200,
        3,
    ]


@needs_library
@given(st.lists(st.lists(st.integers(0, 3), max_size=6), max_size=4), st.data())
def test_cells(marks: List[List[int]], data: st.DataObject) -> None:
    """Numbers of cells, and the order of theirs, from several pieces."""
    cells = [same(lambda: marked(bytes(8 * some))) for some in marks]
    for some, found in zip(marks, cells):
        assert list(found) == [at for at, mark in enumerate(8 * some) if mark]
    owners = [
        range(first, first + len(some))
        if (first := data.draw(st.integers(-1, 5))) >= 0
        else data.draw(st.lists(st.integers(0, 9), min_size=len(some), max_size=len(some)))
        for some in marks
    ]
    order = list(same(lambda: list(in_order(owners, cells))))
    flat = [of[cell >> 3] for of, some in zip(owners, cells) for cell in some]
    assert order == sorted(range(len(flat)), key=flat.__getitem__)
    code = data.draw(st.sampled_from("bHiQd"))
    width = array(code).itemsize
    for some, found in zip(marks, cells):
        raw = memoryview(bytes(at % 251 for at in range(72 * len(some))))
        picked = same(lambda: pick(raw, 72, 8, width, code, found).tobytes())
        starts = [72 * (cell >> 3) + 8 + width * (cell & 7) for cell in found]
        assert picked == b"".join(bytes(raw[start : start + width]) for start in starts)


@needs_library
@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 40)), max_size=40))
def test_pieces_of_memory(places: List[Tuple[int, int]]) -> None:
    """Whatever can be read of pieces that lie all over memory with a hole in it."""
    image, base = Image(), 0x10000
    data = bytes(at % 253 for at in range(8192))
    image.map_region(base, data[:4000])
    image.map_region(base + 4096, data[4096:])

    def read(address: int, size: int) -> bytes:
        found = image.read(address, size)
        return found

    addresses = array("Q", [base + start for start, _ in places])
    sizes = array("Q", [size for _, size in places])
    packed = same(lambda: Memory(read).pack(addresses, sizes)._replace(data=b""))
    for kernels in (None, LIBRARY):
        before = native.use(kernels)
        try:
            found = Memory(read).pack(addresses, sizes)
        finally:
            native.use(before)
        for at, (start, size) in enumerate(places):
            whole = start + size <= 4000 or (4096 <= start and start + size <= 8192) or not size
            assert (at in packed.missing) != whole
            if whole:
                piece = bytes(found.data[found.offsets[at] : found.offsets[at + 1]])
                assert piece == (data[start : start + size] if size else b"")


@needs_library
def test_cut_ends_where_memory_does() -> None:
    starts, which = array("Q", [100, 104, 109]), array("I", [2, 0, 1])
    offsets, copy = sums_before(array("Q", [4, 4, 4])), bytearray(12)
    for kernels in (None, LIBRARY):
        before = native.use(kernels)
        try:
            assert cut(b"abcdefghijkl", 100, (starts, which, 0, 3), offsets, copy) == 2
            assert cut(None, 100, (starts, which, 1, 3), offsets, copy) == 1
        finally:
            native.use(before)
        assert copy[8:] + copy[:4] == b"abcdefgh"


ODD = [math.nan, math.inf, -math.inf, -0.0, 5e-324, 2.5e-308, 1e16, 1e-5, 0.1, -1.5e300]


@pytest.mark.parametrize("name", ["--json", ""])
def test_floats(name: str) -> None:
    made = CppProgram()
    made.map("m", Int(8, True), Double()).fill(dict(enumerate(ODD)))

    def work() -> List[str]:
        return sorted(text(made.target, "entries", f"m --limit 0 {name}").splitlines()[1:])

    found = same(work) if LIBRARY is not None else work()
    for key, value in enumerate(ODD):
        if name:
            assert f'{{"key": {key}, "value": {json.dumps(json_form(value))}}}' in found
        else:
            assert f"  [{key}] = {text_form(value)}" in found


STRANGE = ["", "a", 'say "no"\\', "tab\there", "line\nend", "é", "\u4e2d", "\U0001f600", "x" * 5000]


@needs_library
def test_commands() -> None:
    """The same answers of the command, with places, --match and limits, and strings that are hard
    to write among others."""
    made = CppProgram()
    made.map("texts", StdString(), StdString()).fill({one: one * 2 for one in STRANGE})
    made.map("mixed", StdString(), Int(4, True)).fill({f"{n}é"[: n % 5]: -n for n in range(60)})
    made.map("numbers", Int(2, True), Int(1)).fill({n - 50: n for n in range(100)})
    for map in ("texts", "mixed", "numbers"):
        for options in (
            *("", "--limit 0", "--limit 3 --offset 2", "--where", "--limit 0 --where"),
            *("--match é", "--match 1", "--match aa", '--match \\\\"', "--match -4 --offset 1"),
        ):
            for form in ("", "--json "):
                line = f"{map} {form}{options}"
                assert same(lambda: text(made.target, "entries", line))
    keys = {row["key"]: row["value"] for row in lines(made.target, "entries", "texts")[1:-1]}
    assert keys == {one: one * 2 for one in STRANGE}


def test_texts_that_are_not_there() -> None:
    """Each is told by itself, and the others are written."""
    made = CppProgram()
    model = made.map("m", Int(8), StdString())
    model.fill({number: f"a long enough text {number}" for number in range(6)})
    where = int(one(made.target, "find", "m 3")["entry"]["value_address"], 16)
    made.image.write_word(where, 0x13370000)

    def work() -> Dict[int, object]:
        rows = lines(made.target, "entries", "m")[1:-1]
        return {row["key"]: row["value"] for row in rows}

    found = same(work) if LIBRARY is not None else work()
    assert "cannot read" in str(found.pop(3)) and len(found) == 5
    assert all(value == f"a long enough text {key}" for key, value in found.items())
    shown = text(made.target, "entries", "m --match enough")
    assert shown.count("a long enough") == 5


def test_ready_texts_stand_as_they_are() -> None:
    texts = ["1.5", "", "-0.0"]
    rows = Rows([ready(texts)], ["", ";"], [2, 0, 1], None, json_style())
    assert rows.write(0, 9) == ("-0.0;1.5;;", 3)
