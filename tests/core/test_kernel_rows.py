# SPDX-License-Identifier: MIT
"""Rows out of memory, and texts in them hashed: with the library of kernels and without, what
single reads and the definition of SipHash give."""

import random
from typing import List, Optional, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapscope.flavours.redis import siphash as fast
from mapscope.kernels import native
from mapscope.program.memory import CHUNK, Memory
from redisprogram import SEED, siphash
from test_memory_runs import START, Sparse, one_by_one, with_hole

LIBRARY = native.load()
BOTH = [
    pytest.param(None, id="Python"),
    pytest.param(
        LIBRARY,
        id="kernels",
        marks=pytest.mark.skipif(LIBRARY is None, reason="the kernels were not built"),
    ),
]


def by(kernels: Optional[native.Kernels], memory: Memory, places: List[int], size: int) -> object:
    """Rows, and which cannot be read."""
    before = native.use(kernels)
    try:
        return memory.gather_rows(places, size)
    finally:
        native.use(before)


def expected(source: Sparse, places: List[int], size: int) -> Tuple[bytes, List[int]]:
    rows = one_by_one(source, places, [size] * len(places))
    unread = [at for at, row in enumerate(rows) if row is None]
    return b"".join([row or bytes(size) for row in rows]), unread


@pytest.mark.parametrize("kernels", BOTH)
@pytest.mark.parametrize("hole", [0, 1, 5000, CHUNK, 3 * CHUNK + 4096])
def test_rows_are_what_single_reads_give(hole: int, kernels: Optional[native.Kernels]) -> None:
    rng = random.Random(hole)
    source, middle, end = with_hole(hole)
    memory = Memory(source.read)
    memory.keep_chunks()
    # from a small part of memory first, so that what is kept of it grows
    near = [rng.randrange(START + CHUNK, START + CHUNK + 5000) for _ in range(300)]
    assert by(kernels, memory, near, 24) == expected(source, near, 24)
    places = [rng.randrange(START - 70, end + 70) for _ in range(1200)]
    places += [middle + at for at in range(-70, 70)] + [middle + hole + at for at in range(-70, 70)]
    places += [end + at for at in range(-70, 10)] + [START + 77 + at for at in range(-9, 70)]
    rng.shuffle(places)
    assert by(kernels, memory, places, 64) == expected(source, places, 64)
    far = places[:500] + [0, 5, 4096, 1 << 46, (1 << 64) - 1, 1 << 64, -9]
    assert by(kernels, memory, far, 24) == expected(source, far, 24)


@pytest.mark.parametrize("kernels", BOTH)
@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.binary(max_size=55), max_size=12), nocase=st.booleans())
def test_texts_in_rows_have_the_hashes_of_the_definition(
    kernels: Optional[native.Kernels], texts: List[bytes], nocase: bool
) -> None:
    # what stands in front of a text and behind it is no part of it
    rows = b"".join([(b"\xa5" * 9 + text).ljust(64, b"\x5a") for text in texts])
    wanted = [siphash(text.lower() if nocase else text) for text in texts]
    before = native.use(kernels)
    try:
        found = fast.siphash_rows(rows, 64, 9, [len(text) for text in texts], SEED, nocase)
    finally:
        native.use(before)
    assert found == wanted


@pytest.mark.skipif(LIBRARY is None, reason="the kernels were not built")
def test_a_text_that_is_longer_than_its_row_is_refused() -> None:
    before = native.use(LIBRARY)
    try:
        with pytest.raises(IndexError):
            fast.siphash_rows(bytes(128), 64, 9, [55, 56], SEED)
    finally:
        native.use(before)
