# SPDX-License-Identifier: MIT
"""SipHash-1-3, by which Rust's RandomState hashes (core::hash::sip), with the table's own keys."""

from typing import List, Optional, Sequence

from ...program.hashing import KeyHash
from ...program.memory import Memory
from ...program.types import Kind, Type

_MASK = (1 << 64) - 1
#: keys that are hashed together, bytes of their strings, and the longest string that is hashed
_TOGETHER, _TOGETHER_BYTES, _LONGEST = 1 << 13, 16 << 20, 1 << 20
#: behind the bytes of a str
_END_OF_TEXT = b"\xff"


def sip13(data: bytes, k0: int, k1: int) -> int:
    """SipHash with one round for each word and three at the end."""
    mask = _MASK
    v0, v1 = k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D
    v2, v3 = k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573
    whole = len(data) & ~7
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, whole, 8)]
    words.append(int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56)
    for at in range(len(words) + 3):
        word = words[at] if at < len(words) else 0
        if at == len(words):
            v2 ^= 0xFF
        v3 ^= word
        v0 = v0 + v1 & mask
        v1 = (v1 << 13 | v1 >> 51) & mask ^ v0
        v0 = (v0 << 32 | v0 >> 32) & mask
        v2 = v2 + v3 & mask
        v3 = (v3 << 16 | v3 >> 48) & mask ^ v2
        v0 = v0 + v3 & mask
        v3 = (v3 << 21 | v3 >> 43) & mask ^ v0
        v2 = v2 + v1 & mask
        v1 = (v1 << 17 | v1 >> 47) & mask ^ v2
        v2 = (v2 << 32 | v2 >> 32) & mask
        v0 ^= word
    return v0 ^ v1 ^ v2 ^ v3


def has_sip_hash(key: Type) -> bool:
    """Whether what is hashed of a key type is known here: numbers, and strings."""
    return key.kind in (Kind.INT, Kind.UINT, Kind.BOOL, Kind.STRING) and key.size <= 32


class SipKeyHash(KeyHash):
    """The hash of one table, for a key type for which has_sip_hash() is true."""

    name = "SipHash-1-3"

    def __init__(self, memory: Memory, key: Type, k0: int, k1: int) -> None:
        self._memory = memory
        self._key = key
        self._k0, self._k1 = k0, k1

    def many(self, keys: Sequence[bytes]) -> List[Optional[int]]:
        if self._key.kind is not Kind.STRING:
            size = self._key.size
            return [sip13(key, self._k0, self._k1) if len(key) == size else None for key in keys]
        found: List[Optional[int]] = []
        for first in range(0, len(keys), _TOGETHER):
            found += self._texts(keys[first : first + _TOGETHER])
        return found

    def of_text(self, text: bytes) -> Optional[int]:
        if self._key.kind is not Kind.STRING:
            return None
        return sip13(text + _END_OF_TEXT, self._k0, self._k1)

    def _texts(self, keys: Sequence[bytes]) -> List[Optional[int]]:
        data, length = self._key.data_offset, self._key.len_offset
        found: List[Optional[int]] = [None] * len(keys)
        places: List[int] = []
        starts: List[int] = []
        sizes: List[int] = []
        total = 0
        for at, key in enumerate(keys):
            if len(key) != self._key.size:
                continue
            count = int.from_bytes(key[length : length + 8], "little")
            if not count:
                found[at] = self.of_text(b"")
            elif count <= _LONGEST and total + count <= _TOGETHER_BYTES:
                total += count
                places.append(at)
                starts.append(int.from_bytes(key[data : data + 8], "little"))
                sizes.append(count)
        for at, text in zip(places, self._memory.gather_ranges(starts, sizes)):
            found[at] = None if text is None else self.of_text(text)
        return found
