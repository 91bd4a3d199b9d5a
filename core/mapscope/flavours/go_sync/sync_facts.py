# SPDX-License-Identifier: MIT
"""What is known of a sync.Map, for `map inspect`."""

from typing import Dict, Iterator, List, Optional, Tuple

from ...maps.facts import Facts, Summary
from ...maps.figures import size_text
from ...program.values import escape
from ...records import dataclass


@dataclass(frozen=True)
class HalfFacts:
    """One of the two maps.

    :ivar count: entries, as its own header says; None: it cannot be read
    :ivar live: entries that have a value
    :ivar deleted: entries without one, and
    :ivar expunged: those of them that are in the read map alone
    :ivar only: of the dirty map: entries that the read map does not have
    """

    address: int
    type: str
    count: Optional[int]
    live: int
    deleted: int
    expunged: int
    only: Optional[int] = None

    def form(self) -> Dict[str, object]:
        """For `read` and `dirty` of mapscope.inspect/1."""
        form: Dict[str, object] = {
            "address": hex(self.address),
            "type": self.type,
            "entries": self.count,
            "live": self.live,
            "deleted": self.deleted,
            "expunged": self.expunged,
        }
        if self.only is not None:
            del form["expunged"]
            form["not_in_read"] = self.only
        return form

    def text(self) -> str:
        """For a reader."""
        parts = [f"{self.live} with a value", f"{self.deleted} deleted"]
        if self.expunged:
            parts.append(f"{self.expunged} expunged")
        if self.only is not None:
            parts.append(f"{self.only} that the read map does not have")
        entries = "?" if self.count is None else self.count
        return f"{escape(self.type)} {self.address:#x}, {entries} entries: {', '.join(parts)}"


@dataclass(frozen=True)
class ReadDirtyFacts(Facts):
    """Of a sync.Map of two maps.

    :ivar unread: "read", "dirty": which of them could not be read
    :ivar amended: whether lookups go on to the dirty map; None: not known
    :ivar same: whether the dirty map has just become the read one, and is both
    :ivar misses_left: lookups that miss the read map until the dirty one takes its place; None:
        none would make it so
    :ivar pending: entries that are just being put into the dirty map
    :ivar more: whether there may be more entries than were counted
    """

    entries: int
    read: Optional[HalfFacts]
    dirty: Optional[HalfFacts]
    unread: Tuple[str, ...]
    amended: Optional[bool]
    same: bool
    misses: int
    misses_left: Optional[int]
    locked: bool
    pending: int
    more: bool

    def form(self) -> Dict[str, object]:
        return {
            "flags": list(self.flags),
            "read": self.read.form() if self.read else None,
            "dirty": self.dirty.form() if self.dirty else None,
            "unread": list(self.unread),
            "amended": self.amended,
            "misses": self.misses,
            "misses_left": self.misses_left,
            "locked": self.locked,
            "being_stored": self.pending,
        }

    def entries_text(self) -> Optional[str]:
        return f"{'at least ' if self.more else ''}{self.entries}, as Load finds them"

    def lines(self, summary: Summary, unit: str) -> Iterator[str]:
        rows: List[Tuple[str, str]] = []
        rows.append(("read", self._half_text("read", self.read)))
        if self.same:
            rows.append(("dirty", "the same map: it is just taking the read map's place"))
        else:
            rows.append(("dirty", self._half_text("dirty", self.dirty)))
        amended = {
            True: "yes: the dirty map has keys that the read map does not have",
            False: "no: lookups look in the read map alone",
            None: "?",
        }
        rows.append(("amended", amended[self.amended]))
        text = str(self.misses)
        if self.misses_left is not None:
            one = self.misses_left == 1
            text += f", {self.misses_left} more until the dirty map takes the read map's place"
            text += "" if not one else " (the next one does it)"
        rows.append(("misses", text))
        rows.append(
            ("lock", "held: somebody writes, or looks in the dirty map" if self.locked else "free")
        )
        if self.pending:
            rows.append(("", f"{self.pending} being stored, and not there yet"))
        return _lines(rows, summary)

    def _half_text(self, name: str, half: Optional[HalfFacts]) -> str:
        if half is not None:
            return half.text()
        return "? (it could not be read)" if name in self.unread else "none yet"

    def closing_lines(self) -> Iterator[str]:
        yield from ()


@dataclass(frozen=True)
class TrieFacts(Facts):
    """Of a hash trie.

    :ivar entries: that were found
    :ivar nodes: that have children
    :ivar depth: of the deepest entry: nodes from the root to it; None: there is no entry
    :ivar chains: leaves that hold several entries of one hash, and
    :ivar chained: entries behind the first of such
    :ivar locked: nodes in which something is being written
    :ivar more: whether there may be more entries than were found
    """

    entries: int
    inited: bool
    root: int
    nodes: int
    depth: Optional[int]
    chains: int
    chained: int
    locked: int
    seed: int
    more: bool

    def form(self) -> Dict[str, object]:
        return {
            "flags": list(self.flags),
            "root": hex(self.root) if self.root else None,
            "inited": self.inited,
            "nodes": self.nodes,
            "depth": self.depth,
            "chained_leaves": self.chains,
            "chained_entries": self.chained,
            "locked_nodes": self.locked,
            "seed": hex(self.seed),
        }

    def entries_text(self) -> Optional[str]:
        return f"{'at least ' if self.more else ''}{self.entries}"

    def lines(self, summary: Summary, unit: str) -> Iterator[str]:
        least = "at least " if self.more else ""
        rows: List[Tuple[str, str]] = []
        if not self.root and not self.inited:
            rows.append(("trie", "none yet: it was never used"))
            return _lines(rows, summary)
        deep = "" if self.depth is None else f", the deepest entry below {self.depth} of them"
        nodes = "1 node" if self.nodes == 1 else f"{self.nodes} nodes"
        rows.append(("trie", f"{least}{nodes} of 16 children{deep}"))
        chains = (
            "none"
            if not self.chains
            else (
                f"{self.chains} of several entries with one hash, {self.chained} behind their first"
            )
        )
        rows.append(("chains", chains))
        if self.locked:
            one = self.locked == 1
            rows.append(
                (
                    "locks",
                    f"{self.locked} {'node is' if one else 'nodes are'} locked: "
                    "somebody writes there",
                )
            )
        rows.append(("seed", hex(self.seed) + ("" if self.inited else " (not initialised yet)")))
        return _lines(rows, summary)

    def closing_lines(self) -> Iterator[str]:
        yield from ()


def _lines(rows: List[Tuple[str, str]], summary: Summary) -> Iterator[str]:
    """Lines for a reader, and the memory that it all takes."""
    for what, text in rows:
        yield f"  {what:<10} {text}\n"
    yield f"  bytes      {size_text(summary.held.total if summary.held else None)} in all\n"
