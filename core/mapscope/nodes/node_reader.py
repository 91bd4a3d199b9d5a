# SPDX-License-Identifier: MIT
"""A table of linked nodes: its header, its list, its buckets."""

from array import array
from functools import lru_cache
from itertools import compress
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from ..errors import MemoryUnreadable
from ..maps.batches import Where
from ..maps.facts import Coverage, Growth, Held
from ..maps.library_facts import LibraryFacts
from ..maps.problems import Problem, is_cut_short
from ..maps.progress import Progress, no_progress
from ..maps.view import Hashing, MapView
from ..program.hashing import KeyHash
from ..program.memory import CHUNK, Memory
from ..program.types import Type
from ..program.values import Decoded, Unreadable
from .node_layout import NodeHeader, NodeLayout

#: nodes that are taken apart together: fewer than what Memory sweeps for, since following them
#: has read them already; and bytes of them
TOGETHER, _TOGETHER_BYTES = 1 << 13, 16 << 20
WORD = 8


class NodeWhere(Where):
    """The place of an entry: its bucket, and its place in the bucket's chain."""

    def json_form(self) -> Dict[str, object]:
        return {"bucket": self.bucket if self.bucket >= 0 else None, "node": self.chain}

    def text(self) -> str:
        if self.bucket < 0:
            return "a bucket that is not known"
        return f"bucket {self.bucket}, node {self.chain}"


