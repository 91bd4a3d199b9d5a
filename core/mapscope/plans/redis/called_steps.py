# SPDX-License-Identifier: MIT
"""Migrations of any dict that holds what clients have stored, at functions of the server.

_dictExpand (7.0) and _dictResize (7.2 and later) are called for every resize, before anything is
changed; dictRehash(d, n) and _dictBucketRehash(d, bucket) for every step. Looking at the dict when
a step begins and when its function returns tells what it has moved, and whether the migration has
ended. (src/dict.c; the functions are called out of line in Debian's servers.) Where the first are
not exported, as of Valkey 8.0, the tables of databases begin in kvstoreDictRehashingStarted and
end in kvstoreDictRehashingCompleted; what its lookups move, they move in a function without a name.
"""

from typing import Callable, Dict, List, Optional, Tuple

from ...chained.chained_map import ChainedMap
from ...chained.two_tables import Tables
from ...errors import MapscopeError, UsageError
from ...maps.event_lines import cleared_line, done_line, moved_line, resize_line, scattered_line
from ...records import dataclass
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host, Point
from ...stops.occurrence import Occurrence
from .table_stops import Kind, TablePlan

#: functions in which a migration is about to start, and in which it just has; those that do a step
_RESIZES, _STARTED = ("_dictResize", "_dictExpand"), "kvstoreDictRehashingStarted"
_STEPS, _BUCKET_STEP = "dictRehash", "_dictBucketRehash"
_COMPLETED = "kvstoreDictRehashingCompleted"
#: a server that has this moves buckets that lookups visit, too
_OUT_OF_ORDER = "kvstoreCreate"
#: of a stop for databases' tables alone
_ALONE = (
    "tables of databases alone: this server has no function that tells of others; name a MAP for "
    "those"
)
#: empty buckets that a step passes over for each that it moves, and most buckets looked at for one
_EMPTY, _MOST = 10, 1 << 16
#: smallest table, and largest, by log2
_LEAST_EXP, _MOST_EXP = 2, 63


@dataclass
class _Step:
    """A step that is being done.

    :ivar frame: the stack pointer in it
    :ivar map: as it was before
    :ivar bucket: the one that is moved; None: from the index on
    :ivar moves: (entries to the same bucket, entries to others) of buckets that can be moved
    """

    frame: int
    map: ChainedMap
    bucket: Optional[int]
    moves: Dict[int, Tuple[int, int]]


def sees_steps(host: Host) -> bool:
    """Whether the server exports the functions that do all steps of its dicts."""
    lookups = host.function(_OUT_OF_ORDER) is not None
    return host.function(_STEPS) is not None and not (
        lookups and host.function(_BUCKET_STEP) is None
    )


