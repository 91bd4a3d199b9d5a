# SPDX-License-Identifier: MIT
"""What may be done about a map, where its figures say that it would help, and by how much.

What is not known is no ground for advice: nothing is said of a map that was not read whole, or
whose growths the program does not count.
"""

from typing import Dict, List, Optional

from ..records import dataclass
from .facts import Distribution
from .figures import size_text
from .verdict import BAD, CROWDED, EQUAL, Verdict
from .view import MapView

#: bytes that a fresh copy must give back, and their share of all, for it to be worth a word
_WORTH, _SHARE = 1 << 14, 1 / 2
#: doublings and entries from which on a hint of the size is worth a word
_OFTEN, _ENTRIES = 8, 1000

#: how a map is made anew, by flavour; of others that is not for the program to do, or happens
#: by itself
_REBUILDING: Dict[str, str] = {
    "runtime": "rebuild() gives back",
    "go-classic": "a new map with the same entries gives back",
    "go-swiss": "a new map with the same entries gives back",
    "std-unordered": "a copy, or rehash(0), gives back",
}
_HASHES: Dict[str, str] = {
    BAD: "another hash function: this one does not spread the keys, and lookups compare many of "
    "them",
    EQUAL: "another hash function, with a random seed if keys come from outside: lookups of keys "
    "with one hash compare them all",
    CROWDED: "a hash function that mixes all bits of a key: lookups compare many keys in one place",
}
#: flavours whose hash function is not the program's to choose
_OWN_HASH = ("go-", "redis-", "valkey-")


@dataclass(frozen=True)
class Advice:
    """One thing that would help.

    :ivar code: "rebuild", "hint" or "hash"
    :ivar text: for a reader
    :ivar bytes: that it gives back; None: it is not about memory
    :ivar growths: that it saves; None: it is not about growing
    """

    code: str
    text: str
    bytes: Optional[int] = None
    growths: Optional[int] = None

    def form(self) -> Dict[str, object]:
        """One of `advice` of mapscope.stats/1."""
        return {
            "code": self.code,
            "message": self.text,
            "bytes": self.bytes,
            "growths": self.growths,
        }


def advise(view: MapView, found: Distribution, hashes: Verdict) -> List[Advice]:
    """What would help this map; nothing, if nothing is known to.

    :param found: its distribution
    :param hashes: what is thought of its hashes
    """
    if view.address is None or view.problems:
        return []
    advice: List[Advice] = []
    rebuilding = _rebuild(view, found)
    if rebuilding is not None:
        advice.append(rebuilding)
    else:
        hint = _hint(view, found)
        advice += [] if hint is None else [hint]
    if hashes.verdict in _HASHES and not view.flavor.startswith(_OWN_HASH):
        advice.append(Advice("hash", _HASHES[hashes.verdict]))
    return advice


def _rebuild(view: MapView, found: Distribution) -> Optional[Advice]:
    """What a fresh copy would give back, if that is much.

    What a migration retains is not counted: it goes when that ends.
    """
    how = _REBUILDING.get(view.flavor)
    if how is None or found.held is None or found.bytes_rebuilt is None:
        return None
    if found.read is not None:
        return None
    without = found.held.total - found.held.retained
    less = without - found.bytes_rebuilt
    if less < _WORTH or less < without * _SHARE:
        return None
    return Advice("rebuild", f"{how} about {size_text(less)} of {size_text(without)}", less)


def _hint(view: MapView, found: Distribution) -> Optional[Advice]:
    """What a hint of the size would have saved, where the program counts growths."""
    life, room = view.life, view.facts().grows_above
    if found.read is not None or life is None or room is None or view.count < _ENTRIES:
        return None
    if life.growths < _OFTEN or life.shrinks or life.rebuilds:
        return None
    # of fewer entries the array would be smaller, and be doubled all the same
    size = view.count if 2 * view.count > room else room
    text = f"reserve({size}) before it is filled saves the {life.growths} doublings"
    return Advice("hint", text, growths=life.growths)
