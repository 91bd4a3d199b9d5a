# SPDX-License-Identifier: MIT
"""The walk through a hash trie: nodes of sixteen children, by four bits of the hash each, from the
highest on; an entry hangs where its hash is the only one. Entries with the same hash hang in a
chain. Every change is put in place by one store, so that a trie is whole at every instruction.
"""

import struct
from dataclasses import field
from typing import Dict, List, Sequence, Set, Tuple

from ...go import layouts
from ...maps.batches import Where
from ...maps.problems import MAX_PROBLEMS, Problem
from ...maps.progress import Progress
from ...program.memory import Memory
from ...records import dataclass

#: nodes from the root to an entry, at most
DEEPEST = layouts.TRIE_HASH_BITS // layouts.TRIE_BITS
CHILDREN = 1 << layouts.TRIE_BITS
#: nodes and entries of a trie that are followed
_MOST = 1 << 25
#: nodes that are looked at together
_STEP = 1 << 14

_WORDS = struct.Struct(f"<{CHILDREN}Q")
_NODE = layouts.TRIE_INDIRECT
_CHILDREN_AT, _PARENT_AT = _NODE.at("children"), _NODE.at("parent")
_OVERFLOW_AT = layouts.TRIE_ENTRY.at("overflow")


@dataclass(frozen=True)
class TrieWhere(Where):
    """The place of an entry of a trie: the array has the path to it, a hexadecimal digit for each
    child from the root on; in its chain it is the chain-th.

    :ivar node: its address
    """

    node: int = 0

    def json_form(self) -> Dict[str, object]:
        return {"path": self.array, "chain": self.chain, "node": hex(self.node)}

    def text(self) -> str:
        chained = f", chain {self.chain}" if self.chain else ""
        return f"path {self.array}{chained}"


@dataclass(frozen=True)
class Node:
    """A node that has children.

    :ivar above: what the walk came from; 0: it is the root
    :ivar path: the children to it, four bits each
    :ivar parent: as it says itself
    :ivar used: children
    """

    address: int
    above: int
    depth: int
    path: int
    parent: int
    dead: int
    locked: bool
    used: int


@dataclass
class Leaves:
    """Entries, in columns.

    :ivar depths: nodes from the root to each
    :ivar paths: the children to it, four bits each
    :ivar chain: how many stand before it in its chain
    :ivar heads: the first of its chain, its index; itself, mostly
    """

    addresses: List[int] = field(default_factory=list)
    depths: List[int] = field(default_factory=list)
    paths: List[int] = field(default_factory=list)
    chain: List[int] = field(default_factory=list)
    heads: List[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.addresses)

    def order(self) -> List[int]:
        """Indices, as Range goes."""
        keys = [
            (path << layouts.TRIE_BITS * (DEEPEST - depth), chain)
            for path, depth, chain in zip(self.paths, self.depths, self.chain)
        ]
        return sorted(range(len(keys)), key=keys.__getitem__)

    def where(self, index: int) -> TrieWhere:
        """The place of an entry."""
        text = path_text(self.paths[index], self.depths[index])
        return TrieWhere(text, 0, self.chain[index], None, self.addresses[index])


def path_text(path: int, depth: int) -> str:
    """A path for a reader."""
    return f"{path:0{depth}x}" if depth else ""