class CalledSteps(TablePlan):
    """What stops and traces share: where migrations start and where steps end.

    :ivar looks_at_steps: whether those matter that do not end a migration
    """

    def __init__(self, stop: Stop, host: Host, kind: Kind, view: Optional[ChainedMap]) -> None:
        super().__init__(stop, host, kind, view)
        self._returns: Dict[int, Point] = {}
        self._steps: Dict[int, _Step] = {}  # by thread
        self._counts = False  # whether what a step moves is counted
        self.looks_at_steps = self.request.event != "done"

    def at_starts(self) -> None:
        """Notice migrations that are about to start.

        :raises UsageError: if the server exports no function that tells
        """
        for name in _RESIZES:
            address = self.host.function(name)
            if address is not None:
                self.code(address, self._on_resize, may_show=True)
                return
        address = self.host.function(_STARTED)
        if address is None:
            raise UsageError(
                f"the program exports none of {', '.join(_RESIZES)}, {_STARTED}: name a MAP, as "
                "db0, whose index is watched"
            )
        self.code(address, self._on_started, may_show=True)
        self.notes.append(_ALONE)

    def at_steps(self) -> None:
        """Notice what steps have done.

        :raises UsageError: if the server exports no functions that do all of them
        """
        host = self.host
        address, of_bucket = host.function(_STEPS), host.function(_BUCKET_STEP)
        if address is None or not sees_steps(host):
            name = _STEPS if address is None else _BUCKET_STEP
            raise UsageError(
                f"{self.request.event}: the program exports no {name}, so not all steps can be "
                "seen; map break evacuate, progress and done of a MAP, as db0, watch its index"
            )
        self.code(address, lambda hit: self._on_step(hit, None), may_show=True)
        if of_bucket is not None:
            self.code(of_bucket, lambda hit: self._on_step(hit, hit.register("rsi")))

    def starts(self, hit: Hit, map: ChainedMap, old: int, new: int) -> bool:
        """A migration is about to start, or just has."""
        return False

    def stepped(self, hit: Hit, step: _Step, map: ChainedMap, buckets: List[int]) -> bool:
        """A step has moved these buckets; `map` is as it is now."""
        return False

    def ended(self, hit: Hit, step: _Step, map: ChainedMap) -> bool:
        """A migration has ended."""
        return False

    # --- starts ---

    def _on_resize(self, hit: Hit) -> bool:
        map = self.map_of(hit.register("rdi"))
        if map is None or map.tables.migrating or not map.tables.sizes[0]:
            return False
        old, used = map.tables.sizes[0], map.tables.used[0]
        wanted = hit.register("rsi")
        exp = max(_LEAST_EXP, (wanted - 1).bit_length() if wanted > 1 else 0)
        if exp >= _MOST_EXP or 1 << exp == old or used > 1 << exp:
            return False
        if not used and self.host.function(_RESIZES[0]) is not None:
            return False  # an empty table is put in the place of another at once
        return self.starts(hit, map, old, 1 << exp)

    def _on_started(self, hit: Hit) -> bool:
        map = self.map_of(hit.register("rdi"))
        if map is None or not map.tables.migrating or not map.tables.used[0]:
            return False
        return self.starts(hit, map, *map.tables.sizes)

    # --- steps ---

    def _on_step(self, hit: Hit, bucket: Optional[int]) -> bool:
        map = self.map_of(hit.register("rdi"))
        if map is None or not map.tables.migrating:
            return False
        if not self.request.wants(map.tables.kind()):
            return False
        back = hit.caller()
        if back is None:
            return False
        if back not in self._returns:
            self._returns[back] = self.code(back, self._on_return)
        moves: Dict[int, Tuple[int, int]] = {}
        if self._counts:
            first = map.tables.index if bucket is None else bucket
            moves = _moves(map, first, 1 if bucket is not None else hit.register("rsi"))
        self._steps[hit.thread] = _Step(hit.register("rsp"), map, bucket, moves)
        return False

    def _on_return(self, hit: Hit) -> bool:
        step = self._steps.get(hit.thread)
        if step is None or hit.register("rsp") != step.frame + 8:
            return False
        del self._steps[hit.thread]
        before = step.map.tables
        if not self.looks_at_steps and self._migrates(step.map):
            return False
        map = self.kind.open(Session(self.host.target()), step.map.address or 0)
        now = map.tables
        goes_on = now.migrating and now.arrays == before.arrays
        if step.bucket is not None:
            buckets = [step.bucket] if now.used[0] != before.used[0] or not goes_on else []
        else:
            buckets = list(range(before.index, now.index if goes_on else before.sizes[0]))
        stops = bool(buckets) and self.stepped(hit, step, map, buckets)
        if not goes_on:
            stops = self.ended(hit, step, map) or stops
        return stops

    def _migrates(self, map: ChainedMap) -> bool:
        """Whether the migration of a map goes on, by its index alone."""
        raw = self.host.target().read_memory((map.address or 0) + self.index_at, 8)
        return int.from_bytes(bytes(raw), "little", signed=True) >= 0

    def disarm(self) -> None:
        super().disarm()
        self._returns.clear()
        self._steps.clear()

    def add_before(self, step: _Step) -> Callable[[Occurrence], None]:
        """Completes what is said of an event of a migration that has ended since."""
        tables = step.map.tables

        def add(occurrence: Occurrence) -> None:
            occurrence.kind = tables.kind()
            occurrence.old_buckets, occurrence.buckets = tables.sizes
            occurrence.evacuated = tables.sizes[0]

        return add


