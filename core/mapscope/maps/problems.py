# SPDX-License-Identifier: MIT
"""What is impossible or unreadable in a map."""

from typing import Optional, Sequence

#: problems noted for one map before a walk gives up on details
MAX_PROBLEMS = 20


class Problem(str):
    """What is impossible or unreadable in a map, in words; and what `map check` says of it.

    :ivar code: of the finding (checks.report)
    :ivar address: of the memory that is wrong
    :ivar array: "new" or "old", and
    :ivar bucket: its bucket whose chain is concerned
    """

    code: str
    address: Optional[int]
    array: str
    bucket: Optional[int]

    def __new__(
        cls,
        text: str,
        code: str,
        address: Optional[int] = None,
        array: str = "",
        bucket: Optional[int] = None,
    ) -> "Problem":
        self = super().__new__(cls, text)
        self.code, self.address, self.array, self.bucket = code, address, array, bucket
        return self


#: codes of problems behind which there may be more of the map than was looked at
_CUT_SHORT = frozenset(
    "unreadable overflow-loop overflow-shared overflow-pointer node-loop directory header "
    "interrupted lost".split()
)


def is_cut_short(problems: Sequence[str]) -> bool:
    """Whether some of a map was not looked at: figures are then of the rest alone."""
    return any(getattr(problem, "code", "") in _CUT_SHORT for problem in problems)
