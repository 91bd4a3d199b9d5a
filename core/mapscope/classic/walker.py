# SPDX-License-Identifier: MIT
"""The one walk over an array of classic buckets, in bulk.

What this knows: how to read an array of buckets with the overflow chains behind it in pieces of
about a mebibyte. What it must not know: headers, growth, what keys mean.

An array is given out in chunks; a chunk is a list of Levels, the buckets themselves first, then
all their first overflow buckets, and so on.
"""

from functools import reduce
from math import gcd
from operator import or_
from typing import Callable, Iterator, List, Optional, Sequence, Set, Tuple

from ..cells.layout import BucketLayout
from ..cells.level import BucketArray, Level
from ..errors import MemoryUnreadable
from ..maps.problems import MAX_PROBLEMS, Problem
from ..maps.progress import Progress, no_progress
from ..program.memory import ADDRESS_LIMIT, CHUNK, Memory


#: longest chain followed, in buckets
MAX_CHAIN = 1 << 20
#: bytes of one chain that are read to show it
MAX_CHAIN_BYTES = 256 << 20
#: overflow buckets for each bucket of an array, and beyond that, that a map can have: with one
#: for each bucket it grows to the same size
MOST_OVERFLOW, MORE_OVERFLOW = 8, 1024
#: buckets of the first chunk of a walk; each later one has twice as many, up to memory.CHUNK
FIRST_CHUNK = 64
#: bytes of a page of memory
_PAGE = 4096

#: reads pieces of one size
_Gather = Callable[[Sequence[int], int], List[Optional[bytes]]]


