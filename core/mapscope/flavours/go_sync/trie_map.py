# SPDX-License-Identifier: MIT
"""A hash trie, which a sync.Map is since Go 1.24: what commands ask of it."""

from collections import Counter
from functools import partial
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from ...cells.columns import column_of
from ...errors import UsageError
from ...go import layouts
from ...maps.batches import EntryBatch, Where
from ...maps.facts import Chain, Distribution, Growth, Held, Histogram, Summary
from ...maps.found import Found, KeyTest
from ...maps.problems import Problem, is_cut_short
from ...maps.progress import Progress, no_progress
from ...maps.report import Report
from ...maps.view import Hashing, MapView
from ...program.hashing import KeyHash
from ...program.memory import Memory
from ...program.values import escape
from .same_text import with_note
from .sync_facts import TrieFacts
from .sync_types import TrieLayout
from .trie_check import check_trie
from .trie_lookup import TrieFinder
from .trie_reader import Leaves, TrieWalk

NAME = "go-sync-trie"
#: entries that are read together
_STEP = 1 << 16


class TrieMap(MapView):
    """A HashTrieMap, or the sync.Map that is one.

    :param inited: as its header says
    :param size: of the header
    :param root_at: where the word is that leads to the root
    :ivar receiver: what its methods are given
    """

    unit = "node"
    cells = "entries"
    has_overflow = False
    is_part = True

    def __init__(
        self,
        memory: Memory,
        address: int,
        layout: TrieLayout,
        inited: int,
        root: int,
        seed: int,
        size: int,
        root_at: int,
        hashing: Hashing,
    ) -> None:
        super().__init__(memory, address, layout.name, layout.key, layout.elem)
        self.layout = layout
        self.root = root
        self.root_at = root_at
        self.receiver = root_at - layout.header["root"]
        self._inited = inited
        self._seed = seed
        self._size = size
        self._find_hash = hashing
        self._hash: List[Tuple[Optional[KeyHash], str]] = []
        self._walked: Optional[TrieWalk] = None

    @property
    def is_impossible(self) -> bool:
        """Whether there is nothing of a trie in what lies there."""
        walk = self.walk()
        return self._inited > 1 or (not len(walk.nodes) and bool(self.problems))

    def headline(self) -> str:
        return f"{escape(self.type_name)} with {self.count_text()} entries"

    @property
    def known_count(self) -> Optional[int]:
        return None if self._is_cut() else self.count

    def _is_cut(self) -> bool:
        self.walk()
        return is_cut_short(self.problems)

    def walk(self, progress: Progress = no_progress) -> TrieWalk:
        """All its nodes; found once."""
        if self._walked is None:
            self._walked = walk = TrieWalk(self.memory, self.root, self.problems)
            try:
                walk.run(progress)
            except KeyboardInterrupt:
                text = "interrupted: not all of the trie was looked at"
                self.problems.append(Problem(text, "interrupted"))
        return self._walked

    # --- figures ---

    @property
    def count(self) -> int:
        """Entries that were found: a trie does not count them."""
        return len(self.walk().leaves)

    def facts(self) -> TrieFacts:
        walk = self.walk()
        leaves, nodes = walk.leaves, walk.nodes
        behind = [at for at, place in enumerate(leaves.chain) if place]
        return TrieFacts(
            [] if self._inited else ["not initialised"],
            self._seed,
            len(nodes),
            layouts.TRIE_INDIRECT.size,
            None,
            None,
            len(leaves),
            bool(self._inited),
            self.root,
            len(nodes),
            max(leaves.depths) if leaves.depths else None,
            len({leaves.heads[at] for at in behind}),
            len(behind),
            sum(nodes.locked),
            self._seed,
            self._is_cut(),
        )

    def growth(self) -> Optional[Growth]:
        return None  # it has nothing to move

    def progress(self) -> Optional[float]:
        return None

    def overflow_in_use(self) -> Optional[int]:
        return None

    def load_factor(self) -> Optional[float]:
        return None

    def held(self) -> Optional[Held]:
        """The header, the nodes with children, and the entries."""
        if self._is_cut():
            return None
        walk = self.walk()
        nodes = len(walk.nodes) * layouts.TRIE_INDIRECT.size
        entries = len(walk.leaves) * self.layout.entry_size
        return Held(buckets=nodes, header=self._size, nodes=entries)

    def hashing(self) -> Tuple[Optional[KeyHash], str]:
        if not self._hash:
            self._hash.append(self._find_hash())
        return self._hash[0]

    # --- commands ---

    def summary(self, progress: Progress = no_progress) -> Summary:
        self.walk(progress)
        return Summary(held=self.held())

    def distribution(self, progress: Progress = no_progress) -> Distribution:
        walk, held = self.walk(progress), self.held()
        leaves, nodes = walk.leaves, walk.nodes
        lengths = Counter(leaves.heads)
        key, elem = self.types()
        cut = self._is_cut()
        used = len(leaves) * (key.size + elem.size)
        return Distribution(
            cells={},
            chains={},
            old_cells={},
            old_chains={},
            entries=None if cut else len(leaves),
            uniformity=None,
            held=held,
            bytes_used=None if cut else used,
            bytes_rebuilt=None if held is None else held.total,
            unit=self.unit,
            read=(len(nodes), None) if cut else None,
            own=(
                Histogram(
                    "depths", "entries by the nodes from the root to them", _counted(leaves.depths)
                ),
                Histogram(
                    "children",
                    "nodes by their children, of 16",
                    _counted(nodes.used),
                ),
                Histogram(
                    "chains",
                    "leaves by the entries of one hash in them",
                    _counted(list(lengths.values())),
                ),
            ),
        )

    def entries(self, progress: Progress = no_progress) -> Iterator[EntryBatch]:
        """All entries, in the order in which Range finds them."""
        leaves, layout = self.walk(progress).leaves, self.layout
        order = leaves.order()
        for first in range(0, len(order), _STEP):
            progress(first, len(order))
            some = order[first : first + _STEP]
            places = [leaves.addresses[at] for at in some]
            rows = self.memory.gather(places, layout.entry_size)
            yield EntryBatch(
                column_of(
                    layout.key, rows, layout.entry_size, layout.key_at, _at(places, layout.key_at)
                ),
                column_of(
                    layout.elem,
                    rows,
                    layout.entry_size,
                    layout.elem_at,
                    _at(places, layout.elem_at),
                ),
                range(len(some)),
                partial(_where, leaves, some),
            )

    def chain(self, index: int, old: bool) -> Chain:
        raise UsageError(
            "a hash trie has no buckets: map entries MAP --where tells the path to each entry, and "
            "map find MAP KEY that of a lookup"
        )

    def find(self, test: KeyTest) -> Found:
        if not self.root:
            return Found(None, None, "hash", "the trie has no root yet: it is empty", [], 0, 0)
        finder = TrieFinder(self, self.memory, self.root, self.layout)
        return with_note(self, test, finder.find(test))

    def check(self, report: Report, progress: Progress = no_progress) -> None:
        check_trie(self, self.walk(progress), self._inited, self.root, report, progress)


def _at(places: Sequence[int], offset: int) -> Callable[[int], int]:
    """The address of a part of each entry."""
    return lambda index: places[index] + offset


def _where(leaves: Leaves, some: Sequence[int], index: int) -> Where:
    return leaves.where(some[index])


def _counted(values: Sequence[int]) -> Dict[int, int]:
    """How often each number is there, in order."""
    return dict(sorted(Counter(values).items()))
