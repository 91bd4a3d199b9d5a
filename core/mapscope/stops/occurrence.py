# SPDX-License-Identifier: MIT
"""What has happened at a stop, for the one line that says so and for `map stop`."""

from typing import Dict, Optional

from ..program.values import escape
from ..records import dataclass

_GROWTHS = {"double": "doubling", "same-size": "same-size growth", "shrink": "shrinking"}


@dataclass(frozen=True)
class TableGrowth:
    """What grows in a Swiss map.

    :ivar number: of the table, in the directory's order; None: the map has none yet
    :ivar tables: of the map
    :ivar old_slots: of the table, and `slots` of what replaces it
    """

    number: Optional[int]
    tables: int
    old_slots: int
    slots: int

    def text(self, kind: Optional[str]) -> str:
        """For a reader."""
        if self.number is None:
            return f"from a group of {self.old_slots} to a table of {self.slots} slots"
        which = f"table {self.number} of {self.tables}"
        if kind == "split":
            return f"splitting {which} into two of {self.slots} slots"
        return f"doubling {which}, {self.old_slots} -> {self.slots} slots"


@dataclass
class Occurrence:
    """One event of one map.

    :ivar address: of the map; None where it is not known (a race outside of a map's function)
    :ivar kind: of the growth that the event belongs to
    :ivar old_buckets: of that growth; 0: none
    :ivar buckets: of the array that entries go to
    :ivar table: what grows, in a Swiss map
    :ivar evacuated: old buckets evacuated wholly; None: not looked up
    :ivar key: its JSON form, where it is known
    :ivar how: what else is to be said, as "abandoned by clear"
    :ivar thread: the debugger's own number of the thread
    :ivar goroutine: in Go programs, where it is known
    :ivar mechanism: by what it was noticed
    :ivar place: the user's function and line, where the debugger cannot tell
    :ivar unit: what its buckets are called
    """

    event: str
    address: Optional[int]
    type_name: str
    thread: int
    mechanism: str
    bucket: Optional[int] = None
    kind: Optional[str] = None
    old_buckets: int = 0
    buckets: int = 0
    table: Optional[TableGrowth] = None
    evacuated: Optional[int] = None
    count: Optional[int] = None
    key: Optional[str] = None
    how: str = ""
    goroutine: Optional[int] = None
    place: str = ""
    unit: str = "buckets"

    def line(self) -> str:
        """Without the number of the stop and without a newline."""
        parts = [self._what()]
        if self.address is not None:
            parts.append(f"{escape(self.type_name)} {self.address:#x}")
        if self.table is not None:
            parts.append(self.table.text(self.kind))
        elif self.kind is not None and self.old_buckets:
            word = _GROWTHS.get(self.kind, self.kind)
            if self.old_buckets == self.buckets:
                parts.append(f"{word} of {self.buckets} {self.unit}")
            else:
                parts.append(f"{word} {self.old_buckets} -> {self.buckets} {self.unit}")
            if self.evacuated is not None and self.event not in ("grow", "done"):
                parts.append(f"{100 * self.evacuated / self.old_buckets:.1f}% done")
        if self.count is not None and self.event in ("grow", "clear", "done"):
            parts.append(f"{self.count} {'entry' if self.count == 1 else 'entries'}")
        parts.append(f"thread {self.thread}")
        if self.goroutine is not None:
            parts.append(f"goroutine {self.goroutine}")
        if self.place:
            parts.append(f"in {escape(self.place)}")
        return ", ".join(parts)

    def _what(self) -> str:
        if self.event == "evacuate" and self.kind == "lazy":
            return f"rehash bucket {self.bucket} of {self.buckets} ({escape(self.how)})"
        if self.event == "evacuate":
            return f"evacuate old bucket {self.bucket} of {self.old_buckets}"
        if self.event == "progress":
            return f"progress: {self.evacuated} of {self.old_buckets} old buckets evacuated"
        what = self.event
        if self.key is not None:
            what += f" of key {escape(self.key)}"
        if self.how:
            what += f" ({escape(self.how)})"
        return what

    def form(self) -> Dict[str, object]:
        """The fields of mapscope.stop/1 that tell of the event."""
        form: Dict[str, object] = {
            "event": self.event,
            "bucket": self.bucket,
            "kind": self.kind,
            "old_buckets": self.old_buckets or None,
            "evacuated": self.evacuated,
            "key": self.key,
            "note": self.how or None,
            "thread": self.thread,
            "goroutine": self.goroutine,
            "mechanism": self.mechanism,
        }
        if self.table is not None:
            form.update(table=self.table.number, old_slots=self.table.old_slots)
        if self.place:
            form["place"] = self.place
        return form