class Walker:
    """Walks arrays of one map.

    :param problems: what is found impossible or unreadable is added here; the
        walk then goes on with what is left
    """

    def __init__(self, memory: Memory, layout: BucketLayout, problems: List[str]) -> None:
        layout.validate()
        self.memory = memory
        self.layout = layout
        self.problems = problems

    def walk(
        self,
        array: BucketArray,
        into_evacuated: bool = True,
        progress: Progress = no_progress,
        visited: Optional[Set[int]] = None,
    ) -> Iterator[List[Level]]:
        """The array's chunks.

        :param into_evacuated: also follow the overflow chains of evacuated
            buckets (they hold entries only while their evacuation runs)
        :param visited: overflow buckets of all walks so far, if chains that join one of an
            earlier chunk are to be noticed, too; those found are added
        """
        left = MOST_OVERFLOW * array.count + MORE_OVERFLOW
        for head in self.heads(array):
            progress(head.owners[0], array.count)
            levels = [head]
            seen: Set[int] = set() if visited is None else visited
            while left > 0:
                following = self._next_level(levels[-1], seen, into_evacuated)
                if following is None:
                    break
                levels.append(following)
                left -= len(following.owners)
                if left <= 0:
                    text = f"{array.name} buckets have more overflow buckets than maps have"
                    self.problem(Problem(text, "overflow-loop", array.address, array.name))
            yield levels

    def piece(
        self, array: BucketArray, first: int, number: int, into_evacuated: bool
    ) -> List[Level]:
        """Some buckets of the array with their overflow buckets, as many as can be read."""
        head, _ = self._head(array, first, number)
        levels = [] if head is None else [head]
        left = MOST_OVERFLOW * number + MORE_OVERFLOW
        seen: Set[int] = set()
        while levels and left > 0:
            following = self._next_level(levels[-1], seen, into_evacuated, self.memory.gather_apart)
            if following is None:
                break
            levels.append(following)
            left -= len(following.owners)
        return levels

    def heads(self, array: BucketArray) -> Iterator[Level]:
        """The array's chunks without their overflow buckets.

        The first chunks are small, for those who want only the first entries.
        """
        most = max(1, CHUNK // self.layout.size)
        wanted = min(most, FIRST_CHUNK)
        # Whole pages are copied faster: where they can, chunks begin and end with one.
        whole = _PAGE // gcd(self.layout.size, _PAGE)
        first = 0
        while first < array.count:
            end = min(first + wanted, array.count)
            if end < array.count and end // whole * whole > first:
                end = end // whole * whole
            head, number = self._head(array, first, end - first)
            if head is None:
                return
            yield head
            del head  # the next one is read to the same place, which is in the processor's cache
            first += number
            wanted = min(most, 2 * wanted)

    def chain(self, array: BucketArray, index: int) -> List[Tuple[int, bytes]]:
        """One chain: (address, bytes) of each bucket; stops at what is wrong."""
        result: List[Tuple[int, bytes]] = []
        address = array.address + index * self.layout.size
        seen = set()
        most = min(MAX_CHAIN, MAX_CHAIN_BYTES // self.layout.size)
        while address and len(result) < most:
            if address in seen:
                self.problem(
                    Problem(
                        f"overflow chain of {array.name} bucket {index} loops at {address:#x}",
                        "overflow-loop",
                        address,
                        array.name,
                        index,
                    )
                )
                break
            seen.add(address)
            if address & 7:
                self.problem(
                    Problem(
                        f"overflow pointer {address:#x} of {array.name} bucket {index}: "
                        "no bucket can be there",
                        "overflow-pointer",
                        address,
                        array.name,
                        index,
                    )
                )
                break
            try:
                data = self.memory.read(address, self.layout.size)
            except MemoryUnreadable as error:
                self.problem(
                    Problem(
                        f"{array.name} bucket {index}: {error}",
                        "unreadable",
                        address,
                        array.name,
                        index,
                    )
                )
                break
            result.append((address, data))
            overflow = data[self.layout.overflow : self.layout.overflow + 8]
            address = int.from_bytes(overflow, "little")
        return result

    def problem(self, found: Problem) -> None:
        """Note what is wrong, within bounds."""
        if found in self.problems:
            return
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(found)

    def _head(self, array: BucketArray, first: int, number: int) -> Tuple[Optional[Level], int]:
        """Buckets first.. of the array, as many of `number` as can be read."""
        size = self.layout.size
        start = array.address + first * size
        while True:
            try:
                data = self.memory.read_chunk(start, number * size)
                break
            except MemoryUnreadable:
                if number == 1:
                    self.problem(
                        Problem(
                            f"{array.name} buckets from {first} of {array.count} on: "
                            f"cannot read {size} bytes at {start:#x}",
                            "unreadable",
                            start,
                            array.name,
                            first,
                        )
                    )
                    return None, 0
                number //= 2
        level = Level(
            array,
            0,
            range(first, first + number),
            range(start, start + number * size, size),
            data,
        )
        return level, number

    def _next_level(
        self,
        level: Level,
        seen: Set[int],
        into_evacuated: bool,
        gather: Optional[_Gather] = None,
    ) -> Optional[Level]:
        """The overflow buckets of a level's buckets.

        :param seen: overflow buckets of this chunk so far; those found are added
        :param gather: reads them; None: Memory.gather
        """
        layout, name = self.layout, level.array.name
        indices, pointers = level.overflows(layout)
        if pointers and level.chain == 0 and not into_evacuated:
            evacuated = level.evacuated(layout)
            kept = [at for at, index in enumerate(indices) if not evacuated[index]]
            indices = [indices[at] for at in kept]
            pointers = [pointers[at] for at in kept]
        if not pointers:
            return None
        if level.chain >= MAX_CHAIN:
            self.problem(
                Problem(
                    f"overflow chain longer than {MAX_CHAIN} buckets",
                    "overflow-loop",
                    level.addresses[0],
                    level.array.name,
                    level.owners[0],
                )
            )
            return None
        fresh = set(pointers)
        first = level.array.address
        end = first + level.array.count * layout.size
        if (
            any([first <= pointer < end for pointer in pointers])
            or len(fresh) < len(pointers)
            or not seen.isdisjoint(fresh)
            or min(pointers) < 4096
            or max(pointers) >= ADDRESS_LIMIT
            or reduce(or_, pointers) & 7
        ):
            kept = self._sound(level, indices, pointers, seen)
            indices = [indices[at] for at in kept]
            pointers = [pointers[at] for at in kept]
        seen |= fresh
        pieces = (gather or self.memory.gather)(pointers, layout.size)
        if None in pieces:
            for index, pointer, piece in zip(indices, pointers, pieces):
                if piece is None:
                    self.problem(
                        Problem(
                            f"overflow chain of {name} bucket {level.owners[index]}: "
                            f"cannot read {layout.size} bytes at {pointer:#x}",
                            "unreadable",
                            pointer,
                            name,
                            level.owners[index],
                        )
                    )
            good = [at for at, piece in enumerate(pieces) if piece is not None]
            indices = [indices[at] for at in good]
            pointers = [pointers[at] for at in good]
        if not pointers:
            return None
        owners = level.owners
        return Level(
            level.array,
            level.chain + 1,
            [owners[index] for index in indices],
            pointers,
            memoryview(b"".join(filter(None, pieces))),
        )

    def _sound(
        self, level: Level, indices: List[int], pointers: List[int], seen: Set[int]
    ) -> List[int]:
        """Positions of the overflow pointers that can be followed; says what is wrong
        with the others."""
        kept: List[int] = []
        here: Set[int] = set()
        first = level.array.address
        end = first + level.array.count * self.layout.size
        for at, (index, pointer) in enumerate(zip(indices, pointers)):
            owner = level.owners[index]
            name = level.array.name
            what = f"{name} bucket {owner}"
            if pointer & 7 or not 4096 <= pointer < ADDRESS_LIMIT:
                text = f"overflow pointer {pointer:#x} of {what}: no bucket can be there"
                self.problem(Problem(text, "overflow-pointer", pointer, name, owner))
            elif pointer in seen or pointer in here or first <= pointer < end:
                text = f"overflow chain of {what} loops or joins another at {pointer:#x}"
                self.problem(Problem(text, "overflow-shared", pointer, name, owner))
            else:
                here.add(pointer)
                kept.append(at)
        return kept
