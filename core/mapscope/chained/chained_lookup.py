# SPDX-License-Identifier: MIT
"""The path of a lookup in a map of two tables of chains."""

from typing import Iterator, Tuple

from ..maps.batches import Where
from ..maps.found import Candidate, Found, KeyTest
from ..maps.search import Finder
from ..maps.view import MapView
from ..program.values import Unreadable
from .two_tables import Nodes, Piece, Tables


class NodeLookup(Finder):
    """Finds keys in one map that has a table."""

    def __init__(self, map: MapView, tables: Tables, nodes: Nodes) -> None:
        super().__init__(map)
        self._tables = tables
        self._nodes = nodes

    def _places(self, key_hash: int) -> Iterator[Tuple[int, int, bool, str]]:
        """(table, bucket, whether a lookup looks there, why), in its order."""
        tables = self._tables
        index = tables.place(0, key_hash)
        if not tables.migrating:
            yield 0, index, True, "there is no other table"
            return
        if index < tables.index and tables.in_order:
            yield 0, index, False, f"buckets below {tables.index} are migrated, and empty"
        elif index < tables.index:
            yield 0, index, False, f"buckets below {tables.index} are migrated"
        else:
            yield 0, index, True, f"it is not below {tables.index}: it may not be migrated yet"
        yield 1, tables.place(1, key_hash), True, "new entries and migrated ones are here"

    def by_hash(self, test: KeyTest, key_hash: int) -> Found:
        result = Found(key_hash, None, "hash", "", [], 0, 0)
        for table, bucket, looked, reason in self._places(key_hash):
            array = self._tables.array(table)
            result.candidates.append(Candidate(array, bucket, looked, reason))
            if looked and self._search(result, test, table, bucket):
                break
        return result

    def _search(self, result: Found, test: KeyTest, table: int, bucket: int) -> bool:
        decoder = self.map.decoder
        hops = 0
        for piece in self._nodes.walk(table, bucket, bucket + 1):
            keys = self._nodes.keys(piece)
            for at in range(len(piece)):
                result.cells_compared += 1
                hops = max(hops, piece.nodes[at])
                key = keys.value(at, decoder)
                result.unread += isinstance(key, Unreadable)
                if test.matches(key):
                    result.chain_hops += hops
                    self._take(result, piece, at)
                    return True
        result.chain_hops += hops
        return False

    def _take(self, result: Found, piece: Piece, at: int) -> None:
        values, decoder = self._nodes.values(piece), self.map.decoder
        result.key = self._nodes.keys(piece).value(at, decoder)
        result.value = values.value(at, decoder)
        result.elem_address = values.address(at) or None
        result.where = self._nodes.where(piece, at, self._tables.array(piece.table))

    def fits(self, where: Where, key_hash: int) -> bool:
        return any(
            looked and (self._tables.array(table), bucket) == (where.array, where.bucket)
            for table, bucket, looked, _ in self._places(key_hash)
        )

    def why_unseen(self, where: Where, key_hash: int, test: KeyTest) -> str:
        if self.fits(where, key_hash):
            return "its chain could not be read up to it so far"
        for table, bucket, looked, reason in self._places(key_hash):
            if (self._tables.array(table), bucket) == (where.array, where.bucket) and not looked:
                return reason
        places = [
            f"{self._tables.array(table)} bucket {bucket}"
            for table, bucket, looked, _ in self._places(key_hash)
            if looked
        ]
        return f"its hash belongs to {' or '.join(places)}"
