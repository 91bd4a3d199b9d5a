# SPDX-License-Identifier: MIT
"""A key that is looked for, and what was found."""

from typing import Callable, Dict, List, Optional, Sequence, Tuple

from ..program.values import Decoded
from ..records import dataclass
from .batches import Where
from .problems import Problem, is_cut_short


@dataclass
class Candidate:
    """A chain in which a lookup could find the key."""

    array: str
    bucket: int
    authoritative: bool
    reason: str

    def place(self) -> Dict[str, object]:
        """Which chain, as docs/commands.md has it."""
        return {"array": self.array, "bucket": self.bucket}

    def text(self) -> str:
        """Which chain, for a reader."""
        return f"{self.array} bucket {self.bucket}"


class SlotCandidate(Candidate):
    """A group of a Swiss map that a lookup looks at; the array is a table, by its number."""

    def place(self) -> Dict[str, object]:
        return {"table": int(self.array), "group": self.bucket}

    def text(self) -> str:
        return f"table {self.array}, group {self.bucket}"


@dataclass(frozen=True)
class Unseen:
    """An entry that lies where lookups do not see it.

    :ivar reason: what follows "because"
    """

    where: Where
    reason: str
    key: Optional[Decoded]
    value: Optional[Decoded]


@dataclass
class Found:
    """What `map find` shows.

    :ivar unseen: the key all the same, in a damaged map
    :ivar unread: keys that could not be read, and may be the one that is looked for
    """

    hash: Optional[int]
    tophash: Optional[int]
    method: str  # "hash" or "scan"
    note: str
    candidates: List[Candidate]
    cells_compared: int
    chain_hops: int
    key: Optional[Decoded] = None
    value: Optional[Decoded] = None
    elem_address: Optional[int] = None
    where: Optional[Where] = None
    in_flight: bool = False
    unseen: Optional[Unseen] = None
    unread: int = 0

    def is_known(self, problems: Sequence[str]) -> bool:
        """Whether a key that was not found is not there: all that a lookup looks at was read.

        :param problems: what could not be read, or not followed, of the map
        """
        places = {(candidate.array, candidate.bucket) for candidate in self.candidates}
        of_lookup = [
            problem
            for problem in problems
            if self.method != "hash"
            or not isinstance(problem, Problem)
            or not problem.array
            or (problem.array, problem.bucket) in places
        ]
        return not self.unread and not is_cut_short(of_lookup)


@dataclass(frozen=True)
class KeyTest:
    """A key to look for.

    :ivar matches: whether a decoded key of the map equals it
    :ivar data: its bytes, where equal keys have equal bytes
    :ivar text: of a string key, its bytes
    :ivar forms: of a key in an interface, what its own JSON may be; none: not known
    """

    matches: Callable[[Decoded], bool]
    data: Optional[bytes] = None
    text: Optional[bytes] = None
    forms: Tuple[object, ...] = ()
