# SPDX-License-Identifier: MIT
"""What the header of a library's table tells, and how it is shown."""

from typing import Dict, Iterator, Optional

from ..program.values import escape
from ..records import dataclass
from .facts import Facts, Summary
from .figures import chains_text, coverage_text, optional, size_text


@dataclass(frozen=True)
class LibraryFacts(Facts):
    """Of a table of a C++ or Rust library, which grows within one call.

    :ivar hash: the name of its hash function; "": not known
    :ivar hash_stored: whether each entry has its hash beside it
    :ivar max_load_factor: None: not known, or not one that can be set
    """

    hash: str
    hash_stored: bool
    max_load_factor: Optional[float]

    def form(self) -> Dict[str, object]:
        form: Dict[str, object] = {**vars(self), "hash": self.hash or None}
        del form["flags"], form["hash0"]  # it has none
        return form

    def lines(self, summary: Summary, unit: str) -> Iterator[str]:
        held = summary.held
        yield (
            f"  {unit + 's':<10} {optional(self.buckets)} of "
            f"{optional(self.bucket_bytes)} bytes, "
            f"{size_text(held.total if held else None)} in all"
        )
        if held is not None and held.nodes is not None:
            yield f", {size_text(held.nodes)} of it in nodes"
        yield "\n"
        if summary.chains or summary.read is not None:
            chains = chains_text(summary.chains, summary.read is not None, "node")
            yield f"  chains     {chains}{coverage_text(summary.read, 'bucket')}\n"
        stored = "stored with each entry" if self.hash_stored else "not stored"
        yield f"  hash       {escape(self.hash) or 'not known'}, {stored}\n"

    def closing_lines(self) -> Iterator[str]:
        yield from ()
