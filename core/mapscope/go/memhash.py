# SPDX-License-Identifier: MIT
"""Go's hash functions of plain memory: memhash, memhash32, memhash64, on amd64.

Two kinds, chosen when the program starts by what the processor can: one of AES rounds
(runtime/asm_amd64.s of Go 1.17 to 1.26, internal/runtime/maps/memhash_amd64.s and
memhash_aes_simd.go of 1.27) and one of multiplications (runtime/hash64.go;
internal/runtime/maps/runtime_hash64.go of 1.27). Both take random keys of the process.
"""

import struct
from abc import ABC, abstractmethod
from array import array
from typing import Dict, List, Sequence

from ..kernels.hashes import AES, MIXED, HashFunction
from .aes_planes import (
    Rows,
    aesenc,
    constant_rows,
    low_words,
    picked_rows,
    rows_of,
    rows_of_words,
    xor,
)

_MASK = (1 << 64) - 1
#: bytes of runtime.aeskeysched and of runtime.hashkey (runtime/alg.go)
SCHEDULE_SIZE, HASHKEY_SIZE = 128, 32
#: keys whose states are computed together; more take memory, and no less time
_STATES = 1 << 14


class MemoryHash(ABC):
    """The memory hashes of one process.

    :ivar name: for readers
    :ivar function: the same, as kernels compute it
    """

    name: str = ""

    def __init__(self, function: HashFunction) -> None:
        self.function = function

    def words(self, data: bytes, size: int, seeds: Sequence[int]) -> List[int]:
        """memhash32 or memhash64 of each value.

        :param data: the values, one behind the other
        :param size: of each: 4 or 8 bytes
        :param seeds: of each
        """
        found = self.function.words(data, size, seeds)
        return self.words_in_python(data, size, seeds) if found is None else found.tolist()

    def memory(self, pieces: Sequence[bytes], seeds: Sequence[int]) -> List[int]:
        """memhash of each piece.

        :param seeds: of each
        """
        found = self.function.pieces(pieces, seeds)
        return self.memory_in_python(pieces, seeds) if found is None else found.tolist()

    @abstractmethod
    def words_in_python(self, data: bytes, size: int, seeds: Sequence[int]) -> List[int]:
        """What `words` gives, without kernels."""

    @abstractmethod
    def memory_in_python(self, pieces: Sequence[bytes], seeds: Sequence[int]) -> List[int]:
        """What `memory` gives, without kernels."""


class AesHash(MemoryHash):
    """What memhash is on processors with AES instructions.

    :param schedule: runtime.aeskeysched
    """

    name = "AES"

    def __init__(self, schedule: bytes) -> None:
        super().__init__(HashFunction(AES, schedule))
        self._schedule = schedule

    def words_in_python(self, data: bytes, size: int, seeds: Sequence[int]) -> List[int]:
        if len(seeds) <= _STATES:
            return self._words(data, size, seeds)
        result: List[int] = []
        for start in range(0, len(seeds), _STATES):
            end = start + _STATES
            result += self._words(data[size * start : size * end], size, seeds[start:end])
        return result

    def _words(self, data: bytes, size: int, seeds: Sequence[int]) -> List[int]:
        count = len(seeds)
        planes = [data[at::size] for at in range(size)] + [bytes(count)] * (8 - size)
        state = rows_of_words(array("Q", seeds).tobytes(), planes)
        for start in range(0, 48, 16):
            key = constant_rows(self._schedule[start : start + 16], count)
            state = aesenc(state, key, count)
        return low_words(state, count)

    def memory_in_python(self, pieces: Sequence[bytes], seeds: Sequence[int]) -> List[int]:
        result: List[int] = []
        for start in range(0, len(pieces), _STATES):
            end = start + _STATES
            result += self._memory(pieces[start:end], seeds[start:end])
        return result

    def _memory(self, pieces: Sequence[bytes], seeds: Sequence[int]) -> List[int]:
        lengths = list(map(len, pieces))
        only = _length_class(min(lengths))
        if only == _length_class(max(lengths)):
            return self._of_class(only, pieces, seeds)
        classes: Dict[int, List[int]] = {}
        for at, length in enumerate(lengths):
            classes.setdefault(_length_class(length), []).append(at)
        result = [0] * len(lengths)
        for name, members in classes.items():
            some = [pieces[at] for at in members]
            found = self._of_class(name, some, [seeds[at] for at in members])
            for at, number in zip(members, found):
                result[at] = number
        return result

    def _of_class(self, name: int, pieces: Sequence[bytes], seeds: Sequence[int]) -> List[int]:
        """Of pieces that are all of one class of lengths."""
        if name == 0:
            return self._empty(seeds)
        if name <= 8:
            return self._ends(pieces, seeds, name)
        return self._long(pieces, seeds, name - 8)

    def _scrambled(self, lengths: Sequence[int], seeds: Sequence[int], lanes: int) -> Rows:
        """Of each lane: the seed and four times 16 bits of the length, with that lane's part of
        the schedule, one round."""
        if len(seeds) > 256 > max(lengths) and seeds.count(seeds[0]) == len(seeds):
            # but a few different ones
            kinds = sorted(set(lengths))
            some = self._scrambled(kinds, [seeds[0]] * len(kinds), lanes)
            return picked_rows(some, kinds, bytes(lengths), lanes)
        low = bytes([length & 0xFF for length in lengths])
        high = bytes([length >> 8 & 0xFF for length in lengths])
        state = rows_of_words(array("Q", seeds).tobytes(), (low, high) * 4, lanes)
        state = xor(state, constant_rows(self._schedule[: 16 * lanes], len(seeds)))
        return aesenc(state, state, lanes * len(seeds))

    def _empty(self, seeds: Sequence[int]) -> List[int]:
        state = self._scrambled([0] * len(seeds), seeds, 1)
        return low_words(aesenc(state, state, len(seeds)), len(seeds))

    def _ends(self, pieces: Sequence[bytes], seeds: Sequence[int], lanes: int) -> List[int]:
        """Of up to 128 bytes: half of the lanes begin at the first byte, half end at the last."""
        count = len(pieces)
        if lanes == 1:
            data = rows_of([(b"".join([piece.ljust(16, b"\0") for piece in pieces]), 0, 16)])
        else:
            size = 8 * lanes
            first = b"".join([piece[:size] for piece in pieces])
            last = b"".join([piece[-size:] for piece in pieces])
            starts = range(0, size, 16)
            data = rows_of([(half, at, size) for half in (first, last) for at in starts])
        state = xor(data, self._scrambled(list(map(len, pieces)), seeds, lanes))
        return self._finished(state, count, lanes)

    def _long(self, pieces: Sequence[bytes], seeds: Sequence[int], blocks: int) -> List[int]:
        """Of more than 128 bytes: the last 128, then all blocks of 128 as round keys.

        :param blocks: that begin before the last byte of each but one
        """
        count, size = len(pieces), 128 * blocks
        last = b"".join([piece[-128:] for piece in pieces])
        data = rows_of([(last, at, 128) for at in range(0, 128, 16)])
        state = xor(data, self._scrambled(list(map(len, pieces)), seeds, 8))
        body = b"".join([piece[:size] for piece in pieces])
        for start in range(0, size, 128):
            state = aesenc(state, state, 8 * count)
            key = rows_of([(body, start + at, size) for at in range(0, 128, 16)])
            state = aesenc(state, key, 8 * count)
        return self._finished(state, count, 8)

    @staticmethod
    def _finished(state: Rows, count: int, lanes: int) -> List[int]:
        for _ in range(3):
            state = aesenc(state, state, lanes * count)
        return low_words(state, count, lanes)


