# SPDX-License-Identifier: MIT
"""The header of a classic map, as a flavour has understood it.

What this knows: which headers are possible. What it must not know: where the
fields lie in memory (flavours) and what is in the buckets (classic).
"""

from dataclasses import field
from typing import Dict, List, Optional, Tuple

from ..cells.columns import Place
from ..errors import Corrupt
from ..go import layouts
from ..program.memory import ADDRESS_LIMIT
from ..records import dataclass

FLAG_NAMES = ((1, "iterator"), (2, "oldIterator"), (4, "hashWriting"), (8, "sameSizeGrow"))
HASH_WRITING = layouts.HASH_WRITING

#: 2^B buckets of at least 24 bytes end below ADDRESS_LIMIT
MAX_B = 43


@dataclass
class Header:
    """An hmap with every state between two stores resolved.

    :ivar oldbuckets: 0 unless a growth is installed
    :ivar kind: of the growth; None when there is none
    :ivar old_B: log2 of the old array's buckets
    :ivar installing: hashGrow has stored some of its fields, and not all
    :ivar flag_names: (bit, name) of the flags that can be; one without a name is not shown
    """

    count: int
    flags: int
    B: int
    noverflow: int
    hash0: int
    buckets: int
    oldbuckets: int = 0
    nevacuate: int = 0
    kind: Optional[str] = None
    old_B: int = 0
    installing: bool = False
    flag_names: Tuple[Tuple[int, str], ...] = FLAG_NAMES

    def flags_set(self) -> List[str]:
        """Names of the flags that are set."""
        known = sum(bit for bit, _ in self.flag_names)
        names = [name for bit, name in self.flag_names if name and self.flags & bit]
        return names + [f"unknown bit {1 << i}" for i in range(8) if self.flags & ~known & 1 << i]

    def overflow_estimate(self) -> int:
        """Overflow buckets of the present array: noverflow, from B = 16 on one in 2^(B-15) that
        were counted at random (incrnoverflow in runtime/map.go)."""
        return self.noverflow << (self.B - 15) if self.B >= 16 else self.noverflow

    def validate(self, where: int) -> None:
        """:raises Corrupt: if no map can look like that"""
        if self.B > MAX_B or self.old_B > MAX_B:
            raise Corrupt(
                f"no map at {where:#x}: B is {self.B} (2^{self.B} buckets), "
                f"at most {MAX_B} expected"
            )
        for name, pointer in (("buckets", self.buckets), ("oldbuckets", self.oldbuckets)):
            if pointer and (pointer % 8 or not 4096 <= pointer < ADDRESS_LIMIT):
                raise Corrupt(
                    f"no map at {where:#x}: {name} is {pointer:#x}, no array can be there"
                )
        if self.oldbuckets and not self.buckets:
            raise Corrupt(f"no map at {where:#x}: oldbuckets is set but buckets is nil")


@dataclass
class Writing:
    """What is known of a write that is stopped half-way.

    :ivar evacuating: old buckets that are being moved
    :ivar base: cells of the X chain before the first that evacuating fills (in a shrink)
    :ivar perhaps: old buckets that are being moved or were moved long ago; in the second
        case their new cells may hold anything by now
    :ivar copies_late: a new cell's tophash is set before its key and element
        are copied (Go), not after (the runtime)
    :ivar pending: cells whose tophash is set but whose key may not be; with
        the key's bytes where they are known
    :ivar cleared: the map is being cleared; what is left in it does not count
    """

    evacuating: List[int] = field(default_factory=list)
    base: int = 0
    perhaps: List[int] = field(default_factory=list)
    copies_late: bool = False
    pending: Dict[Place, Optional[bytes]] = field(default_factory=dict)
    cleared: bool = False
