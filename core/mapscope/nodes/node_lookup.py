# SPDX-License-Identifier: MIT
"""The path of a lookup in a table of linked nodes."""

from typing import Dict, List, Optional

from ..maps.batches import Where
from ..maps.found import Candidate, Found, KeyTest
from ..maps.search import Finder
from ..program.values import Unreadable
from .node_reader import NodeReader, NodeWhere


class NodeCandidate(Candidate):
    """A bucket that a lookup looks in."""

    def place(self) -> Dict[str, object]:
        return {"bucket": self.bucket}

    def text(self) -> str:
        return f"bucket {self.bucket}"


class NodeFinder(Finder):
    """Finds keys in one table that is not empty."""

    def __init__(self, map: NodeReader) -> None:
        super().__init__(map)
        self._map = map

    def find(self, test: KeyTest) -> Found:
        result = super().find(test)
        where = result.where
        if where is None or where.bucket < 0 or where.chain is None:
            return result
        _, nodes = self._map.bucket_nodes(where.bucket)
        rows = self._map.rows(nodes)
        if result.hash is None and where.chain < len(rows):
            result.hash = self._map.stored_hash(rows[where.chain])
            if result.hash is not None:
                result.note += "; the hash is the one that the entry has stored"
        if not self._map.unique:
            result.note = self._others(test, nodes, rows, result.note)
        return result

    def _others(
        self, test: KeyTest, nodes: List[int], rows: List[Optional[bytes]], note: str
    ) -> str:
        """A note, and how many entries have the key, if they are several."""
        same = sum(test.matches(self._map.key_of(*pair)) for pair in zip(nodes, rows))
        if same < 2:
            return note
        return f"{note}{'; ' if note else ''}{same} entries have this key, and this is the first"

    def by_hash(self, test: KeyTest, key_hash: int) -> Found:
        result = Found(key_hash, None, "hash", "", [], 0, 0)
        map, header = self._map, self._map.header
        index = header.place(key_hash)
        candidate = NodeCandidate("", index, True, f"the hash belongs to it, of {header.buckets}")
        result.candidates.append(candidate)
        before, nodes = map.bucket_nodes(index)
        if not before:
            candidate.reason += "; it is empty"
        rows = map.rows(nodes)
        for number, (node, row) in enumerate(zip(nodes, rows)):
            stored = map.stored_hash(row)
            if stored is not None and stored != key_hash:
                continue
            result.cells_compared += 1
            key = map.key_of(node, row)
            result.unread += isinstance(key, Unreadable)
            if test.matches(key):
                result.key, result.value = key, map.value_of(node, row)
                result.elem_address = node + map.layout.elem
                result.where = NodeWhere("", index, number, None)
                result.chain_hops = number
                break
        return result

    def fits(self, where: Where, key_hash: int) -> bool:
        return self._map.header.place(key_hash) == where.bucket

    def why_unseen(self, where: Where, key_hash: int, test: KeyTest) -> str:
        if where.bucket < 0:
            return "no bucket leads to it"
        index = self._map.header.place(key_hash)
        if index != where.bucket:
            return f"its hash belongs to bucket {index}"
        return "the hash that is stored with it is another one"

    def candidates(self, where: Where) -> List[Candidate]:
        if where.bucket < 0:
            return []
        return [NodeCandidate("", where.bucket, True, "it was found there")]
