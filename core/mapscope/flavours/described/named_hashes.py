# SPDX-License-Identifier: MIT
"""Hash functions that a description can name.

Each is computed of the bytes of the key: of a text those of the text, of anything else those of
the value as it lies in memory.
"""

from typing import Callable, Dict, List, Optional, Sequence

from ...program.hashing import KeyHash
from ...program.memory import MAX_BYTES, Memory
from ...program.types import Kind, Type

_M32, _M64 = (1 << 32) - 1, (1 << 64) - 1


def murmur3_32(key: bytes, seed: int) -> int:
    """MurmurHash3_x86_32."""
    result = seed & _M32
    whole = len(key) & ~3
    for at in range(0, whole, 4):
        part = int.from_bytes(key[at : at + 4], "little") * 0xCC9E2D51 & _M32
        part = ((part << 15 | part >> 17) & _M32) * 0x1B873593 & _M32
        result ^= part
        result = ((result << 13 | result >> 19) & _M32) * 5 + 0xE6546B64 & _M32
    if whole < len(key):
        part = int.from_bytes(key[whole:], "little") * 0xCC9E2D51 & _M32
        result ^= ((part << 15 | part >> 17) & _M32) * 0x1B873593 & _M32
    result ^= len(key)
    result = (result ^ result >> 16) * 0x85EBCA6B & _M32
    result = (result ^ result >> 13) * 0xC2B2AE35 & _M32
    return result ^ result >> 16


def fnv1a_32(key: bytes, seed: int) -> int:
    """FNV-1a of 32 bits; the seed, if it is not 0, stands in place of the offset basis."""
    result = seed & _M32 or 0x811C9DC5
    for byte in key:
        result = (result ^ byte) * 0x01000193 & _M32
    return result


def fnv1a_64(key: bytes, seed: int) -> int:
    """FNV-1a of 64 bits; the seed, if it is not 0, stands in place of the offset basis."""
    result = seed & _M64 or 0xCBF29CE484222325
    for byte in key:
        result = (result ^ byte) * 0x100000001B3 & _M64
    return result


def djb2(key: bytes, seed: int) -> int:
    """Bernstein's: times 33, plus the byte, in 32 bits; it begins with 5381, or the seed."""
    result = seed & _M32 or 5381
    for byte in key:
        result = (result * 33 + byte) & _M32
    return result


def identity(key: bytes, seed: int) -> int:
    """The key itself, a number."""
    return int.from_bytes(key[:8], "little")


HASHES: Dict[str, Callable[[bytes, int], int]] = {
    "murmur3-32": murmur3_32,
    "fnv1a-32": fnv1a_32,
    "fnv1a-64": fnv1a_64,
    "djb2": djb2,
    "identity": identity,
}


#: bits of those that have fewer than 64
HASH_BITS = {"murmur3-32": 32, "fnv1a-32": 32, "djb2": 32}


class NamedHash(KeyHash):
    """One of them, with its seed.

    :param type: of the keys
    """

    def __init__(self, memory: Memory, name: str, seed: int, type: Type) -> None:
        self.name = name
        self._memory = memory
        self._compute = HASHES[name]
        self._seed = seed
        self._type = type

    def many(self, keys: Sequence[bytes]) -> List[Optional[int]]:
        compute, seed = self._compute, self._seed
        if self._type.kind is not Kind.STRING:
            size = self._type.size
            return [compute(key[:size], seed) if len(key) >= size else None for key in keys]
        starts = [int.from_bytes(key[:8], "little") for key in keys]
        lengths = [int.from_bytes(key[8:16], "little") for key in keys]
        lengths = [length if length <= MAX_BYTES else 0 for length in lengths]
        # keys that cannot be read have slots of no bytes, which lead nowhere
        pieces = self._memory.gather_ranges(starts, lengths)
        return [
            None if piece is None or len(key) < 16 else compute(piece, seed)
            for key, piece in zip(keys, pieces)
        ]

    def of_text(self, text: bytes) -> Optional[int]:
        return self._compute(text, self._seed) if self._type.kind is Kind.STRING else None
