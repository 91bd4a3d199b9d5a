# SPDX-License-Identifier: MIT
"""The hashes of a map's entries, of all of them or of a sample: as they are stored, as they are
computed, or as far as places show them."""

from dataclasses import field
from typing import List, Optional, Sequence, Tuple

from ..errors import MapscopeError
from ..program.hashing import ANOTHER, LEAST, KeyHash
from ..program.values import Decoded, json_text
from ..records import dataclass
from .batches import EntryBatch
from .hash_use import HashUse
from .progress import Progress
from .view import MapView

#: most entries that are all judged, and how many are of more
MOST, SAMPLED = 1 << 17, 1 << 16
#: entries whose places tell whether the program computes the same hashes
_COMPARED = 64
#: entries of one hash whose keys are looked at, where a key may be there more than once, and
#: where it cannot
_SAME, _FEW = 4096, 4

#: which entry: a batch, and an index in it; some of a batch
_Place = Tuple[EntryBatch, int]
_Part = Tuple[EntryBatch, Sequence[int]]


@dataclass
class HashSample:
    """Hashes of entries.

    :ivar how: "computed", "stored", "places" (some bits of them), or "": nothing is known
    :ivar why: why there are no whole hashes; "": there are
    :ivar bits: which bits of the numbers are known
    :ivar numbers: of each entry that has one
    :ivar without: entries that were looked at and have no hash that can be computed, or are just
        being written
    :ivar sampled: whether some of many entries were to be looked at
    :ivar whole: whether all entries were looked at
    :ivar cut: what ended it early; "": nothing
    """

    view: MapView
    how: str = ""
    why: str = ""
    bits: int = 0
    numbers: List[int] = field(default_factory=list)
    without: int = 0
    sampled: bool = False
    whole: bool = True
    cut: str = ""
    #: of each of the numbers; parts, where all of those have one
    _places: List[_Place] = field(default_factory=list)
    _parts: Sequence[_Part] = ()

    def keys(self, number: int) -> List[Decoded]:
        """Keys of the entries with this hash, each once; some of them alone."""
        found: List[Decoded] = []
        seen = set()
        most = _SAME if self.view.repeats else _FEW
        if self._parts:
            self._places, self._parts = _places_of(self._parts), ()
        for at, (batch, index) in zip(self.numbers, self._places):
            if at != number:
                continue
            most -= 1
            key = batch.keys.value(index, self.view.decoder)
            text = json_text(key)
            if text not in seen:
                seen.add(text)
                found.append(key)
            if not most:
                break
        return found

    def take(self, use: Optional[HashUse], progress: Progress) -> None:
        """Look at entries: all of them, or SAMPLED where there are more than MOST."""
        known, self.why = self.view.hashing()
        first = True
        self.sampled = self.view.count > MOST
        most = SAMPLED if self.sampled else MOST
        parts: List[_Part] = []
        left = most
        try:
            for batch in self.view.sample(most, progress):
                order = batch.order
                if batch.in_flight:
                    order = [at for at in order if at not in batch.in_flight]
                if first and order:
                    known = self._choose(batch, order, known, use)
                    first = False
                self.without += len(batch.in_flight)
                parts.append((batch, order[:left]))
                left -= len(parts[-1][1])
                if not left or not (self.how or first):
                    break
        except MapscopeError as error:
            self.cut = str(error)
        except KeyboardInterrupt:
            self.cut = "interrupted"
        try:
            if self.how:
                self._add(parts, known, use)
        except KeyboardInterrupt:
            self.cut, self.how = "interrupted", ""
        if not self.how:
            self.why = self.cut or self.why
        seen = len(self.numbers) + self.without
        self.whole = not self.cut and seen >= self.view.count

    def _choose(
        self,
        batch: EntryBatch,
        order: Sequence[int],
        known: Optional[KeyHash],
        use: Optional[HashUse],
    ) -> Optional[KeyHash]:
        """Decide where hashes are from, by the first entries; gives what computes them."""
        self.bits = self.view.hash_bits
        if batch.stored is not None:
            self.how, self.why = "stored", ""
            return None
        if known is not None:
            some = order[:_COMPARED]
            hashes = known.many([batch.keys.data(at) or b"" for at in some])
            fits = [
                number is not None
                and use.fits(batch.where(at), batch.marks(at) if batch.marks else None, number)
                for at, number in zip(some, hashes)
                if number is not None and use is not None
            ]
            none = not fits and len(some) >= LEAST and use is not None
            if not none and (len(fits) < LEAST or 2 * sum(fits) >= len(fits)):
                self.how = "computed"
                return known
            self.why = "keys have no hash that can be computed" if none else ANOTHER
        self.bits = 0 if use is None else use.seen_bits
        self.how = "places" if self.bits else ""
        return None

    def _add(
        self, parts: Sequence[_Part], known: Optional[KeyHash], use: Optional[HashUse]
    ) -> None:
        """Note the hashes of entries: of all at once, for their keys may lie all over memory."""
        packed = None if known is None else _packed(parts)
        if known is not None and packed:
            number = sum(len(order) for _, order in parts)
            hashes = known.packed(packed, len(packed) // number)
            if hashes is not None:
                self.numbers, self._parts = hashes.tolist(), parts
                return
        places = _places_of(parts)
        found: Sequence[Optional[int]]
        if known is not None:
            found = known.many([batch.keys.data(at) or b"" for batch, at in places])
        elif self.how == "stored":
            found = [batch.stored(at) if batch.stored else None for batch, at in places]
        else:
            assert use is not None, "what places show"
            seen = use.seen
            found = [
                seen(batch.where(at), batch.marks(at) if batch.marks else None)
                for batch, at in places
            ]
        self.numbers = [number for number in found if number is not None]
        self.without += len(found) - len(self.numbers)
        self._places = [place for place, number in zip(places, found) if number is not None]


def _places_of(parts: Sequence[_Part]) -> List[_Place]:
    return [(batch, at) for batch, order in parts for at in order]


def _packed(parts: Sequence[_Part]) -> Optional[bytes]:
    """The keys of these entries one behind the other; None: they cannot be had so."""
    keys = []
    for batch, order in parts:
        some = batch.keys.packed(order)
        if some is None:
            return None
        keys.append(some)
    return b"".join(keys)
