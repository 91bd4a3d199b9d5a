# SPDX-License-Identifier: MIT
"""What the header of a map of two tables tells, and how it is shown."""

from typing import Dict, Iterator, Optional, Tuple

from ..maps.facts import Facts, Summary
from ..maps.figures import size_text
from ..program.values import escape
from ..records import dataclass


@dataclass(frozen=True)
class ChainFacts(Facts):
    """Of a map of two tables, of which one is emptied into the other a bucket at a time.

    :ivar notes: what else its header tells, a line each, for readers
    :ivar paused: how many forbid steps of the migration at this moment
    :ivar sizes: buckets of both tables, None: there is none
    """

    sizes: Tuple[Optional[int], Optional[int]]
    paused: int
    notes: Tuple[str, ...] = ()

    def form(self) -> Dict[str, object]:
        form: Dict[str, object] = dict(vars(self))
        del form["hash0"]  # the seed is the process's, not the map's
        return {**form, "sizes": list(self.sizes), "notes": list(self.notes)}

    def lines(self, summary: Summary, unit: str) -> Iterator[str]:
        held = summary.held
        what = "slots" if unit == "slot" else "buckets"
        sizes = [f"{size} {what}" for size in self.sizes if size is not None]
        yield f"  tables     {' -> '.join(sizes) or 'none yet'}, "
        yield f"{size_text(held.total) if held else '?'} in all\n"
        for note in self.notes:
            yield f"  note       {escape(note)}\n"

    def closing_lines(self) -> Iterator[str]:
        yield from ()
