# SPDX-License-Identifier: MIT
"""Keys in cells: which of them are the same key, and where their hashes put them."""

from array import array
from typing import List, Optional, Sequence, Tuple

from ..kernels.native import kernels_for
from ..program.hashing import ANOTHER, LEAST, KeyHash
from ..program.memory import MAX_BYTES, Memory
from ..program.types import Kind, Type
from ..program.values import (
    DebuggerText,
    Decoded,
    Decoder,
    InterfaceValue,
    StructValue,
    Unreadable,
    text_form,
)
from .batches import Column
from .report import Report
from .view import MapView

#: kinds whose equal values have equal bytes, and the other way round
_PLAIN = (Kind.BOOL, Kind.INT, Kind.UINT, Kind.ENUM, Kind.POINTER, Kind.FUNC, Kind.CHAN)
#: bytes of a text that are compared together with others
_SHORT = 4096
#: keys whose texts are read together
_MANY = 1 << 17
#: the same where kernels read them: memory is gone through fewer times
_MORE = 1 << 19
#: bytes of longer texts that are compared in one check
_BUDGET = 4 * MAX_BYTES


class Hashed:
    """A map's hash function, as far as keys agree with it.

    :ivar hash: None where it is not known, not wanted, or no key has agreed with it
    """

    def __init__(self, view: MapView, report: Report, wanted: bool) -> None:
        self.hash: Optional[KeyHash] = None
        self._report = report
        self._fitting = self._unfitting = 0
        if wanted:
            self.hash, reason = view.hashing()
            if self.hash is None:
                text = f"keys were not compared with their hashes: {reason}"
                report.add("note", "hash-skipped", text)

    def many(self, values: Sequence[Optional[bytes]]) -> List[Optional[int]]:
        """Hashes of keys; None of those that cannot be read or have none. Empty where the hash
        function is not known."""
        if self.hash is None:
            return []
        return self._counted(self.hash.many([value or b"" for value in values]))

    def of(self, keys: Column, count: int) -> List[Optional[int]]:
        """The same of so many keys that are a column."""
        return [] if self.hash is None else self._counted(keys.hashes(self.hash, count))

    def _counted(self, hashes: List[Optional[int]]) -> List[Optional[int]]:
        without = hashes.count(None)
        self._report.hashed += len(hashes) - without
        self._report.unhashed += without
        return hashes

    def packed(self, keys: bytes, size: int) -> Optional["array[int]"]:
        """The same of many keys that lie one behind the other; None: they are to be asked for one
        by one."""
        hashes = None if self.hash is None else self.hash.packed(keys, size)
        if hashes is not None:
            self._report.hashed += len(hashes)
        return hashes

    def count(self, fitting: int, unfitting: int) -> None:
        """So many more keys fit their hashes, and do not."""
        self._fitting += fitting
        self._unfitting += unfitting
        if not self._fitting and self._unfitting >= LEAST:
            self.hash = None

    def settle(self, *codes: str) -> None:
        """If no key fits, the hash is another: doubts of these kinds are about nothing."""
        if self.hash is None and self._unfitting and not self._fitting:
            self._report.drop_doubts(*codes)
            self._report.hashed = self._report.unhashed = 0
            self._report.add("note", "hash-skipped", ANOTHER)


class Keys:
    """Compares keys of one map.

    :param indirect: whether a slot holds a pointer to the key
    """

    def __init__(self, view: MapView, type: Type, indirect: bool) -> None:
        self._memory: Memory = view.memory
        self._decoder: Decoder = view.decoder
        self._type = type
        self._indirect = indirect
        self._budget = _BUDGET

    @property
    def kind(self) -> Kind:
        """Of a key."""
        return self._type.kind

    @property
    def plain(self) -> bool:
        """Whether equal keys have equal slots, and only they."""
        return self._type.kind in _PLAIN and not self._indirect

    @property
    def together(self) -> int:
        """Keys that are best hashed at once: many, where they lie all over memory."""
        if self.kind is Kind.STRING and not self._indirect and kernels_for(0):
            return _MORE
        return _MANY if self._indirect or self.kind not in _PLAIN else 1

    @property
    def always_hash(self) -> bool:
        """Whether every key has a hash that can be computed, if it can be read."""
        return self._type.kind in _PLAIN or self._type.kind is Kind.STRING

    @property
    def in_slots(self) -> bool:
        """Whether slots hold keys, not pointers to them."""
        return not self._indirect

    def values(self, slots: Sequence[bytes]) -> List[Optional[bytes]]:
        """The bytes of the keys in these slots; None: the slot's pointer leads nowhere."""
        if not self._indirect:
            return list(slots)
        pointers = [int.from_bytes(slot, "little") for slot in slots]
        return self._memory.gather(pointers, self._type.size)

    def same(self, first: Sequence[bytes], second: Sequence[bytes]) -> List[bool]:
        """For each two slots, whether they hold the same key; False where that is not known."""
        kind = self._type.kind
        if self.plain:
            return [a == b for a, b in zip(first, second)]
        left, right = self.values(first), self.values(second)
        if kind is Kind.STRING:
            return self._same_texts(left, right)
        if kind is Kind.OPAQUE:  # only the program knows
            return [False] * len(left)
        return [
            a is not None and b is not None and self._same_values(a, b) for a, b in zip(left, right)
        ]

    def _same_values(self, a: bytes, b: bytes) -> bool:
        one, other = (self._decoder.decode(self._type, data, None) for data in (a, b))
        return _is_known(one) and bool(one == other)

    def _same_texts(
        self, left: Sequence[Optional[bytes]], right: Sequence[Optional[bytes]]
    ) -> List[bool]:
        type = self._type
        result = [False] * len(left)
        starts: List[Tuple[int, int, int, int]] = []  # (which, its start, the other's, length)
        for at, (a, b) in enumerate(zip(left, right)):
            if a is None or b is None:
                continue
            start, length = _text_at(type, a)
            other, same_length = _text_at(type, b)
            if length != same_length:
                continue
            if length == 0 or start == other:
                result[at] = True
            elif length <= _SHORT:
                starts.append((at, start, other, length))
            elif length <= MAX_BYTES and length <= self._budget:
                self._budget -= length
                texts = self._memory.gather_ranges([start, other], [length, length])
                result[at] = texts[0] is not None and texts[0] == texts[1]
        lengths = [length for _, _, _, length in starts]
        places = [start for _, start, _, _ in starts] + [start for _, _, start, _ in starts]
        texts = self._memory.sweep(places, lengths + lengths)
        for (at, _, _, _), a, b in zip(starts, texts, texts[len(starts) :]):
            result[at] = a is not None and a == b
        return result

    def text(self, slot: bytes) -> str:
        """The key in a slot, for a message."""
        data = self.values([slot])[0]
        if data is None:
            return "unreadable key"
        return text_form(self._decoder.decode(self._type, data, None), 40)


def _text_at(type: Type, value: bytes) -> Tuple[int, int]:
    """(address, bytes) of a string's text."""
    at, size = type.data_offset, type.len_offset
    return (
        int.from_bytes(value[at : at + 8], "little"),
        int.from_bytes(value[size : size + 8], "little"),
    )


def _is_known(value: Decoded) -> bool:
    """Whether a decoded value is all there, and is what the program compares."""
    if isinstance(value, StructValue):
        return all(_is_known(part) for _, part in value.fields)
    if isinstance(value, list):
        return all(map(_is_known, value))
    if isinstance(value, InterfaceValue):
        return _is_known(value.value)
    return not isinstance(value, (Unreadable, DebuggerText))
