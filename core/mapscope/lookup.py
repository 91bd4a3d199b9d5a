# SPDX-License-Identifier: MIT
"""The path of a lookup in a classic map (mapaccess1 in runtime/map.go)."""

import struct
from typing import TYPE_CHECKING, Iterator, List, Optional, Tuple

from .buckets import CELLS, EVACUATED_X, MIN_TOP_HASH, BucketArray
from .moving import slots
from .types import Kind
from .values import Decoded, Decoder
from .view import Candidate, EntryBatch, Found, KeyTest, Where

if TYPE_CHECKING:
    from .classic import ClassicMap


#: entries of a map whose hashes tell whether the program computes the same ones
SAMPLED = 64


def top_hash(key_hash: int) -> int:
    """The tophash of a hash (tophash in runtime/map.go)."""
    top = key_hash >> 56
    return top if top >= MIN_TOP_HASH else top + MIN_TOP_HASH


class Lookup:
    """Finds keys in one map."""

    def __init__(self, map: "ClassicMap") -> None:
        self._map = map

    def find(self, test: KeyTest) -> Found:
        """Looks a key up: by its hash where that can be computed, else among all entries."""
        if not self._map.has_buckets():
            return Found(None, None, "hash", "the map has no buckets", [], 0, 0)
        key_hash = self._map.hash_of(test)
        if key_hash is None:
            return self._by_scan(test)
        top = top_hash(key_hash)
        new, old = self._map.arrays()
        if new is None:
            return Found(key_hash, top, "hash", "the map is being cleared", [], 0, 0)
        candidates, array, index = self._candidates(key_hash, new, old)
        result = Found(key_hash, top, "hash", "", candidates, 0, 0)
        for where, key, elem, address in self._live_cells(array, index, result, top):
            if test.matches(key):
                result.key, result.value = key, elem
                result.elem_address, result.where = address, where
                return result
        # An entry in flight is in neither chain's live cells.
        for move in self._map.moving():
            if old and move.target is None and move.where.bucket == key_hash & (old.count - 1):
                batch = self._map.moving_batch(move)
                if test.matches(batch.keys.value(0, self._map.decoder)):
                    _take(result, batch, 0, self._map.decoder)
        if result.where is None and not self._hashes_agree():
            result = self._by_scan(test)
            result.note = (
                "the program hashes keys in another way than these scripts compute: "
                "all entries were looked at"
            )
        return result

    def _hashes_agree(self) -> bool:
        """Whether the computed hash of any of the first keys in the map fits its place."""
        known, _ = self._map.hashing()
        assert known is not None
        compared = 0
        for batch in self._map.entries():
            order = [at for at in batch.order[: SAMPLED - compared] if at not in batch.in_flight]
            hashes = known.many([batch.keys.data(at) or b"" for at in order])
            for at, key_hash in zip(order, hashes):
                if key_hash is None:
                    continue
                compared += 1
                where = batch.where(at)
                new, old = self._map.arrays()
                array = new if where.array == "new" else old
                if array is None or where.bucket != key_hash & (array.count - 1):
                    continue
                chain = self._map.walker().chain(array, where.bucket)
                place = where.chain or 0
                if place < len(chain) and chain[place][1][where.cell or 0] == top_hash(key_hash):
                    return True
            if compared >= SAMPLED:
                break
        return not compared

    def _candidates(
        self, key_hash: int, new: BucketArray, old: Optional[BucketArray]
    ) -> Tuple[List[Candidate], BucketArray, int]:
        """Where the key could be, and the one chain where it is looked for."""
        index = key_hash & (new.count - 1)
        if old is None:
            reason = "the map is not growing"
            return [Candidate("new", index, True, reason)], new, index
        old_index = key_hash & (old.count - 1)
        chain = self._map.walker().chain(old, old_index)
        head = chain[0][1][0] if chain else 0
        if EVACUATED_X <= head < MIN_TOP_HASH:
            reason = f"old bucket {old_index} is evacuated"
            both = [
                Candidate("old", old_index, False, reason),
                Candidate("new", index, True, reason),
            ]
            if not any(top >= MIN_TOP_HASH for _, data in chain for top in data[:CELLS]):
                return both, new, index
            # stopped inside evacuate: what is not marked yet is still here
            reason = f"old bucket {old_index} is being evacuated: both hold entries"
            both = [
                Candidate("old", old_index, True, reason),
                Candidate("new", index, True, reason),
            ]
            return both, old, old_index
        reason = f"old bucket {old_index} is not evacuated"
        return (
            [
                Candidate("old", old_index, True, reason),
                Candidate("new", index, False, reason),
            ],
            old,
            old_index,
        )

    def _live_cells(
        self, array: BucketArray, index: int, result: Found, top: int
    ) -> Iterator[Tuple[Where, Decoded, Decoded, int]]:
        """Cells with this tophash in the authoritative chains, counted as they go."""
        layout = self._map.walker().layout
        key_type, elem_type = self._map.types()
        places = [(array, index)]
        for candidate in result.candidates:
            if candidate.authoritative and candidate.array != array.name:
                new, _ = self._map.arrays()
                assert new is not None
                places.append((new, candidate.bucket))
        for place, bucket in places:
            for chain, (address, data) in enumerate(self._map.walker().chain(place, bucket)):
                result.chain_hops += 1 if chain else 0
                for cell in range(CELLS):
                    if data[cell] == 0:
                        break  # emptyRest ends the search
                    if data[cell] != top:
                        continue
                    result.cells_compared += 1
                    key, elem = slots(layout, data, cell)
                    key_at = address + layout.key_offset(cell)
                    elem_at = address + layout.elem_offset(cell)
                    elem_address = (
                        int.from_bytes(elem, "little") if layout.indirect_elem else elem_at
                    )
                    yield (
                        Where(place.name, bucket, chain, cell),
                        self._map.slot_value(key_type, key, key_at, layout.indirect_key),
                        self._map.slot_value(elem_type, elem, elem_at, layout.indirect_elem),
                        elem_address,
                    )

    def _by_scan(self, test: KeyTest) -> Found:
        result = Found(
            None,
            None,
            "scan",
            "the hash of this key type cannot be computed outside the program: "
            "all entries were looked at",
            [],
            0,
            0,
        )
        for batch in self._map.entries():
            index = _find_in(batch, test, self._map.decoder, result)
            if index is None:
                continue
            _take(result, batch, index, self._map.decoder)
            where = result.where
            assert where is not None
            new, old = self._map.arrays()
            result.chain_hops = where.chain or 0
            if where.array == "old" or old is None:
                reason = (
                    "the map is not growing"
                    if old is None
                    else f"old bucket {where.bucket} is not evacuated"
                )
                result.candidates = [Candidate(where.array, where.bucket, True, reason)]
            else:
                result.candidates = self._sources(where.bucket, new, old)
            break
        return result

    def _sources(
        self, bucket: int, new: Optional[BucketArray], old: BucketArray
    ) -> List[Candidate]:
        """A new bucket, and the old ones that its entries may have come from."""
        homes = [bucket & (old.count - 1)]
        if new is not None and new.count < old.count:
            homes = [bucket, bucket + new.count]
        candidates: List[Candidate] = []
        for home in homes:
            chain = self._map.walker().chain(old, home)
            if len(homes) == 1 or (chain and EVACUATED_X <= chain[0][1][0] < MIN_TOP_HASH):
                reason = f"old bucket {home} is evacuated"
                candidates.append(Candidate("old", home, False, reason))
        reason = candidates[0].reason if candidates else "its old bucket is evacuated"
        return [*candidates, Candidate("new", bucket, True, reason)]


def _take(result: Found, batch: EntryBatch, index: int, decoder: Decoder) -> None:
    result.key = batch.keys.value(index, decoder)
    result.value = batch.elems.value(index, decoder)
    result.elem_address = batch.elems.address(index)
    result.where = batch.where(index)
    result.in_flight = index in batch.in_flight


def _find_in(batch: EntryBatch, test: KeyTest, decoder: Decoder, result: Found) -> Optional[int]:
    """The index of the entry whose key passes the test."""
    type = batch.keys.type
    scalars = batch.keys.scalars()
    if scalars is not None and test.data is not None and type.kind is not Kind.FLOAT:
        wanted = struct.unpack("<" + (type.scalar_format or "B"), test.data)[0]
        result.cells_compared += len(scalars)
        try:
            return scalars.index(wanted)
        except ValueError:
            return None
    length = None if test.text is None else len(test.text).to_bytes(8, "little")
    for index in batch.order:
        result.cells_compared += 1
        if length is not None and type.kind is Kind.STRING:
            raw = batch.keys.data(index)
            if raw is None or raw[type.len_offset : type.len_offset + 8] != length:
                continue
        if test.matches(batch.keys.value(index, decoder)):
            return index
    return None