def _length_class(length: int) -> int:
    """0: empty; 1, 2, 4, 8: so many lanes; 8 + n: n blocks of 128 bytes and a last one."""
    if length <= 16:
        return 1 if length else 0
    if length <= 128:
        return 2 if length <= 32 else 4 if length <= 64 else 8
    return 8 + (length - 1 >> 7)


#: constants of the multiplications (m1 to m5 in runtime/hash64.go); since Go 1.23 the process's
#: own keys stand for the first four
_M1 = 0xA0761D6478BD642F
_M2, _M3, _M4 = 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3, 0x589965CC75374CC3
_M5 = 0x1D8E4E27C47D124F


def _mix(a: int, b: int) -> int:
    product = a * b
    return product & _MASK ^ product >> 64


class FallbackHash(MemoryHash):
    """What memhash is without AES instructions.

    :param keys: runtime.hashkey
    :param minor: the N of go1.N
    """

    name = "multiplication"

    def __init__(self, keys: Sequence[int], minor: int) -> None:
        if minor >= 23:
            self._keys = tuple(keys)
        else:
            self._keys = (keys[0] ^ _M1, _M2, _M3, _M4)
        super().__init__(HashFunction(MIXED, struct.pack("<5Q", *self._keys, _M5)))

    def words_in_python(self, data: bytes, size: int, seeds: Sequence[int]) -> List[int]:
        k0, k1 = self._keys[:2]
        values = memoryview(data).cast("I" if size == 4 else "Q").tolist()
        last = _M5 ^ size
        mask = _MASK
        found: List[int] = []
        for value, seed in zip(values, seeds):
            product = (value ^ k1) * (value ^ seed ^ k0)
            product = (product & mask ^ product >> 64) * last
            found.append(product & mask ^ product >> 64)
        return found

    def memory_in_python(self, pieces: Sequence[bytes], seeds: Sequence[int]) -> List[int]:
        k0, k1, k2, k3 = self._keys
        number = int.from_bytes
        mask = _MASK
        found: List[int] = []
        for piece, seed in zip(pieces, seeds):
            seed ^= k0
            size = len(piece)
            if size <= 3:
                if not size:
                    found.append(seed)
                    continue
                a, b = piece[0] | piece[size >> 1] << 8 | piece[-1] << 16, 0
            elif size <= 8:
                a = number(piece[:4], "little") if size < 8 else number(piece, "little")
                b = number(piece[-4:], "little") if size < 8 else a
            else:
                if size > 16:
                    piece, seed = self._body(piece, seed, k1, k2, k3)
                a, b = number(piece[:8], "little"), number(piece[-8:], "little")
            product = (a ^ k1) * (b ^ seed)
            product = (product & mask ^ product >> 64) * (_M5 ^ size)
            found.append(product & mask ^ product >> 64)
        return found

    @staticmethod
    def _body(piece: bytes, seed: int, k1: int, k2: int, k3: int) -> "tuple[bytes, int]":
        """What the last 16 bytes are hashed with, and these; of more than 16 bytes."""
        size = len(piece)
        words = memoryview(piece[: size & ~7]).cast("Q")
        at, left = 0, size
        if left > 48:
            second = third = seed
            while left > 48:
                seed = _mix(words[at] ^ k1, words[at + 1] ^ seed)
                second = _mix(words[at + 2] ^ k2, words[at + 3] ^ second)
                third = _mix(words[at + 4] ^ k3, words[at + 5] ^ third)
                at, left = at + 6, left - 48
            seed ^= second ^ third
        while left > 16:
            seed = _mix(words[at] ^ k1, words[at + 1] ^ seed)
            at, left = at + 2, left - 16
        return piece[-16:], seed
