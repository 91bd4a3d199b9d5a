# SPDX-License-Identifier: MIT
"""std::hash of libstdc++ (functional_hash.h, libsupc++/hash_bytes.cc), many at once."""

import struct
from typing import List, Optional, Sequence

from ...program.hashing import KeyHash
from ...program.memory import Memory
from ...program.types import Kind, Type

_MASK = (1 << 64) - 1
_MUL = 0xC6A4A7935BD1E995
#: of std::hash<std::string> and of floating-point numbers
_SEED = 0xC70F6907
#: keys that are hashed together, bytes of their strings, and the longest string that is hashed
_TOGETHER, _TOGETHER_BYTES, _LONGEST = 1 << 13, 16 << 20, 1 << 20

_INTEGERS = (Kind.INT, Kind.UINT, Kind.BOOL, Kind.ENUM, Kind.POINTER)


def hash_bytes(data: bytes, seed: int = _SEED) -> int:
    """std::_Hash_bytes of 64 bits, which is MurmurHash64A."""
    size, mask, mul = len(data), _MASK, _MUL
    number = seed ^ (size * mul & mask)
    whole = size & ~7
    for (word,) in struct.iter_unpack("<Q", data[:whole]):
        word = word * mul & mask
        number = (number ^ (word ^ word >> 47) * mul & mask) * mul & mask
    if whole != size:
        number = (number ^ int.from_bytes(data[whole:], "little")) * mul & mask
    number = (number ^ number >> 47) * mul & mask
    return number ^ number >> 47


def has_std_hash(key: Type) -> bool:
    """Whether std::hash of a key type is known here."""
    if key.kind is Kind.FLOAT:
        return key.size in (4, 8)
    if key.kind is Kind.STRING:
        return True
    return key.kind in _INTEGERS and key.size <= 8


class StdKeyHash(KeyHash):
    """std::hash of keys of one type, for which has_std_hash() is true."""

    def __init__(self, memory: Memory, key: Type) -> None:
        self.name = f"std::hash<{key.name}>"
        self._memory = memory
        self._key = key

    def many(self, keys: Sequence[bytes]) -> List[Optional[int]]:
        kind, size = self._key.kind, self._key.size
        if kind is Kind.STRING:
            found: List[Optional[int]] = []
            for first in range(0, len(keys), _TOGETHER):
                found += self._texts(keys[first : first + _TOGETHER])
            return found
        if kind is Kind.FLOAT:
            return [self._float(key) for key in keys]
        # converted to size_t: the bits of an integer, extended by its sign
        number, signed = int.from_bytes, self._is_signed()
        return [
            number(key, "little", signed=signed) & _MASK if len(key) == size else None
            for key in keys
        ]

    def of_text(self, text: bytes) -> Optional[int]:
        return self.hash_text(text) if self._key.kind is Kind.STRING else None

    def hash_text(self, text: bytes) -> Optional[int]:
        """The hash of a string's bytes."""
        return hash_bytes(text)

    def _is_signed(self) -> bool:
        if self._key.kind is Kind.ENUM:
            # by its values alone; an enumerator below 0 needs a signed type
            return any(value < 0 for value in self._key.names)
        return self._key.kind is Kind.INT

    def _float(self, key: bytes) -> Optional[int]:
        if len(key) != self._key.size:
            return None
        number = struct.unpack("<f" if len(key) == 4 else "<d", key)[0]
        if number != number:
            return None  # a NaN is no key that a lookup finds
        return hash_bytes(key) if number else 0

    def _texts(self, keys: Sequence[bytes]) -> List[Optional[int]]:
        size = self._key.size
        data, length = self._key.data_offset, self._key.len_offset
        places: List[int] = []
        starts: List[int] = []
        sizes: List[int] = []
        found: List[Optional[int]] = [None] * len(keys)
        total = 0
        for at, key in enumerate(keys):
            if len(key) != size:
                continue
            count = int.from_bytes(key[length : length + 8], "little")
            if not count:
                found[at] = self.hash_text(b"")
            elif count <= _LONGEST and total + count <= _TOGETHER_BYTES:
                total += count
                places.append(at)
                starts.append(int.from_bytes(key[data : data + 8], "little"))
                sizes.append(count)
        for at, text in zip(places, self._memory.gather_ranges(starts, sizes)):
            found[at] = None if text is None else self.hash_text(text)
        return found
