# SPDX-License-Identifier: MIT
"""The entries of one map, numbered in the order of memory, found as they are asked for."""

import time
from bisect import bisect_right
from collections import OrderedDict
from typing import Callable, Iterator, List, Optional, Tuple

from ..errors import MapscopeError
from .batches import EntryBatch
from .view import MapView

#: seconds that entries may be looked for at a time (garbage can look large)
_PATIENCE = 2.0
#: seconds that they may be counted
_COUNTING = 0.25
#: batches that are kept, the last ones used: some thousand entries each
_KEPT = 32
#: maps whose entries were counted that are remembered
_COUNTED = 4096

#: why no more were found where the user has ended it
_INTERRUPTED = "interrupted"

Place = Tuple[EntryBatch, int]
#: which map it is, and what its header was
Stamp = Tuple[int, int, bytes]


class _GaveUp(MapscopeError):
    """Finding entries took too long."""


class Listing:
    """What can be found of a map's entries while the program stands still.

    :param finish: gives back what reading has taken
    :ivar error: why no more can be found; "": all were, or nothing was looked for yet
    """

    def __init__(self, view: MapView, finish: Callable[[], None]) -> None:
        self.view = view
        self.finish = finish
        self.error = ""
        self._batches: "OrderedDict[int, EntryBatch]" = OrderedDict()
        self._starts: List[int] = []  # number of each batch's first entry
        self._found = 0
        self._ended = False
        self._deadline = 0.0
        self._walk: Optional[Iterator[EntryBatch]] = None
        self._walked = 0  # batches of this walk

    def place(self, number: int) -> Optional[Place]:
        """Where an entry is found; None: there are not so many, or `error` says why not."""
        if self.view.key is None:
            return None
        self.error = ""
        deadline = time.monotonic() + _PATIENCE
        self._deadline = deadline + _PATIENCE
        try:
            while number >= self._found and not self._ended:
                if time.monotonic() > deadline:
                    self.error = self._gave_up()  # the walk goes on if it is asked again
                    return None
                self._step()
            return None if number >= self._found else self._placed(number)
        except (MapscopeError, KeyboardInterrupt) as error:
            self._walk = None
            self.error = str(error) or _INTERRUPTED
            return None
        finally:
            self.finish()

    def _placed(self, number: int) -> Place:
        which = bisect_right(self._starts, number) - 1
        batch = self._batches.get(which)
        if batch is None:
            self._walk = None  # from the beginning, up to the one that was not kept
            while which not in self._batches:
                self._step()
            batch = self._batches[which]
        self._batches.move_to_end(which)
        return batch, batch.order[number - self._starts[which]]

    def _step(self) -> None:
        """Find one more batch."""
        if self._walk is None:
            self._walk, self._walked = self.view.entries(self._patience), 0
        batch = next(self._walk, None)
        if batch is None:
            self._ended = True
            return
        which, self._walked = self._walked, self._walked + 1
        if which == len(self._starts):
            self._starts.append(self._found)
            self._found += len(batch.order)
        self._batches[which] = batch
        if len(self._batches) > _KEPT:
            self._batches.popitem(last=False)

    def _patience(self, done: int, total: int) -> None:
        if time.monotonic() > self._deadline:
            raise _GaveUp(self._gave_up())

    def _gave_up(self) -> str:
        return f"gave up after {_PATIENCE:g} s, {self._found} entries found"

    # --- how many ---

    def count(self, process: int) -> int:
        """How many entries there are. The header's word is taken where the buckets bear it out,
        which is looked at anew only where the header has changed.

        :param process: which one it is of
        """
        view = self.view
        claimed = view.count
        if view.key is None or view.address is None:
            return 0
        try:
            stamp = (process, view.address, bytes(view.memory.read(view.address, _HEADER)))
        except MapscopeError:
            return 0
        if stamp in _counted:
            _counted.move_to_end(stamp)
            return _counted[stamp]
        self.error = ""
        found = self._count(claimed)
        if self.error == _INTERRUPTED:
            return found  # of a part, for this time
        _counted[stamp] = found
        if len(_counted) > _COUNTED:
            _counted.popitem(last=False)
        return found

    def _count(self, claimed: int) -> int:
        self._deadline = time.monotonic() + _COUNTING
        problems = list(self.view.problems)
        try:
            tables = self.view.occupancy(self._patience)
            if tables is not None and sum(sum(table.held) for table in tables) == claimed:
                return claimed
        except (MapscopeError, KeyboardInterrupt):
            above = self.view.facts().grows_above
            if above is not None and claimed <= above + 1:
                return claimed  # so many are possible, and there is no time to count them
        finally:
            self.view.problems[:] = problems  # those of entries that are shown are told
            self.finish()
        # an entry that is being moved lies in two places, or in none; or the count is damaged
        self.place(claimed)
        return self._found if self._ended else min(claimed, self._found)


#: bytes of a header that say whether a map may have changed
_HEADER = 48

#: entries of maps, as they were counted last
_counted: "OrderedDict[Stamp, int]" = OrderedDict()
