# SPDX-License-Identifier: MIT
"""Small pieces out of dense memory: cut out of one run of it, or of chunks, they are what single
reads give, beside holes and at the ends of memory too."""

import random
from typing import List, Optional, Tuple

import pytest

from mapscope.errors import MemoryUnreadable
from mapscope.program.memory import ADDRESS_LIMIT, CHUNK, Memory

START = 0x7F0000000000 + 12345 * CHUNK


class Sparse:
    """Memory of regions, which lie apart; each byte tells where it is."""

    def __init__(self, *regions: range) -> None:
        self.regions = regions
        self.reads = 0

    def read(self, address: int, size: int) -> bytes:
        self.reads += 1
        for region in self.regions:
            if region.start <= address and address + size <= region.stop:
                first = address & 0xFF
                pattern = bytes((first + at) & 0xFF for at in range(256))
                return (pattern * (size // 256 + 1))[:size]
        raise MemoryUnreadable(address, size)


def with_hole(hole: int) -> Tuple[Sparse, int, int]:
    """Memory from START + 77 on with a hole of so many bytes; where that begins, and the end."""
    middle = START + 2 * CHUNK + 4096
    end = middle + hole + 2 * CHUNK
    return Sparse(range(START + 77, middle), range(middle + hole, end)), middle, end


def one_by_one(source: Sparse, places: List[int], sizes: List[int]) -> List[Optional[bytes]]:
    """The same by single reads."""
    found: List[Optional[bytes]] = []
    for address, size in zip(places, sizes):
        try:
            found.append(source.read(address, size))
        except MemoryUnreadable:
            found.append(None)
    return found


@pytest.mark.parametrize("hole", [0, 1, 5000, CHUNK, 3 * CHUNK + 4096])
def test_pieces_are_what_single_reads_give(hole: int) -> None:
    rng = random.Random(hole)
    source, middle, end = with_hole(hole)
    memory = Memory(source.read)
    memory.keep_chunks()
    places = [rng.randrange(START - 70, end + 70) for _ in range(1500)]
    places += [middle + at for at in range(-70, 70)] + [middle + hole + at for at in range(-70, 70)]
    places += [end + at for at in range(-70, 10)] + [START + 77 + at for at in range(-9, 70)]
    rng.shuffle(places)
    assert memory.gather(places, 64) == one_by_one(source, places, [64] * len(places))
    sizes = [rng.randrange(0, 200) for _ in places]
    expected = one_by_one(source, places, sizes)
    found = memory.gather_ranges(places, sizes)
    assert [f for f, size in zip(found, sizes) if size] == [
        e for e, size in zip(expected, sizes) if size
    ]


def test_words_that_are_no_addresses_cost_nothing_but_their_own_pieces() -> None:
    source = Sparse(range(START, START + 4 * CHUNK))
    memory = Memory(source.read)
    memory.keep_chunks()
    odd = [0, 8, (1 << 64) - 8, ADDRESS_LIMIT - 8, 1 << 60, START - (1 << 40)]
    places = [START + 64 * at for at in range(3000)] + odd
    assert memory.gather(places[: -len(odd)], 24)[7] == source.read(places[7], 24)
    before = source.reads
    found = memory.gather(places, 24)
    assert source.reads <= before + 3 * len(odd), "what is kept is not read again"
    assert found[-len(odd) :] == [None] * len(odd)
    assert found[: -len(odd)] == [source.read(at, 24) for at in places[: -len(odd)]]


def test_pieces_all_over_memory_are_not_read_with_all_between_them() -> None:
    regions = [range(START + (at << 32), START + (at << 32) + 4096) for at in range(300)]
    source = Sparse(*regions)
    memory = Memory(source.read)
    memory.keep_chunks()
    places = [region.start + 128 for region in regions]
    assert memory.gather(places, 16) == [source.read(at, 16) for at in places]
    assert source.reads < 8 * len(places)
