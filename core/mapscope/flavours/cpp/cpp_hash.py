# SPDX-License-Identifier: MIT
"""The built-in hashes of the C++ runtime (runtime/include/mapscope/hash.hpp), many at once."""

import struct
from array import array
from typing import List, Optional, Sequence

from ...kernels.hashes import FOLDED, HashFunction
from ...kernels.scanning import Records
from ...program.hashing import KeyHash
from ...program.memory import Memory
from ...program.scattered import hash_texts
from ...program.types import Kind, Type

_MASK = (1 << 64) - 1
_K0 = 0x9E3779B97F4A7C15
_K1 = 0x243F6A8885A308D3
_K2 = 0x13198A2E03707345

#: maptype.hash_kind (layout.h)
INTEGER, FLOAT, STRING = 1, 2, 3
#: keys that are hashed together (the more, the more of their strings lie close together), and
#: bytes of their strings
_TOGETHER, _TOGETHER_BYTES = 1 << 17, 16 << 20
#: longest string that is hashed, in bytes
MAX_TEXT = 1 << 20


#: the functions as kernels compute them; both take the seed's 32 bits
_INTEGER = HashFunction(FOLDED, struct.pack("<3Q", _K0, _K1, _K0))
_BYTES = HashFunction(FOLDED, struct.pack("<3Q", _K0, _K1, _K2))


def _fold(a: int, b: int) -> int:
    product = a * b
    return (product & _MASK) ^ (product >> 64)


def hash_integer(x: int, seed: int) -> int:
    """hash_integer of hash.hpp; x extended to 64 bits by its sign."""
    return _fold(_fold((x & _MASK) ^ _K0 ^ seed, _K1 ^ (seed << 32)), _K0)


def hash_bytes(data: bytes, seed: int) -> int:
    """hash_bytes of hash.hpp."""
    return _hash_texts([data], seed)[0]


def hash_integers(values: Sequence[int], seed: int) -> List[int]:
    """hash_integer of each; extended to 64 bits."""
    if isinstance(values, array) and values.itemsize == 8 and not seed >> 32:
        hashes = _INTEGER.words(values.tobytes(), 8, array("Q", [seed]) * len(values))
        if hashes is not None:
            return hashes.tolist()
    mask, k0 = _MASK, _K0
    first, second = _K0 ^ seed, _K1 ^ (seed << 32)
    found: List[int] = []
    for value in values:
        product = (value & mask ^ first) * second
        product = (product & mask ^ product >> 64) * k0
        found.append(product & mask ^ product >> 64)
    return found


