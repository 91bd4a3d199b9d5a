# SPDX-License-Identifier: MIT
"""The path of a lookup in a classic map (mapaccess1 in runtime/map.go)."""

from typing import Iterator, List, Optional, Tuple

from ..cells.level import BucketArray
from ..cells.marks import CELLS, EMPTY_REST, EVACUATED_X, MIN_TOP_HASH, TOP_HASHES
from ..errors import Corrupt
from ..maps.batches import Where
from ..maps.found import Candidate, Found, KeyTest
from ..maps.search import Finder, take
from ..program.values import Decoded, Unreadable
from .classic_reader import ClassicReader
from .moving import slots


class Lookup(Finder):
    """Finds keys in one map."""

    def __init__(self, map: ClassicReader) -> None:
        super().__init__(map)
        self._map = map

    def find(self, test: KeyTest) -> Found:
        if not self._map.has_buckets():
            return Found(None, None, "hash", "the map has no buckets", [], 0, 0)
        return super().find(test)

    def by_hash(self, test: KeyTest, key_hash: int) -> Found:
        top = TOP_HASHES[key_hash >> 56]
        new, old = self._map.arrays()
        if new is None:
            return Found(key_hash, top, "hash", "the map is being cleared", [], 0, 0)
        candidates, array, index = self._candidates(key_hash, new, old)
        result = Found(key_hash, top, "hash", "", candidates, 0, 0)
        for place, bucket in [(array, index)] + (
            [(old, key_hash & (old.count - 1))] if old else []
        ):
            if not self._map.walker().chain(place, bucket):
                raise Corrupt(
                    f"{place.name} bucket {bucket}, where the key belongs, cannot be read"
                )
        for where, key, elem, address, flies in self._live_cells(array, index, result, top):
            result.unread += isinstance(key, Unreadable) and not flies
            if test.matches(key):
                result.key, result.value = key, elem
                result.elem_address, result.where = address, where
                result.in_flight = flies
                return result
        # An entry in flight is in neither chain's live cells.
        for move in self._map.moving():
            if old and move.target is None and move.where.bucket == key_hash & (old.count - 1):
                batch = self._map.moving_batch(move)
                if test.matches(batch.keys.value(0, self._map.decoder)):
                    take(result, batch, 0, self._map.decoder)
        return result

    def fits(self, where: Where, key_hash: int) -> bool:
        array = self._array(where)
        if array is None or where.bucket != key_hash & (array.count - 1):
            return False
        return self._tophash(array, where) == TOP_HASHES[key_hash >> 56]

    def _array(self, where: Where) -> Optional[BucketArray]:
        new, old = self._map.arrays()
        return new if where.array == "new" else old

    def _tophash(self, array: BucketArray, where: Where) -> int:
        chain = self._map.walker().chain(array, where.bucket)
        place = where.chain or 0
        return chain[place][1][where.cell or 0] if place < len(chain) else EMPTY_REST

    def why_unseen(self, where: Where, key_hash: int, test: KeyTest) -> str:
        array, (_, old) = self._array(where), self._map.arrays()
        if array is None:
            return "the map is being cleared"
        home = key_hash & (array.count - 1)
        if home != where.bucket:
            return f"its hash belongs to {where.array} bucket {home}"
        if old is not None:
            index = key_hash & (old.count - 1)
            chain = self._map.walker().chain(old, index)
            evacuated = bool(chain) and EVACUATED_X <= chain[0][1][0] < MIN_TOP_HASH
            if evacuated and where.array == "old":
                return f"old bucket {index} is evacuated, and no longer looked in"
            if not evacuated and where.array == "new":
                return f"old bucket {index} is not evacuated, and looked in instead"
        chain = self._map.walker().chain(array, where.bucket)
        cells = b"".join([data[:CELLS] for _, data in chain])
        place = CELLS * (where.chain or 0) + (where.cell or 0)
        end = cells.find(EMPTY_REST)
        if 0 <= end < place:
            reason = f"it is behind emptyRest (chain {end // CELLS}, cell {end % CELLS})"
            return reason + self._but_fast(("_fast32", "_fast64", "_faststr"), "goes on there")
        if place < len(cells) and cells[place] != TOP_HASHES[key_hash >> 56]:
            reason = f"its tophash is {cells[place]:#04x}, and that of its hash is "
            reason += f"{TOP_HASHES[key_hash >> 56]:#04x}"
            by_key = ("_fast32", "_fast64") + (("_faststr",) if array.count == 1 else ())
            return reason + self._but_fast(by_key, "compares keys alone")
        return "the chain was not read so far"

    def _but_fast(self, variants: Tuple[str, ...], what: str) -> str:
        """What differs in the lookups that the compiler uses for some keys."""
        fast = self._map.fast
        return f"; only mapaccess{fast} {what}" if fast in variants else ""

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
            live = any(top >= MIN_TOP_HASH for _, data in chain for top in data[:CELLS])
            if not (live and self._map.is_writing()):
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
    ) -> Iterator[Tuple[Where, Decoded, Decoded, int, bool]]:
        """Cells with this tophash in the authoritative chains, counted as they go; and whether
        a stopped write has half done them: then with what is really meant."""
        patches = self._map.patches()
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
                rest = data.find(EMPTY_REST, 0, CELLS)
                for cell in range(CELLS if rest < 0 else rest):
                    if data[cell] != top:
                        continue
                    result.cells_compared += 1
                    found = slots(layout, data, cell)
                    meant = patches.get((address, cell), (None, None))
                    key = found[0] if meant[0] is None else meant[0]
                    elem = found[1] if meant[1] is None else meant[1]
                    flies = (key, elem) != found or (address, cell) in self._map.writing.pending
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
                        flies,
                    )
                if rest >= 0:
                    break  # emptyRest ends the search

    def candidates(self, where: Where) -> List[Candidate]:
        new, old = self._map.arrays()
        if where.array == "new" and old is not None:
            return self._sources(where.bucket, new, old)
        reason = f"old bucket {where.bucket} is not evacuated"
        if old is None:
            reason = "the map is not growing"
        return [Candidate(where.array, where.bucket, True, reason)]

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
