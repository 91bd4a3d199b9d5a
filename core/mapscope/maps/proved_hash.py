# SPDX-License-Identifier: MIT
"""Hash functions that are only taken for a table's own if its entries say so."""

from typing import Callable, Dict, List, Optional, Sequence, Set

from ..program.hashing import KeyHash

#: entries that are looked at, and how many have to agree at least: of all, and of each kind of keys
LOOKED, ENOUGH, _OF_KIND = 512, 8, 2
#: of those that are looked at, so many of eight have to agree: the others may be damaged
_OF_EIGHT = 7


class ProvedHash(KeyHash):
    """A hash function that a table's entries agree with.

    :param kinds: of keys that do, as KeyHash.kind() tells them: a key of another kind may be hashed
        in another way
    """

    def __init__(self, known: KeyHash, kinds: Set[int]) -> None:
        self.name = known.name
        self._known = known
        self._kinds = kinds

    def many(self, keys: Sequence[bytes]) -> List[Optional[int]]:
        found, kind, kinds = self._known.many(keys), self._known.kind, self._kinds
        return [
            number if number is not None and kind(key) in kinds else None
            for key, number in zip(keys, found)
        ]

    def of_text(self, text: bytes) -> Optional[int]:
        return self._known.of_text(text) if self._known.kind_of_text(text) in self._kinds else None


def prove(
    keys: Sequence[Optional[bytes]],
    candidates: Sequence[KeyHash],
    agrees: Callable[[int, int], bool],
) -> Optional[KeyHash]:
    """The candidate that a table's entries agree with; None: none of them is proved.

    :param keys: of some entries; None: one that cannot be read
    :param agrees: (index, hash) -> whether the entry lies where, and is marked as, its key's hash
        says
    """
    for known in candidates:
        hashes = known.many([key or b"" for key in keys])
        told: Dict[int, List[bool]] = {}
        for at, (key, number) in enumerate(zip(keys, hashes)):
            if number is not None:
                told.setdefault(known.kind(key or b""), []).append(agrees(at, number))
        if _is_enough([one for some in told.values() for one in some], ENOUGH):
            kinds = {kind for kind, some in told.items() if _is_enough(some, _OF_KIND)}
            return ProvedHash(known, kinds)
    return None


def _is_enough(agree: List[bool], least: int) -> bool:
    right = agree.count(True)
    return right >= least and 8 * right >= _OF_EIGHT * len(agree)
