# SPDX-License-Identifier: MIT
"""A table of linked nodes whose buckets have a list each: a bucket's pointer leads to its first
node, and its list ends with a null pointer.

For those who look at a table as one list, the buckets' lists stand one behind the other: the node
before a bucket's first one is the last one of the bucket that is filled before it.
"""

from array import array
from typing import Dict, List, Optional, Set, Tuple

from ..errors import MapscopeError, MemoryUnreadable
from ..maps.facts import Coverage, NodeChain
from ..maps.problems import MAX_PROBLEMS, Problem, is_cut_short
from ..maps.progress import Progress, no_progress
from .node_map import NodeMap

#: nodes that there may be beyond those that the table counts
_BEYOND = 1 << 20


class OwnListChain(NodeChain):
    """One bucket; `before` is its first node."""

    def about(self) -> List[str]:
        return [f"pointer    {self.before:#x}, its first node"] if self.before else []

    def form(self) -> Dict[str, object]:
        return {"first": hex(self.before) if self.before else None}


class OwnListMap(NodeMap):
    """Such a table."""

    _lists: Optional["array[int]"] = None
    _starts: Dict[int, int]
    _broken = 0

    def _heads(self) -> "array[int]":
        return super().pointers()

    def nodes(self, progress: Progress = no_progress) -> "array[int]":
        if self._lists is None:
            found: "array[int]" = array("Q")
            self._starts = {}
            seen: Set[int] = set()
            heads, following = self._heads(), self.layout.following
            most = self.header.count + _BEYOND
            for bucket, head in enumerate(heads):
                if not head:
                    continue
                some, error = self.memory.follow(head, following, lambda done: None)
                if error is None and not seen.isdisjoint(some):
                    error = MapscopeError("it leads to nodes of another bucket")
                    some = array("Q", [node for node in some if node not in seen])
                if error is not None:
                    self._broken += 1
                    self._note(bucket, some, error)
                seen.update(some)
                if some:
                    self._starts[bucket] = len(found)
                found.extend(some)
                if not bucket % 4096:
                    progress(bucket, len(heads))
                if len(found) > most:
                    self._broken += 1
                    text = f"more than {most} nodes, and the table counts {self.header.count}"
                    self.problems.append(Problem(text, "node-loop", self.address))
                    break
            self._lists = found
            if not is_cut_short(self.problems) and len(found) != self.header.count:
                text = (
                    f"the table counts {self.header.count} entries, and its buckets have "
                    f"{len(found)} (it is being changed, or damaged)"
                )
                self.problems.append(Problem(text, "count", self.address))
        return self._lists

    def _note(self, bucket: int, some: "array[int]", error: MapscopeError) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            code = "unreadable" if isinstance(error, MemoryUnreadable) else "node-loop"
            text = f"bucket {bucket}, behind {len(some)} nodes: {error}"
            place = some[-1] if some else self.header.array + 8 * bucket
            self.problems.append(Problem(text, code, place, "", bucket))

    def pointers(self) -> "array[int]":
        """For each bucket the node before its first one, 0 if it has none."""
        nodes = self.nodes()
        found = array("Q", bytes(8 * len(self._heads())))
        for bucket, start in self._starts.items():
            found[bucket] = nodes[start - 1] if start else self.header.head
        return found

    def befores(self) -> Dict[int, int]:
        if self._befores is None:
            self._befores = {word: at for at, word in enumerate(self.pointers()) if word}
        return self._befores

    def coverage(self) -> Optional[Coverage]:
        if not is_cut_short(self.problems):
            return None
        return len(self._heads()) - self._broken, self.header.buckets

    def bucket_nodes(self, index: int) -> Tuple[int, List[int]]:
        head = self.memory.read_word(self.header.array + 8 * index)
        if not head:
            return 0, []
        some, error = self.memory.follow(head, self.layout.following, lambda done: None)
        if error is not None:
            self._note(index, some, error)
        return head, some.tolist()

    def chain(self, index: int, old: bool) -> NodeChain:
        return OwnListChain(**vars(super().chain(index, old)))
