# SPDX-License-Identifier: MIT
"""What the header of a library's table of slots tells, and how it is shown."""

from typing import Dict, Iterator, Optional

from ..maps.facts import Summary
from ..maps.figures import optional, size_text
from ..maps.library_facts import LibraryFacts
from ..program.values import escape
from ..records import dataclass


@dataclass(frozen=True)
class SlotFacts(LibraryFacts):
    """Of a library's table of slots.

    :ivar slot_bytes: of each
    :ivar growth_left: entries until it grows; None: not known
    """

    slots: int
    slot_bytes: int
    growth_left: Optional[int]

    place = "slots"

    def places(self) -> Optional[int]:
        return self.slots

    def form(self) -> Dict[str, object]:
        form: Dict[str, object] = {**super().form(), "groups": self.buckets}
        del form["buckets"], form["bucket_bytes"], form["hash_stored"], form["max_load_factor"]
        return form

    def walked_form(self, summary: Summary) -> Dict[str, object]:
        return {"tombstones": summary.tombstones}

    def lines(self, summary: Summary, unit: str) -> Iterator[str]:
        held = summary.held
        yield (
            f"  slots      {self.slots} of {self.slot_bytes} bytes in {optional(self.buckets)} "
            f"groups, {size_text(held.total if held else None)} in all"
        )
        if held is not None and held.nodes is not None:
            yield f", {size_text(held.nodes)} of it in nodes"
        yield "\n"
        if self.growth_left is not None:
            yield f"             {self.growth_left} more entries before it grows\n"
        if summary.tombstones is not None:
            yield f"             {summary.tombstones} of deleted entries\n"
        yield f"  hash       {escape(self.hash) or 'not known'}\n"