class CalledStepPlan(CalledSteps):
    """`grow`, `evacuate` and `done` of any map."""

    def arm(self) -> Plan:
        completed = self.host.function(_COMPLETED)
        if self.request.event == "grow":
            self.at_starts()
        elif self.request.event == "done" and completed is not None:
            self.code(completed, self._on_completed, may_show=True)
            self.notes.append(_ALONE)
        else:
            self.at_steps()
        return self

    def _on_completed(self, hit: Hit) -> bool:
        """All entries are in the new table, which is about to be put in the place of the old."""
        map = self.map_of(hit.register("rdi"))
        if map is None or not map.tables.migrating or not map.count:
            return False
        tables = map.tables

        def add(occurrence: Occurrence) -> None:
            occurrence.evacuated = tables.sizes[0]

        return self.request.wants(tables.kind()) and self.occurred("done", hit, map, add)

    def starts(self, hit: Hit, map: ChainedMap, old: int, new: int) -> bool:
        kind = Tables((0, 0), (old, new), (0, 0), 0).kind()

        def add(occurrence: Occurrence) -> None:
            occurrence.kind, occurrence.old_buckets, occurrence.buckets = kind, old, new

        return self.request.wants(kind) and self.occurred("grow", hit, map, add)

    def stepped(self, hit: Hit, step: _Step, map: ChainedMap, buckets: List[int]) -> bool:
        wanted = self.request.bucket
        if self.request.event != "evacuate" or (wanted is not None and wanted not in buckets):
            return False
        before = self.add_before(step)

        def add(occurrence: Occurrence) -> None:
            if not map.tables.migrating:
                before(occurrence)
            occurrence.bucket = buckets[-1] if wanted is None else wanted

        return self.occurred("evacuate", hit, map, add)

    def ended(self, hit: Hit, step: _Step, map: ChainedMap) -> bool:
        if self.request.event != "done":
            return False
        return self.occurred("done", hit, map, self.add_before(step))


class CalledTrace(CalledSteps):
    """`map trace` of one dict or of any."""

    shows = False

    def __init__(self, stop: Stop, host: Host, kind: Kind, view: Optional[ChainedMap]) -> None:
        super().__init__(stop, host, kind, view)
        self._counts = True

    def arm(self) -> Plan:
        self.at_steps()
        self.at_starts()
        for name in self.kind.functions["clear"]:
            address = self.host.function(name)
            if address is not None:
                self.code(address, self._on_clear)
        return self

    def starts(self, hit: Hit, map: ChainedMap, old: int, new: int) -> bool:
        self.stop.log(resize_line(map.address or 0, old, new, map.count), hit)
        return False

    def stepped(self, hit: Hit, step: _Step, map: ChainedMap, buckets: List[int]) -> bool:
        old, new = step.map.tables.sizes
        address = map.address or 0
        for bucket in buckets:
            stay, move = step.moves.get(bucket, (0, 0))
            if not stay + move:
                continue  # an empty one is passed over
            if new > 2 * old:
                self.stop.log(scattered_line(address, bucket, stay + move), hit)
            else:
                self.stop.log(moved_line(address, bucket, old, new, stay, move), hit)
        return False

    def ended(self, hit: Hit, step: _Step, map: ChainedMap) -> bool:
        self.stop.log(done_line(map.address or 0, step.map.tables.sizes[1], ""), hit)
        return False

    def _on_clear(self, hit: Hit) -> bool:
        map = self.map_of(hit.register("rdi"))
        if map is not None:
            self.stop.log(cleared_line(map.address or 0, map.count), hit)
        return False


def _moves(map: ChainedMap, first: int, steps: int) -> Dict[int, Tuple[int, int]]:
    """(entries that stay at their index, entries that go elsewhere) of buckets of the old table
    from one on, as many as so many steps can come to."""
    tables = map.tables
    old, new = tables.sizes
    end = min(old, first + min(steps * (_EMPTY + 1), _MOST))
    known, why = map.hashing()
    found: Dict[int, Tuple[int, int]] = {}
    if known is None and new > old:
        raise MapscopeError(f"where entries go is not known: {why}")
    for piece in map.nodes.walk(0, first, end):
        hashes: List[Optional[int]] = [0] * len(piece)
        if known is not None and new > old:
            slots = map.nodes.keys(piece).all_data(len(piece))
            hashes = known.many([slot or b"" for slot in slots])
        for bucket, key_hash in zip(piece.buckets, hashes):
            moves = new > old and (key_hash or 0) & (new - 1) != bucket
            stay, move = found.get(bucket, (0, 0))
            found[bucket] = (stay + (not moves), move + moves)
    return found