class NodeReader(MapView):
    """One table.

    :param elem: VOID of a set
    :param hash_name: of the program's hash function
    :param hashing: gives it, or why it cannot be computed
    :param unique: whether a key is there at most once
    :param change: makes the bytes of the node at an address such as the types say
    """

    has_overflow = False
    cells = "nodes"

    def __init__(
        self,
        memory: Memory,
        address: int,
        type_name: str,
        key: Type,
        elem: Type,
        header: NodeHeader,
        layout: NodeLayout,
        hash_name: str,
        hashing: Hashing,
        unique: bool,
        change: Optional[Callable[[int, bytes], bytes]] = None,
    ) -> None:
        super().__init__(memory, address, type_name, key, elem)
        self.header = header
        self.layout = layout
        self.unique = unique
        self.repeats = not unique
        self._change = change
        self._hash_name = hash_name
        self._hashing = lru_cache(maxsize=None)(hashing)  # it may look at hundreds of entries
        self._nodes: Optional["array[int]"] = None
        self._array: Optional["array[int]"] = None
        self._befores: Optional[Dict[int, int]] = None

    # --- the header ---

    @property
    def count(self) -> int:
        return self.header.count

    def facts(self) -> LibraryFacts:
        header = self.header
        return LibraryFacts(
            flags=(),
            hash0=0,
            buckets=header.buckets,
            bucket_bytes=WORD,
            load_factor=self.load_factor(),
            grows_above=header.grows_above,
            hash=self._hash_name,
            hash_stored=self.layout.hash is not None,
            max_load_factor=header.max_load_factor,
        )

    def growth(self) -> Optional[Growth]:
        return None

    def progress(self) -> Optional[float]:
        return None

    def overflow_in_use(self) -> Optional[int]:
        return None

    def held(self) -> Optional[Held]:
        header = self.header
        return Held(
            buckets=0 if header.inside else WORD * header.buckets,
            header=header.size,
            nodes=header.count * self.layout.size,
        )

    def load_factor(self) -> Optional[float]:
        return self.header.count / self.header.buckets

    def hashing(self) -> Tuple[Optional[KeyHash], str]:
        return self._hashing()

    # --- all of it ---

    def nodes(self, progress: Progress = no_progress) -> "array[int]":
        """Addresses of all nodes, in the order of their list; what ended it early is noted."""
        if self._nodes is None:
            header = self.header
            total = max(header.count, 1)
            found, error = self.memory.follow(
                header.first, self.layout.following, lambda done: progress(done, total)
            )
            self._nodes = found
            if error is not None:
                code = "unreadable" if isinstance(error, MemoryUnreadable) else "node-loop"
                place = found[-1] if found else header.head
                text = f"the list of nodes ends after {len(found)} of {header.count}: {error}"
                self.problems.append(Problem(text, code, place))
            elif len(found) != header.count:
                text = (
                    f"the table counts {header.count} entries, and its list has {len(found)} "
                    "(it is being changed, or damaged)"
                )
                self.problems.append(Problem(text, "count", self.address))
        return self._nodes

    def pointers(self) -> "array[int]":
        """The buckets' pointers, as many of them as can be read; what cannot be is noted."""
        if self._array is None:
            header, found = self.header, array("Q")
            place, left = header.array, WORD * header.buckets
            while left:
                size = min(left, CHUNK)
                try:
                    found.frombytes(self.memory.read_chunk(place, size))
                except MemoryUnreadable as error:
                    if size > 4096:  # no further than what is there
                        left_here = self._some(found, place, size)
                        if left_here == size:
                            continue
                    text = f"{len(found)} of {header.buckets} buckets could be read: {error}"
                    self.problems.append(Problem(text, "unreadable", place))
                    break
                place, left = place + size, left - size
            self._array = found
        return self._array

    def _some(self, found: "array[int]", place: int, size: int) -> int:
        """Takes what can be read of a piece, page by page; how much that was."""
        done = 0
        while done < size:
            step = min(4096 - (place + done) % 4096, size - done)
            try:
                found.frombytes(self.memory.read_chunk(place + done, step))
            except MemoryUnreadable:
                break
            done += step
        return done

    def befores(self) -> Dict[int, int]:
        """The bucket that each address is the pointer of: its nodes stand behind that."""
        if self._befores is None:
            words = self.pointers()
            self._befores = {word: at for at, word in enumerate(words) if word}
        return self._befores

    def starts(self, progress: Progress = no_progress) -> List[int]:
        """Which nodes, by their number in the list, are the first of their buckets."""
        nodes, befores = self.nodes(progress), self.befores()
        previous = [self.header.head, *nodes[:-1]] if nodes else []
        return list(compress(range(len(nodes)), map(befores.__contains__, previous)))

    def chain_lengths(self, progress: Progress = no_progress) -> List[int]:
        """Nodes of each bucket that has any."""
        starts = self.starts(progress)
        return [end - start for start, end in zip(starts, [*starts[1:], len(self.nodes())])]

    def coverage(self) -> Optional[Coverage]:
        """The buckets that were looked at, and all, if not all could be."""
        if not is_cut_short(self.problems):
            return None
        known = {self.header.head, *self.nodes()}
        unseen = sum(before not in known for before in self.befores())
        return len(self.pointers()) - unseen, self.header.buckets

    def rows(self, nodes: Sequence[int]) -> List[Optional[bytes]]:
        """The bytes of nodes."""
        found, change = self.memory.gather(nodes, self.layout.size), self._change
        if change is None:
            return found
        return [None if row is None else change(node, row) for node, row in zip(nodes, found)]

    def batches(
        self, progress: Progress = no_progress
    ) -> Iterator[Tuple[int, Sequence[int], List[Optional[bytes]]]]:
        """(number of the first one in the list, addresses, bytes) of all nodes."""
        nodes = self.nodes(progress)
        most = max(1, min(TOGETHER, _TOGETHER_BYTES // self.layout.size))
        for first in range(0, len(nodes), most):
            some = nodes[first : first + most].tolist()
            progress(first, len(nodes))
            yield first, some, self.rows(some)

    # --- places ---

    def where(self, number: int) -> Where:
        """The place of the node of that number in the list."""
        nodes, befores, head = self.nodes(), self.befores(), self.header.head
        start = number
        while start >= 0:
            bucket = befores.get(nodes[start - 1] if start else head)
            if bucket is not None:
                return NodeWhere("", bucket, number - start, None)
            start -= 1
        return NodeWhere("", -1, None, None)

    def bucket_nodes(self, index: int) -> Tuple[int, List[int]]:
        """What a bucket's pointer leads to, and its nodes.

        :raises MemoryUnreadable: if the pointer cannot be read
        """
        before = self.memory.read_word(self.header.array + WORD * index)
        if not before:
            return 0, []
        found: List[int] = []
        try:
            node = self._following(before)
            seen = {before}
            while node and node not in seen:
                self.memory.read(node, WORD)
                found.append(node)
                seen.add(node)
                following = self._following(node)
                if self._begins_another(node, following, index):
                    break
                node = following
        except MemoryUnreadable as error:
            text = f"bucket {index}, behind {len(found)} nodes: {error}"
            self.problems.append(Problem(text, "unreadable", error.address, "", index))
        return before, found

    def _begins_another(self, node: int, following: int, index: int) -> bool:
        """Whether a bucket's nodes end with one: by the next one's hash, as in the program, else
        by another bucket's pointer."""
        at = self.layout.hash
        if at is not None and self._befores is None:
            return not following or (
                self.header.place(self.memory.read_word(following + at)) != index
            )
        return node in self.befores()

    def _following(self, node: int) -> int:
        return self.memory.read_word(node + self.layout.following)

    def stored_hash(self, row: Optional[bytes]) -> Optional[int]:
        """The hash in a node's bytes."""
        at = self.layout.hash
        if row is None or at is None:
            return None
        return int.from_bytes(row[at : at + WORD], "little")

    def key_of(self, node: int, row: Optional[bytes]) -> Decoded:
        """The key of a node."""
        return self._decoded(self.types()[0], node, row, self.layout.key)

    def value_of(self, node: int, row: Optional[bytes]) -> Decoded:
        """The element of a node."""
        return self._decoded(self.types()[1], node, row, self.layout.elem)

    def _decoded(self, type: Type, node: int, row: Optional[bytes], offset: int) -> Decoded:
        if row is None:
            return Unreadable(f"cannot read {self.layout.size} bytes at {node:#x}")
        return self.decoder.decode(type, row[offset : offset + type.size], node + offset)
