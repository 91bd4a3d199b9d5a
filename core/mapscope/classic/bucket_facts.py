# SPDX-License-Identifier: MIT
"""What the header of a map of buckets tells, and how it is shown."""

from typing import Dict, Iterator

from ..maps.facts import Facts, Summary
from ..maps.figures import chains_text, coverage_text, optional, size_text
from ..records import dataclass


@dataclass(frozen=True)
class BucketFacts(Facts):
    """Of a map of buckets with overflow chains.

    :ivar B: log2 of its buckets
    :ivar noverflow: as the header has it
    """

    B: int
    noverflow: int

    counts_chains = True

    def form(self) -> Dict[str, object]:
        form: Dict[str, object] = {"flags": self.flags, "hash0": self.hash0, "B": self.B}
        form.update(vars(self))
        del form["noverflow"]  # stands with what else is known of overflow buckets
        return form

    def walked_form(self, summary: Summary) -> Dict[str, object]:
        overflow = {
            "noverflow": self.noverflow,
            "in_use": summary.overflow_in_use,
            "spare": summary.spare,
        }
        return {"overflow": overflow}

    def lines(self, summary: Summary, unit: str) -> Iterator[str]:
        size, held = self.bucket_bytes, summary.held
        if size is None:
            yield f"  buckets    {self.buckets} (B = {self.B}) of unknown size\n"
        else:
            parts = [f"{size_text(held.total if held else None)} in all"]
            if held is not None and held.old:
                parts.append(f"{size_text(held.old)} of it for the old array")
            if held is not None and held.retired:
                parts.append(f"{size_text(held.retired)} of it still to be given back")
            yield (
                f"  buckets    {self.buckets} (B = {self.B}) of {size} bytes, "
                f"{', '.join(parts)}\n"
            )
            yield (
                f"  overflow   {optional(summary.overflow_in_use)} in use, "
                f"{optional(summary.spare)} spare, noverflow {self.noverflow}\n"
            )
            chains = chains_text(summary.chains, summary.read is not None)
            yield f"  chains     {chains}{coverage_text(summary.read, 'bucket')}\n"
        yield from self.flag_lines()
