# SPDX-License-Identifier: MIT
"""Looking a key up: by its hash where that can be computed, else among all entries.

A key that its hash does not lead to is looked for among all entries too: a damaged map may hold
it where the program does not see it. What this must not know: how a map's cells are laid out.
"""

import struct
from abc import ABC, abstractmethod
from typing import List, Optional, Sequence, Tuple

from ..program.hashing import ANOTHER, LEAST, KeyHash
from ..program.types import Kind
from ..program.values import Decoder, Unreadable
from .batches import Column, EntryBatch, Where
from .found import Candidate, Found, KeyTest, Unseen
from .view import MapView

#: entries of a map whose hashes tell whether the program computes the same ones
SAMPLED = 64


class Finder(ABC):
    """Finds keys in one map that is not nil."""

    def __init__(self, map: MapView) -> None:
        self.map = map

    @abstractmethod
    def by_hash(self, test: KeyTest, key_hash: int) -> Found:
        """The path of the program's own lookup."""

    @abstractmethod
    def fits(self, where: Where, key_hash: int) -> bool:
        """Whether an entry with this hash would lie there."""

    @abstractmethod
    def why_unseen(self, where: Where, key_hash: int, test: KeyTest) -> str:
        """Why a lookup does not see an entry that lies there: what follows "because"."""

    def candidates(self, where: Where) -> List[Candidate]:
        """For an entry found without its hash: what was to be looked in, and why."""
        return []

    def unsettled(self) -> str:
        """Why the path of a lookup says nothing at this moment; "" if it does."""
        return ""

    def find(self, test: KeyTest) -> Found:
        """Looks a key up."""
        known, why = self.map.hashing()
        unsettled = self.unsettled()
        if known is None or unsettled:
            reason = unsettled or why
            return self._scanned(test, f"{reason}: all entries were looked at")[0]
        scanned: Optional[Found] = None
        key_hash = self.map.hash_of(test)
        if key_hash is None:
            note = "the hash was computed from the key's bytes, found by looking at all entries"
            scanned, data = self._scanned(test, note)
            if scanned.where is not None and data is not None:
                key_hash = known.many([data])[0]
            if key_hash is None:
                lacking = "this key has no hash that can be computed"
                if scanned.where is None and test.data is None and test.text is None:
                    lacking = "the hash of a key that no entry has is not known"
                scanned.note = f"{lacking}: all entries were looked at"
                return scanned
        result = self.by_hash(test, key_hash)
        result.note = scanned.note if scanned else result.note
        if result.where is not None:
            return result
        if not self.agrees(known):
            return scanned or self._scanned(test, f"{ANOTHER}: all entries were looked at")[0]
        try:
            scanned = scanned or self._scanned(test, "")[0]
        except KeyboardInterrupt:
            result.note = "interrupted while it was looked for elsewhere"
            return result
        if scanned.where is not None and scanned.in_flight:
            result.key, result.value, result.where = scanned.key, scanned.value, scanned.where
            result.elem_address, result.in_flight = scanned.elem_address, True
        elif scanned.where is not None:
            reason = self.why_unseen(scanned.where, key_hash, test)
            result.unseen = Unseen(scanned.where, reason, scanned.key, scanned.value)
        return result

    def agrees(self, known: KeyHash) -> bool:
        """Whether the computed hash of any of the first keys in the map fits its place."""
        compared = 0
        for batch in self.map.entries():
            order = [at for at in batch.order[: SAMPLED - compared] if at not in batch.in_flight]
            hashes = known.many([batch.keys.data(at) or b"" for at in order])
            for at, key_hash in zip(order, hashes):
                if key_hash is not None:
                    compared += 1
                    if self.fits(batch.where(at), key_hash):
                        return True
            if compared >= SAMPLED:
                break
        return compared < LEAST

    def _scanned(self, test: KeyTest, note: str) -> Tuple[Found, Optional[bytes]]:
        """(the entry among all entries, the bytes of its key)"""
        result = Found(None, None, "scan", note, [], 0, 0)
        for batch in self.map.entries():
            index = _index_in(batch, test, self.map.decoder, result)
            if index is not None:
                take(result, batch, index, self.map.decoder)
                assert result.where is not None
                result.chain_hops = result.where.chain or 0
                result.candidates = self.candidates(result.where)
                return result, batch.keys.data(index)
        return result, None


def take(result: Found, batch: EntryBatch, index: int, decoder: Decoder) -> None:
    """Note an entry as the one that was found."""
    result.key = batch.keys.value(index, decoder)
    result.value = batch.elems.value(index, decoder)
    result.elem_address = batch.elems.address(index)
    result.where = batch.where(index)
    result.in_flight = index in batch.in_flight


def _index_in(batch: EntryBatch, test: KeyTest, decoder: Decoder, result: Found) -> Optional[int]:
    """The index of the entry whose key passes the test."""
    keys = batch.keys
    scalars = keys.scalars()
    order: Sequence[int] = batch.order
    if scalars is not None and test.data is not None and keys.type.kind is not Kind.FLOAT:
        result.cells_compared += len(order)
        wanted = struct.unpack("<" + (keys.type.scalar_format or "B"), test.data)[0]
        return _first(scalars, wanted, order)
    if test.text is not None and keys.type.kind is Kind.STRING:
        order = _of_length(keys, len(test.text), order)
        result.cells_compared += len(batch.order) - len(order)
    if test.forms:
        order = keys.written_as(test.forms, decoder, order)
        result.cells_compared += len(batch.order) - len(order)
    for index in order:
        result.cells_compared += 1
        key = keys.value(index, decoder)
        # one that is being deleted may have lost its key already: it is none that is there
        result.unread += isinstance(key, Unreadable) and index not in batch.in_flight
        if test.matches(key):
            return index
    return None


def _first(values: Sequence[object], wanted: object, order: Sequence[int]) -> Optional[int]:
    """The index of a value, one of those that count."""
    at = -1
    allowed = None if len(order) == len(values) else set(order)
    while True:
        try:
            at = values.index(wanted, at + 1)
        except ValueError:
            return None
        if allowed is None or at in allowed:
            return at


def _of_length(keys: Column, length: int, order: Sequence[int]) -> Sequence[int]:
    """The indices of strings of a length."""
    lengths = keys.lengths()
    if lengths is not None:
        return [index for index in order if lengths[index] == length]
    wanted, at = length.to_bytes(8, "little"), keys.type.len_offset
    return [
        index
        for index in order
        if (data := keys.data(index)) is not None and data[at : at + 8] == wanted
    ]
