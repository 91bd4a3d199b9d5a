# SPDX-License-Identifier: MIT
"""The path of a lookup in a hash trie."""

from typing import Dict

from ...go import layouts
from ...maps.batches import Where
from ...maps.found import Candidate, Found, KeyTest
from ...maps.search import Finder
from ...maps.view import MapView
from ...program.memory import Memory
from ...program.values import Unreadable
from ...records import dataclass
from .sync_types import TrieLayout
from .trie_reader import DEEPEST, TrieWhere, path_text

_MASK = (1 << layouts.TRIE_BITS) - 1
_CHILDREN_AT = layouts.TRIE_INDIRECT.at("children")
_OVERFLOW_AT = layouts.TRIE_ENTRY.at("overflow")
#: entries of one chain that are compared
_LONGEST = 1 << 16


@dataclass
class NodeCandidate(Candidate):
    """A node that a lookup comes to; the array is the path to it, the bucket the child that it
    goes on to.

    :ivar node: its address
    """

    node: int = 0

    def place(self) -> Dict[str, object]:
        return {"path": self.array, "child": self.bucket, "node": hex(self.node)}

    def text(self) -> str:
        which = f"path {self.array}" if self.array else "the root"
        return f"child {self.bucket:x} of {which}"


class TrieFinder(Finder):
    """Finds keys in one trie that has a root."""

    def __init__(self, map: MapView, memory: Memory, root: int, layout: TrieLayout) -> None:
        super().__init__(map)
        self._memory = memory
        self._root = root
        self._layout = layout

    def by_hash(self, test: KeyTest, key_hash: int) -> Found:
        result = Found(key_hash, None, "hash", "", [], 0, 0)
        node, path = self._root, 0
        for depth in range(DEEPEST):
            child = key_hash >> layouts.TRIE_BITS * (DEEPEST - 1 - depth) & _MASK
            candidate = NodeCandidate(path_text(path, depth), child, True, "", node)
            result.candidates.append(candidate)
            path = path << layouts.TRIE_BITS | child
            word = self._memory.gather([node + _CHILDREN_AT + 8 * child], 8)[0]
            node = 0 if word is None else int.from_bytes(word, "little")
            kind = self._memory.gather([node], 1)[0] if node else None
            if word is None or (node and kind is None):
                candidate.reason = "it cannot be read"
                result.unread += 1
                return result
            if not node:
                candidate.reason = "there is none: the key is not there"
                return result
            if kind is not None and kind[0]:
                candidate.reason = f"an entry, at {node:#x}"
                self._compare(result, test, node, path, depth + 1)
                return result
            candidate.reason = f"a node of its own, at {node:#x}"
        return result

    def _compare(self, result: Found, test: KeyTest, entry: int, path: int, depth: int) -> None:
        """Compare the entries of a chain."""
        layout, (key_type, elem_type) = self._layout, self.map.types()
        for place in range(_LONGEST):
            raw = self._memory.gather([entry], layout.entry_size)[0]
            if raw is None:
                result.unread += 1
                return
            result.cells_compared += 1
            at = layout.key_at
            key = self.map.decoder.decode(key_type, raw[at : at + key_type.size], entry + at)
            result.unread += isinstance(key, Unreadable)
            if test.matches(key):
                at = layout.elem_at
                slot = raw[at : at + elem_type.size]
                result.key = key
                result.value = self.map.decoder.decode(elem_type, slot, entry + at)
                result.elem_address = entry + at
                result.where = TrieWhere(path_text(path, depth), 0, place, None, entry)
                result.chain_hops = place
                return
            entry = int.from_bytes(raw[_OVERFLOW_AT : _OVERFLOW_AT + 8], "little")
            if not entry:
                return
        result.unread += 1

    def fits(self, where: Where, key_hash: int) -> bool:
        depth = len(where.array)
        return path_text(key_hash >> layouts.TRIE_BITS * (DEEPEST - depth), depth) == where.array

    def why_unseen(self, where: Where, key_hash: int, test: KeyTest) -> str:
        if self.fits(where, key_hash):
            return "what leads to it could not be read"
        return f"its hash is {key_hash:#018x}, whose path is another one"