def _hash_texts(texts: Sequence[bytes], seed: int) -> List[int]:
    """hash_bytes of each."""
    hashes = None if seed >> 32 else _BYTES.pieces(texts, array("Q", [seed]) * len(texts))
    if hashes is not None:
        return hashes.tolist()
    mask, number = _MASK, int.from_bytes
    start, last = _K0 ^ seed, _K2 ^ (seed << 32)
    found: List[int] = []
    for text in texts:
        size = len(text)
        s = start
        if size >= 8:
            if size > 16:
                words = memoryview(text[: size & ~7]).cast("Q")
                for at in range(0, (size - 1) // 16 * 2, 2):
                    s = _fold(words[at] ^ _K1, words[at + 1] ^ s)
                text = text[-16:]
            a, b = number(text[:8], "little"), number(text[-8:], "little")
        elif size >= 4:
            a, b = number(text[:4], "little"), number(text[-4:], "little")
        elif size:
            a, b = text[0] | text[size // 2] << 8 | text[-1] << 16, 0
        else:
            a = b = 0
        product = (a ^ _K1) * (b ^ s)
        product = (product & mask ^ product >> 64 ^ size) * last
        found.append(product & mask ^ product >> 64)
    return found


class CppKeyHash(KeyHash):
    """A built-in hash of the runtime, for one map.

    :param kind: INTEGER, FLOAT or STRING
    :param key: the key type
    :param seed: hmap.hash0
    """

    def __init__(self, memory: Memory, kind: int, key: Type, seed: int) -> None:
        self.name = {INTEGER: "hash_integer", FLOAT: "hash_double", STRING: "hash_bytes"}[kind]
        self._memory = memory
        self._kind = kind
        self._key = key
        self._seed = seed

    def many(self, keys: Sequence[bytes]) -> List[Optional[int]]:
        hashes = {INTEGER: self._integers, FLOAT: self._floats, STRING: self._strings}[self._kind]
        result: List[Optional[int]] = []
        for start in range(0, len(keys), _TOGETHER):
            some = keys[start : start + _TOGETHER]
            good = [len(key) == self._key.size for key in some]
            if all(good):
                result += hashes(some)
            else:
                fine = [key if fits else bytes(self._key.size) for key, fits in zip(some, good)]
                result += [h if fits else None for h, fits in zip(hashes(fine), good)]
        return result

    def packed(self, keys: bytes, size: int) -> Optional["array[int]"]:
        type, number = self._key, len(keys) // size
        if size != type.size or self._seed >> 32:
            return None
        if self._kind == INTEGER and size == 8:
            return _INTEGER.words(keys, size, array("Q", [self._seed]) * number)
        places = (type.data_offset, type.len_offset)
        odd = size % 8 or any(place % 8 or place + 8 > size for place in places)
        if self._kind != STRING or odd:
            return None
        words = Records(memoryview(keys), size)
        starts, lengths = (array("Q", words.words(place)) for place in places)
        return hash_texts(self._memory, _BYTES, starts, lengths, self._seed)

    def of_text(self, text: bytes) -> Optional[int]:
        return hash_bytes(text, self._seed) if self._kind == STRING else None

    def _integers(self, keys: Sequence[bytes]) -> List[Optional[int]]:
        code = {1: "b", 2: "h", 4: "i", 8: "q"}.get(self._key.size)
        if code is None:
            return [None] * len(keys)
        if self._key.kind is not Kind.INT:
            code = code.upper()
        values = array(code, b"".join(keys))
        return list(hash_integers(values, self._seed))

    def _floats(self, keys: Sequence[bytes]) -> List[Optional[int]]:
        code = {4: "f", 8: "d"}.get(self._key.size)
        if code is None:
            return [None] * len(keys)
        doubles = array("d", [number + 0.0 for number in array(code, b"".join(keys))])
        hashes: List[Optional[int]] = list(
            hash_integers(memoryview(doubles.tobytes()).cast("Q").tolist(), self._seed)
        )
        for at, number in enumerate(doubles):
            if number != number:  # a random one
                hashes[at] = None
        return hashes

    def _strings(self, keys: Sequence[bytes]) -> List[Optional[int]]:
        if max(self._key.data_offset, self._key.len_offset) + 8 > self._key.size:
            return [None] * len(keys)  # no string looks like that
        starts: List[int] = []
        lengths: List[int] = []
        for key in keys:
            starts.append(_WORD.unpack_from(key, self._key.data_offset)[0])
            lengths.append(_WORD.unpack_from(key, self._key.len_offset)[0])
        result: List[Optional[int]] = [None] * len(keys)
        group: List[int] = []
        total = 0
        for at, length in enumerate(lengths):
            if length > MAX_TEXT:
                continue
            if total + length > _TOGETHER_BYTES:
                self._texts(group, starts, lengths, result)
                group, total = [], 0
            group.append(at)
            total += length
        self._texts(group, starts, lengths, result)
        return result

    def _texts(
        self,
        group: List[int],
        starts: List[int],
        lengths: List[int],
        result: List[Optional[int]],
    ) -> None:
        """Hash some of the strings."""
        filled = [at for at in group if lengths[at]]
        pieces = self._memory.gather_ranges(
            [starts[at] for at in filled], [lengths[at] for at in filled]
        )
        empty = [at for at in group if not lengths[at]]
        good = [at for at, piece in zip(filled, pieces) if piece is not None]
        texts = [piece for piece in pieces if piece is not None]
        texts += [b""] * len(empty)
        for at, number in zip(good + empty, _hash_texts(texts, self._seed)):
            result[at] = number


_WORD = struct.Struct("<Q")
