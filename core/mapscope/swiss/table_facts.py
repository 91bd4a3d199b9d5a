# SPDX-License-Identifier: MIT
"""What the header of a map of tables tells, and how it is shown."""

from typing import Dict, Iterator, Optional

from ..maps.facts import Facts, Summary
from ..maps.figures import optional, size_text
from ..records import dataclass


@dataclass(frozen=True)
class TableFacts(Facts):
    """Of a map of tables of groups.

    :ivar tables: 0 of a small map, whose only group has none
    :ivar growth_left: entries until tables grow
    """

    tables: Optional[int]
    global_depth: int
    growth_left: Optional[int]

    def form(self) -> Dict[str, object]:
        form: Dict[str, object] = {**vars(self), "groups": self.buckets}
        del form["buckets"]
        return form

    def walked_form(self, summary: Summary) -> Dict[str, object]:
        return {"tombstones": summary.tombstones}

    def lines(self, summary: Summary, unit: str) -> Iterator[str]:
        size = self.bucket_bytes
        tables = "?" if self.tables is None else self.tables or "no"
        each = "of unknown size" if size is None else f"of {size} bytes"
        total = size_text(summary.held.total) if summary.held else "?"
        yield (
            f"  tables     {tables} (global depth {self.global_depth}), "
            f"{optional(self.buckets)} groups {each}, {total} in all\n"
        )
        yield (
            f"  slots      {optional(self.growth_left)} left before a table grows, "
            f"{optional(summary.tombstones)} tombstones\n"
        )
        yield from self.flag_lines()
