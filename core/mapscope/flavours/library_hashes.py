# SPDX-License-Identifier: MIT
"""Hashes of C++ libraries: Abseil's (absl/hash/internal/hash.h) and Boost's
(boost/container_hash/hash.hpp, boost/unordered/detail).

They differ between releases, which debug information does not tell: what is here is proposed to a
table, whose entries prove it or do not.
"""

import re
import struct
from bisect import bisect_left
from functools import partial
from typing import Callable, Iterator, List, Optional, Sequence

from ..program.memory import Memory
from ..program.types import Kind, Type
from ..session import Session
from .std_unordered.std_hash import StdKeyHash, hash_bytes

_MASK = (1 << 64) - 1
_NUMBERS = (Kind.INT, Kind.UINT)
#: what Abseil multiplies by, and the longest text that is hashed as here
_ABSL_MUL, _ABSL_TEXT = 0x9DDFEA08EB382D69, 64
#: what it mixes longer texts with (kHashSalt)
_SALT = (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0)
#: 2**64 by the golden ratio, which Boost multiplies by, and its square; of older releases
_GOLDEN, _SQUARE = 0x9E3779B97F4A7C15, 0xDF442D22CE4859B9
_MURMUR, _ADDED = 0xC6A4A7935BD1E995, 0xE6546B64
_SCOPE = re.compile(r"^(absl::(?:\w+::)*?)container_internal::")


class LibraryHash(StdKeyHash):
    """A hash of numbers or of strings.

    :param of_bytes: the hash of a string's bytes; None: not of these
    :param mixed: what is made of any hash
    :param signed: whether a negative number is extended by its sign
    :param kind_of_length: which lengths of strings are hashed in the same way
    """

    def __init__(
        self,
        memory: Memory,
        key: Type,
        name: str,
        of_bytes: Callable[[bytes], Optional[int]],
        mixed: Callable[[int], int],
        signed: bool = True,
        kind_of_length: Callable[[int], int] = lambda length: min(length, 1),
    ) -> None:
        super().__init__(memory, key)
        self.name = name
        self._of_bytes, self._mixed = of_bytes, mixed
        self._extends, self._kind_of_length = signed, kind_of_length

    def hash_text(self, text: bytes) -> Optional[int]:
        return self._of_bytes(text)

    def many(self, keys: Sequence[bytes]) -> List[Optional[int]]:
        mixed = self._mixed
        return [None if number is None else mixed(number) for number in super().many(keys)]

    def of_text(self, text: bytes) -> Optional[int]:
        found = super().of_text(text)
        return None if found is None else self._mixed(found)

    def kind(self, key: bytes) -> int:
        if len(key) != self._key.size:
            return -1
        if self._key.kind is not Kind.STRING:
            return key[-1] >> 7 if self._key.kind is Kind.INT else 0
        at = self._key.len_offset
        return self._kind_of_length(int.from_bytes(key[at : at + 8], "little"))

    def kind_of_text(self, text: bytes) -> int:
        return self._kind_of_length(len(text))

    def _is_signed(self) -> bool:
        return self._extends and super()._is_signed()


def _folded(one: int, other: int) -> int:
    """Both halves of a product of 128 bits, one upon the other."""
    product = one * other
    return (product ^ product >> 64) & _MASK


# --- Abseil ---


def absl_hashes(session: Session, key: Type, table: str, later: bool) -> Iterator[LibraryHash]:
    """Abseil's own hash of a key.

    :param table: the name of the type of its table, which says in which namespace Abseil is
    :param later: whether it is one of the releases of 2024
    """
    if key.kind not in _NUMBERS and key.kind is not Kind.STRING:
        return
    for seed in absl_seeds(session, table):
        mixed: Callable[[int], int] = partial(_absl_mixed, seed)
        if key.kind is Kind.STRING:
            mixed = same
        text = partial(_absl_text, seed, later)
        yield LibraryHash(session.memory, key, "absl::Hash", text, mixed, not later, _absl_kind)


def absl_seeds(session: Session, table: str) -> List[int]:
    """The addresses that may be the seed of all hashes of a process: of a constant of Abseil's,
    one in each module that has it."""
    match = _SCOPE.match(table)
    if match is None:
        return []
    names = [*match[1].rstrip(":").split("::"), "hash_internal", "MixingHashState", "kSeed"]
    linked = "".join(f"{len(name)}{name}" for name in names)
    return session.target.symbols(f"_ZN{linked}E") or session.target.symbols("::".join(names))


def _absl_kind(length: int) -> int:
    """Lengths that are read in the same way; -1: longer ones."""
    ends = (0, 3, 8, 16, 32, _ABSL_TEXT)
    return -1 if length > _ABSL_TEXT else bisect_left(ends, length)


def _absl_mixed(state: int, number: int) -> int:
    return _folded(state + number & _MASK, _ABSL_MUL)