class TrieWalk:
    """What a walk over a trie found.

    :param problems: what is impossible or cannot be read is added here
    :ivar nodes: with children
    """

    def __init__(self, memory: Memory, root: int, problems: List[str]) -> None:
        self.nodes: List[Node] = []
        self.leaves = Leaves()
        self._memory = memory
        self._root = root
        self._problems = problems
        self._seen: Set[int] = set()

    def run(self, progress: Progress) -> None:
        """All of it, level by level."""
        if not self._root:
            return
        self._seen.add(self._root)
        kind = self._memory.gather([self._root], 1)[0]
        if kind is not None and kind[0]:
            self._note(f"the root at {self._root:#x} says that it is an entry", self._root)
            return
        level: List[Tuple[int, int, int]] = [(self._root, 0, 0)]  # (node, its path, above)
        for depth in range(DEEPEST):
            below: List[Tuple[int, int, int]] = []
            for first in range(0, len(level), _STEP):
                progress(first, len(level))
                below += self._children(level[first : first + _STEP], depth)
            level = below
            if not level:
                return
        address = level[0][0]
        self._note(f"the node at {address:#x} lies {DEEPEST} nodes deep, and is no entry", address)

    def _children(
        self, level: Sequence[Tuple[int, int, int]], depth: int
    ) -> List[Tuple[int, int, int]]:
        """Nodes below some, those that have children; entries are noted."""
        raws = self._memory.gather([address for address, _, _ in level], _NODE.size)
        found: List[Tuple[int, int, int]] = []
        for (address, path, above), raw in zip(level, raws):
            if raw is None:
                text = f"a node at {address:#x} cannot be read, nor what is below it"
                self._note(text, address, "unreadable")
                continue
            words = _WORDS.unpack_from(raw, _CHILDREN_AT)
            here = [
                (word, path << layouts.TRIE_BITS | place, address)
                for place, word in enumerate(words)
                if word
            ]
            lock = int.from_bytes(raw[_NODE.at("mu") : _NODE.at("mu") + 4], "little")
            dead = int.from_bytes(raw[_NODE.at("dead") : _NODE.at("dead") + 4], "little")
            parent = int.from_bytes(raw[_PARENT_AT : _PARENT_AT + 8], "little")
            locked = bool(lock & layouts.MUTEX_LOCKED)
            self.nodes.append(Node(address, above, depth, path, parent, dead, locked, len(here)))
            found += here
        return self._sorted_out(found, depth + 1)

    def _sorted_out(
        self, found: Sequence[Tuple[int, int, int]], depth: int
    ) -> List[Tuple[int, int, int]]:
        """Of children those that have children; the others are entries."""
        kinds = self._memory.gather([address for address, _, _ in found], 1)
        below: List[Tuple[int, int, int]] = []
        heads: List[Tuple[int, int]] = []
        for (address, path, above), kind in zip(found, kinds):
            if address % 8 or kind is None:
                text = f"child {path & 15:x} of the node at {above:#x} is {address:#x}, "
                self._note(f"{text}which cannot be read", above, "unreadable")
            elif kind[0] > 1:
                text = f"the node at {address:#x} says neither that it is an entry nor that it is "
                self._note(f"{text}not: {kind[0]}", address)
            elif not self._is_new(address):
                continue
            elif kind[0]:
                heads.append((address, path))
            else:
                below.append((address, path, above))
        self._follow(heads, depth)
        return below

    def _is_new(self, address: int) -> bool:
        if address in self._seen:
            text = f"the node at {address:#x} is there twice: what is below it is looked at once"
            self._note(text, address, "node-loop")
            return False
        if len(self._seen) >= _MOST:
            self._note(f"more than {_MOST} nodes: the others were not looked at", address)
            return False
        self._seen.add(address)
        return True

    def _follow(self, heads: Sequence[Tuple[int, int]], depth: int) -> None:
        """Entries with their chains."""
        leaves = self.leaves
        first = len(leaves)
        now = [(address, path, first + at) for at, (address, path) in enumerate(heads)]
        place = 0
        while now:
            raws = self._memory.gather([address for address, _, _ in now], _OVERFLOW_AT + 8)
            following: List[Tuple[int, int, int]] = []
            for (address, path, head), raw in zip(now, raws):
                leaves.addresses.append(address)
                leaves.depths.append(depth)
                leaves.paths.append(path)
                leaves.chain.append(place)
                leaves.heads.append(head)
                if raw is None:
                    text = f"the entry at {address:#x} cannot be read, nor those behind it"
                    self._note(text, address, "unreadable")
                    continue
                overflow = int.from_bytes(raw[_OVERFLOW_AT:], "little")
                if overflow % 8:
                    text = f"the entry at {address:#x} leads on to {overflow:#x}, which is no entry"
                    self._note(text, address, "unreadable")
                elif overflow and self._is_new(overflow):
                    following.append((overflow, path, head))
            now, place = following, place + 1

    def _note(self, text: str, address: int, code: str = "header") -> None:
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(Problem(text, code, address))
