# SPDX-License-Identifier: MIT
"""The path of a lookup in a concurrent_hash_map."""

from typing import List

from ...maps.batches import Where
from ...maps.found import Candidate, Found, KeyTest
from ...maps.search import Finder
from ...maps.view import MapView
from ...nodes.node_lookup import NodeCandidate
from ...nodes.node_reader import NodeWhere
from ...program.values import Unreadable
from .segments import WAITS, WRITER, Segments, parent


class TbbFinder(Finder):
    """Finds keys in one map."""

    def __init__(self, map: MapView, segments: Segments) -> None:
        super().__init__(map)
        self._segments = segments

    def by_hash(self, test: KeyTest, key_hash: int) -> Found:
        segments, layout = self._segments, self._segments.layout
        result = Found(key_hash, None, "hash", "", [], 0, 0)
        path = segments.path(key_hash)
        for bucket, source in zip(path, path[1:]):
            reason = f"not rehashed yet: its entries still lie in bucket {source}"
            result.candidates.append(NodeCandidate("", bucket, False, reason))
        for bucket in self._looked_in(path[-1]):
            first = bucket == path[-1]
            reason = f"the hash belongs to it, of {segments.header.buckets}"
            if not first:
                reason = f"bucket {path[-1]} is just being filled from it"
            elif len(path) > 1:
                reason = f"it has the entries of bucket {path[0]} too"
            candidate = NodeCandidate("", bucket, True, reason)
            result.candidates.append(candidate)
            nodes = segments.chain(bucket)
            if not segments.head(bucket):
                candidate.reason += "; it is empty"
            key_type, elem = self.map.types()
            for depth, (place, row) in enumerate(zip(nodes.places, nodes.rows)):
                assert row is not None, "those that cannot be read are left out"
                result.cells_compared += 1
                raw = row[layout.key : layout.key + key_type.size]
                key = self.map.decoder.decode(key_type, raw, place + layout.key)
                result.unread += isinstance(key, Unreadable)
                if test.matches(key):
                    at = layout.elem
                    result.key = key
                    result.elem_address = place + at
                    result.value = self.map.decoder.decode(
                        elem, row[at : at + elem.size], place + at
                    )
                    result.where = NodeWhere("", bucket, depth, None)
                    result.chain_hops = depth
                    return result
        return result

    def _looked_in(self, bucket: int) -> List[int]:
        """A bucket and, while a writer has it, those that it may just be filled from."""
        found = [bucket]
        while bucket > 1:
            lock = self._segments.lock(bucket)
            if self._segments.head(bucket) != WAITS and not (lock or 0) & WRITER:
                break
            bucket = parent(bucket)
            if self._segments.head(bucket) != WAITS:
                found.append(bucket)
        return found

    def fits(self, where: Where, key_hash: int) -> bool:
        return where.bucket in self._looked_in(self._segments.path(key_hash)[-1])

    def why_unseen(self, where: Where, key_hash: int, test: KeyTest) -> str:
        bucket = self._segments.path(key_hash)[-1]
        if where.bucket == bucket:
            return "its bucket could not be read up to it so far"
        return f"its hash belongs to bucket {bucket}"

    def candidates(self, where: Where) -> List[Candidate]:
        return [NodeCandidate("", where.bucket, True, "it was found there")]