def _absl_text(seed: int, later: bool, text: bytes) -> Optional[int]:
    size, state = len(text), seed
    if size > _ABSL_TEXT:
        return None
    if size > 16:
        state = _absl_mixed(state, (_absl_later if later else _absl_longer)(seed, text))
    elif size > 8:
        low, high = struct.unpack("<Q", text[:8])[0], struct.unpack("<Q", text[-8:])[0]
        if later:
            low = low >> 53 | low << 11 & _MASK
            turned = state + _ABSL_MUL & _MASK
            state = _folded(turned ^ high, low + turned & _MASK)
        else:
            state = _absl_mixed(_absl_mixed(state, low), high >> 128 - 8 * size)
    elif size:
        state = _absl_mixed(state, _absl_word(text))
    return _absl_mixed(state, size)


def _absl_longer(seed: int, text: bytes) -> int:
    """LowLevelHash of 17 to 64 bytes: by sixteen, and what is left in two pieces."""
    state, at = seed ^ _SALT[0], 0
    while len(text) - at > 16:
        low, high = struct.unpack_from("<QQ", text, at)
        state, at = _folded(low ^ _SALT[1], high ^ state), at + 16
    rest = text[at:]
    low, high = int.from_bytes(rest[:8], "little"), int.from_bytes(rest[-8:], "little")
    if len(rest) <= 8:
        low, high = int.from_bytes(rest[:4], "little"), int.from_bytes(rest[-4:], "little")
    if len(rest) <= 3:
        low, high = rest[0] << 16 | rest[len(rest) >> 1] << 8 | rest[-1], 0
    return _folded(_folded(low ^ _SALT[1], high ^ state), _SALT[1] ^ len(text))


def _absl_later(seed: int, text: bytes) -> int:
    """The same of 2024 (LowLevelHashLenGt16): the last sixteen bytes at the end."""
    state, at = seed ^ _SALT[0], 0
    if len(text) > 32:
        low, high, third, fourth = struct.unpack_from("<4Q", text)
        state = _folded(low ^ _SALT[1], high ^ state) ^ _folded(third ^ _SALT[2], fourth ^ state)
        at = 32
    if len(text) - at > 16:
        low, high = struct.unpack_from("<QQ", text, at)
        state = _folded(low ^ _SALT[1], high ^ state)
    low, high = struct.unpack("<QQ", text[-16:])
    return _folded(low ^ _SALT[1] ^ len(text), high ^ state)


def _absl_word(text: bytes) -> int:
    """Eight bytes at most, of which the first and the last are read, which may overlap."""
    size = len(text)
    if size > 3:
        first, last = (int.from_bytes(part, "little") for part in (text[:4], text[-4:]))
        return first | last << (size - 4) * 8
    return text[0] | text[size // 2] << size // 2 * 8 | text[-1] << (size - 1) * 8


# --- Boost ---


def boost_hashes(
    memory: Memory, key: Type, name: str, ways: Sequence[Callable[[int], int]]
) -> Iterator[LibraryHash]:
    """What a hash function of Boost's, or of the C++ library, gives.

    :param name: of the function
    :param ways: in which a table may mix that
    """
    texts: Sequence[Callable[[bytes], Optional[int]]]
    if name.startswith("boost::hash<"):
        texts = (_boost_text, _older_boost_text) if key.kind is Kind.STRING else (_boost_text,)
    elif name.startswith("std::hash<"):
        texts = (hash_bytes,)
    else:
        return
    for text in texts:
        for mixed in ways:
            yield LibraryHash(memory, key, name, text, mixed)


def same(number: int) -> int:
    """A hash that is not mixed."""
    return number


def golden(number: int) -> int:
    """How tables of slots mix a hash that is not good enough as it is (mulx_mix)."""
    return _folded(number, _GOLDEN)


def mix64(number: int) -> int:
    """How tables with a power of two of buckets do (mix64_policy)."""
    number = (~number + (number << 21)) & _MASK
    number ^= number >> 24
    number = number * 265 & _MASK
    number ^= number >> 14
    number = number * 21 & _MASK
    number ^= number >> 28
    return number * ((1 << 31) + 1) & _MASK


def _boost_text(text: bytes) -> Optional[int]:
    """Of a string, since 1.81 (hash_range.hpp)."""
    size = len(text)
    step = _folded(_GOLDEN, _SQUARE)
    number = step ^ size
    whole = size & ~7
    for (word,) in struct.iter_unpack("<Q", text[:whole]):
        step = step + _GOLDEN & _MASK
        number ^= _folded(word + step & _MASK, _SQUARE)
    step = step + _GOLDEN & _MASK
    number ^= _folded(int.from_bytes(text[whole:], "little") + step & _MASK, _SQUARE)
    return _folded(number + step & _MASK, _SQUARE)


def _older_boost_text(text: bytes) -> Optional[int]:
    """Of a string, from 1.67 to 1.80: each byte, which is signed, is combined with those before."""
    number, mul = 0, _MURMUR
    for byte in text:
        each = (byte - (byte >> 7 << 8)) * mul & _MASK
        number = ((number ^ (each ^ each >> 47) * mul & _MASK) * mul + _ADDED) & _MASK
    return number
