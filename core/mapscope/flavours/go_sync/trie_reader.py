# SPDX-License-Identifier: MIT
"""The walk through a hash trie: nodes of sixteen children, by four bits of the hash each, from the
highest on; an entry hangs where its hash is the only one. Entries with the same hash hang in a
chain. Every change is put in place by one store, so that a trie is whole at every instruction.
"""

from dataclasses import field
from itertools import compress, count
from typing import Dict, List, Optional, Sequence, Set, Tuple

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

_BITS, _PLACE = layouts.TRIE_BITS, CHILDREN - 1
_NODE = layouts.TRIE_INDIRECT
_WORDS = _NODE.size // 8
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


@dataclass
class Nodes:
    """Nodes that have children, in columns.

    :ivar above: the node that the walk came from; 0: it is the root
    :ivar parents: as each says itself
    :ivar used: children
    """

    addresses: List[int] = field(default_factory=list)
    above: List[int] = field(default_factory=list)
    parents: List[int] = field(default_factory=list)
    dead: List[int] = field(default_factory=list)
    locked: List[int] = field(default_factory=list)
    used: List[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.addresses)


@dataclass
class Level:
    """What some nodes lead to.

    :ivar paths: the children to each, four bits each
    :ivar above: the node that leads there
    """

    addresses: List[int]
    paths: List[int]
    above: List[int]

    def __len__(self) -> int:
        return len(self.addresses)

    def only(self, kept: Sequence[object]) -> "Level":
        """Those of them for which there is something."""
        columns = (self.addresses, self.paths, self.above)
        return Level(*(list(compress(column, kept)) for column in columns))

    def part(self, first: int, count: int) -> "Level":
        """So many of them."""
        end = first + count
        return Level(self.addresses[first:end], self.paths[first:end], self.above[first:end])

    def extend(self, other: "Level") -> None:
        """Add others."""
        self.addresses += other.addresses
        self.paths += other.paths
        self.above += other.above


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
            path << layouts.TRIE_BITS * (DEEPEST - depth)
            for path, depth in zip(self.paths, self.depths)
        ]
        # those of a chain stand in its order
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
        self.nodes = Nodes()
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
        self._memory.keep_chunks()
        level = Level([self._root], [0], [0])
        for depth in range(1, DEEPEST + 1):
            below = Level([], [], [])
            for first in range(0, len(level), _STEP):
                progress(first, len(level))
                below.extend(self._children(level.part(first, _STEP), depth))
            level = below
            if not level:
                return
        address = level.addresses[0]
        self._note(f"the node at {address:#x} lies {DEEPEST} nodes deep, and is no entry", address)

    def _children(self, level: Level, depth: int) -> Level:
        """Nodes below some, those that have children; entries are noted.

        :param depth: nodes from the root to them
        """
        raws = self._memory.gather(level.addresses, _NODE.size)
        if None in raws:
            for address, raw in zip(level.addresses, raws):
                if raw is None:
                    text = f"a node at {address:#x} cannot be read, nor what is below it"
                    self._note(text, address, "unreadable")
            level = level.only(raws)
        words, children, there = children_of([raw for raw in raws if raw is not None])
        nodes = self.nodes
        nodes.addresses += level.addresses
        nodes.above += level.above
        nodes.parents += words[_PARENT_AT // 8 :: _WORDS].tolist()
        nodes.dead += [word >> 32 for word in words[0::_WORDS].tolist()]
        locks = words[_NODE.at("mu") // 8 :: _WORDS].tolist()
        nodes.locked += [word & layouts.MUTEX_LOCKED for word in locks]
        taken = bytes(map(bool, children))
        nodes.used += [taken.count(1, at, at + CHILDREN) for at in range(0, len(taken), CHILDREN)]
        paths, addresses = level.paths, level.addresses
        found = Level(
            [children[at] for at in there],
            [paths[at >> _BITS] << _BITS | at & _PLACE for at in there],
            [addresses[at >> _BITS] for at in there],
        )
        return self._sorted_out(found, depth)

    def _sorted_out(self, found: Level, depth: int) -> Level:
        """Of children those that have children; the others are entries."""
        raws = self._memory.gather(found.addresses, _OVERFLOW_AT + 8)
        kinds, behind = kinds_of(raws)
        odd = any(address % 8 for address in found.addresses)
        if odd or not kinds or not self._are_new(found.addresses):
            kept = [
                self._is_node(address, path, above, raw)
                for address, path, above, raw in zip(
                    found.addresses, found.paths, found.above, raws
                )
            ]
            found = found.only(kept)
            kinds, behind = kinds_of(list(compress(raws, kept)))
        self._add(found.only(kinds), list(compress(behind, kinds)), depth)
        return found.only([not kind for kind in kinds])

    def _is_node(self, address: int, path: int, above: int, raw: Optional[bytes]) -> bool:
        """Whether a node is one of either kind, and was not met before."""
        if raw is None or address % 8:
            text = f"child {path & 15:x} of the node at {above:#x} is {address:#x}, "
            self._note(f"{text}which cannot be read", above, "unreadable")
            return False
        if raw[0] > 1:
            text = f"the node at {address:#x} says neither that it is an entry nor that it is "
            self._note(f"{text}not: {raw[0]}", address)
            return False
        return self._is_new(address)

    def _are_new(self, addresses: Sequence[int]) -> bool:
        """Whether none of some was met before, and each is there once: then all are noted."""
        fresh = set(addresses)
        if len(fresh) < len(addresses) or len(self._seen) + len(fresh) > _MOST:
            return False
        if not self._seen.isdisjoint(fresh):
            return False
        self._seen |= fresh
        return True

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

    def _add(self, heads: Level, behind: Sequence[int], depth: int) -> None:
        """Add entries, and those behind them in their chains.

        :param behind: what each leads on to
        """
        first = len(self.leaves)
        self._extend(heads.addresses, heads.paths, depth, 0, range(first, first + len(heads)))
        chained = zip(heads.addresses, heads.paths, count(first), behind)
        now = [member for member in chained if member[3]] if any(behind) else []
        place = 0
        while now:
            following: List[Tuple[int, int, int]] = []
            for address, path, head, overflow in now:
                if overflow % 8:
                    text = f"the entry at {address:#x} leads on to {overflow:#x}, which is no entry"
                    self._note(text, address, "unreadable")
                elif overflow and self._is_new(overflow):
                    following.append((overflow, path, head))
            place += 1
            addresses = [address for address, _, _ in following]
            self._extend(
                addresses,
                [path for _, path, _ in following],
                depth,
                place,
                [head for _, _, head in following],
            )
            raws = self._memory.gather(addresses, _OVERFLOW_AT + 8)
            now = []
            for (address, path, head), raw in zip(following, raws):
                if raw is None:
                    text = f"the entry at {address:#x} cannot be read, nor those behind it"
                    self._note(text, address, "unreadable")
                else:
                    overflow = int.from_bytes(raw[_OVERFLOW_AT:], "little")
                    now.append((address, path, head, overflow))

    def _extend(
        self,
        addresses: Sequence[int],
        paths: Sequence[int],
        depth: int,
        place: int,
        heads: Sequence[int],
    ) -> None:
        """Add entries that stand at the same depth, and at the same place in their chains."""
        leaves = self.leaves
        leaves.addresses += addresses
        leaves.paths += paths
        leaves.depths += [depth] * len(addresses)
        leaves.chain += [place] * len(addresses)
        leaves.heads += heads

    def _note(self, text: str, address: int, code: str = "header") -> None:
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(Problem(text, code, address))


def children_of(raws: Sequence[bytes]) -> Tuple[memoryview, List[int], List[int]]:
    """(all words of some nodes, their children, 16 of each, indices of those that there are)."""
    words = memoryview(b"".join(raws)).cast("Q")
    children = [0] * (CHILDREN * len(raws))
    for place in range(CHILDREN):
        children[place::CHILDREN] = words[_CHILDREN_AT // 8 + place :: _WORDS].tolist()
    return words, children, list(compress(range(len(children)), children))


def kinds_of(raws: Sequence[Optional[bytes]]) -> Tuple[List[int], List[int]]:
    """(1 for each that is an entry, what each that is one leads on to) of nodes of either kind;
    none at all if one is of neither, or cannot be read."""
    if None in raws:
        return [], []
    words = memoryview(b"".join(raws)).cast("Q").tolist()  # type: ignore[arg-type]
    kinds = [word & 0xFF for word in words[0::2]]
    return ([], []) if max(kinds, default=0) > 1 else (kinds, words[_OVERFLOW_AT // 8 :: 2])
