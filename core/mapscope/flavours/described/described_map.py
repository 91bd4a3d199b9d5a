# SPDX-License-Identifier: MIT
"""A described table: what commands ask of it."""

from bisect import bisect_left
from dataclasses import field, replace
from typing import Callable, Iterator, List, Optional, Sequence, Set, Tuple

from ...chained.chained_lookup import NodeLookup
from ...chained.chained_map import STEP, ChainedMap
from ...chained.two_tables import Lost, Piece, Tables
from ...errors import Corrupt
from ...maps.facts import Bucket, Cell, Distribution, Growth, Held
from ...maps.batches import Where
from ...maps.found import Found, KeyTest, Unseen
from ...maps.hash_use import HashUse
from ...maps.problems import Problem, is_cut_short
from ...maps.progress import Progress, no_progress
from ...maps.report import Report
from ...maps.view import Hashing
from ...program.hashing import KeyHash
from ...program.memory import ADDRESS_LIMIT
from ...program.types import Kind, Type
from ...program.values import Unreadable
from ...records import dataclass
from ...session import Session
from .description import EITHER, NEW_OLD, STORED
from .entry_columns import DescribedEntries
from .formulas import MASK, Env, Formula
from .described_moves import Moving, waiting
from .named_hashes import NamedHash
from .node_chains import NodeChains
from .shape import Shape, placed
from .slot_array import SlotArray

NAME = "described"
#: numbers that tell how a table gives hashes their buckets, and what spreads them
_TRIED, _SPREAD = 65, 0x9E3779B97F4A7C15
#: buckets
_LARGEST_SEGMENT = 1 << 32
_NOTHING = Type(Kind.VOID, "nothing", 0)


@dataclass(frozen=True)
class DescribedHeader(Tables):
    """The header of a described table, checked.

    :ivar places: give the bucket of a hash, in each table
    :ivar counted: whether the table counts its entries
    """

    places: Tuple[Callable[[int], int], ...] = field(default=(), compare=False)
    counted: bool = True

    def place(self, table: int, key_hash: int) -> int:
        return self.places[table](key_hash)

    def places_of(self, table: int, hashes: Sequence[Optional[int]]) -> List[Optional[int]]:
        place = self.place
        return [None if key_hash is None else place(table, key_hash) for key_hash in hashes]


class DescribedMap(ChainedMap):
    """A table as a description has it.

    :ivar shape: the description, as the program has it
    """

    mark = "hash"
    may_lock = True

    def __init__(
        self,
        session: Session,
        shape: Shape,
        address: int,
        tables: DescribedHeader,
        hashing: Hashing,
        grows_above: Optional[int],
        notes: Tuple[str, ...],
        segment: int = 0,
    ) -> None:
        self.shape = shape
        self.described = tables
        self.moving = Moving(session, shape.description, hashing)
        make = NodeChains if shape.chains else SlotArray
        owner = address if shape.own is not None else 0
        nodes: DescribedEntries = make(session.memory, shape, tables, owner, segment)
        self._splitting: Optional[str] = None
        value = shape.value.type if shape.value is not None else _NOTHING
        self.has_values = shape.value is not None
        size = shape.own.size if shape.own is not None else 0
        super().__init__(
            session.memory,
            address,
            shape.description.name,
            shape.key.type,
            value,
            tables,
            nodes,
            lambda: grows_above,
            lambda: notes,
            hashing,
            size,
        )
        self.entries_of = nodes
        self.unit = "chain" if shape.chains else "slot"
        self.flavor = NAME
        self.decoder = session.decoder()
        self.hash_bits = shape.hash_bits()
        self._counted: Optional[int] = None if not tables.counted else tables.count

    # --- by the header alone ---

    @property
    def count(self) -> int:
        if self._counted is None:
            # the table does not say, so they are counted
            known = len(self.problems)
            found = sum(len(piece) for piece, _ in self.pieces())
            problems = self.problems[known:]
            del self.problems[known:]  # who walks comes to them again
            self.entries_of.gave_up = False
            if is_cut_short(problems):
                raise Corrupt(f"cannot tell how many entries {self.type_name} has: {problems[0]}")
            self._counted = found
        return self._counted

    def growth(self) -> Optional[Growth]:
        found = super().growth()
        if found is not None:
            found.entries_moved = found.entries_waiting = None  # it has one count for both
        return found

    def held(self) -> Optional[Held]:
        found = super().held()
        if found is None or self.described.counted or not self.shape.chains:
            return found
        return replace(found, overflow=self.shape.entry.size * self.count)

    # --- walks ---

    def splitting(self) -> str:
        """Which thread is just splitting a chain, so that chains of two buckets share entries; "":
        none is."""
        if self._splitting is None:
            self._splitting = self.moving.splitting()
            self.entries_of.shared = bool(self._splitting)
        return self._splitting

    def pieces(
        self, progress: Progress = no_progress, whole: bool = False
    ) -> Iterator[Tuple[Piece, bool]]:
        tables, splitting = self.described, bool(self.splitting())
        total, done, found = sum(tables.sizes) or 1, 0, 0
        self._walked = 0
        seen: Set[int] = set()
        for table in (1, 0) if tables.migrating else (0,):
            start = tables.index if tables.migrating and not table and not whole else 0
            for first in range(start, tables.sizes[table], STEP):
                if self.nodes.gave_up:
                    break
                progress(done, total)
                end = min(tables.sizes[table], first + STEP)
                for piece in self.nodes.walk(table, first, end):
                    if tables.migrating or splitting:
                        if table or seen.isdisjoint(piece.ids):
                            seen.update(piece.ids)
                        else:
                            fresh = [i for i, id in enumerate(piece.ids) if id not in seen]
                            piece = piece.only(fresh)
                            seen.update(piece.ids)
                    if splitting:
                        self._sort_out(piece)
                    found += len(piece)
                    if piece:
                        yield piece, False
                done += end - first
                self._walked = done
        lost = Lost() if is_cut_short(self.problems) else self._lost(seen, found)
        if lost.piece is not None:
            found += len(lost.piece)
            yield lost.piece, True
        if lost.problem is not None:
            self.problems.append(lost.problem)
        else:
            self._compare(found)

    def _sort_out(self, piece: Piece) -> None:
        """Give entries that two buckets share to the ones that they belong to, where their hashes
        are stored."""
        if not self.nodes.stores_hashes:
            return
        for at, key_hash in enumerate(self.nodes.hashes(piece)):
            if key_hash is not None:
                piece.buckets[at] = self.described.place(piece.table, key_hash)

    def _lost(self, seen: Set[int], found: int) -> Lost:
        """Entries that are on their way."""
        tables, nodes = self.described, self.nodes
        if not tables.migrating or not isinstance(nodes, NodeChains):
            return Lost()
        return self.moving.lost(nodes, seen, tables.count - found if tables.counted else None)

    def _compare(self, found: int) -> None:
        """What was found with what the table counts."""
        tables, cut = self.described, is_cut_short(self.problems)
        differs = tables.counted and found != tables.count
        if not differs and not cut:
            return
        busy = self.moving.busy()
        if busy:
            text = f"cannot tell which entries there are: {busy}"
            self.problems.append(Problem(text, "lost", self.address))
        elif not cut and abs(found - tables.count) > self.moving.writing():
            text = f"the header counts {tables.count} entries, and {found} were found"
            self.problems.append(Problem(text, "count", self.address))

    def distribution(self, progress: Progress = no_progress) -> Distribution:
        found = super().distribution(progress)
        if found.read is None:
            every = (*found.cells.items(), *found.old_cells.items())
            live = sum(length * number for length, number in every)
            size = self.shape.key.type.size
            if self.shape.value is not None:
                size += self.shape.value.type.size
            found = replace(found, entries=live, bytes_used=live * size)
        if not self.shape.chains or self._halves():
            found.uniformity = None  # a slot has one entry at most, however the hash spreads them
        return found

    def _halves(self) -> int:
        """Of a table that grows by one bucket at a time, the power of two below its size: buckets
        of so many would be equally likely, while of its own those that are not split yet get twice
        what the others get. 0: it is none."""
        tables = self.described
        size = tables.sizes[tables.target]
        half = 1 << size.bit_length() >> 1
        if size < 3 or half == size:
            return 0
        place = tables.places[-1]
        tried = (number * _SPREAD & MASK for number in range(1, _TRIED))
        return half if all((place(number) ^ number) & (half - 1) == 0 for number in tried) else 0

    def hash_use(self) -> Optional[HashUse]:
        tables, half = self.described, self._halves()
        size = tables.sizes[tables.target]
        if not size or (not half and "table.bucket" not in self.shape.description.lines):
            return super().hash_use()
        number = {tables.array(table): table for table in range(len(tables.places))}

        def fits(where: Where, mark: Optional[int], key_hash: int) -> bool:
            return tables.place(number[where.array], key_hash) == where.bucket

        def seen(where: Where, mark: Optional[int]) -> Optional[int]:
            return where.bucket & (half - 1) if half else None

        if half:
            mask = half - 1
            return HashUse(half, mask.__and__, mask, 0, seen, mask, fits, "bucket", self.mark)
        place = tables.places[-1]
        return HashUse(size, place, None, 0, seen, 0, fits, "bucket", self.mark)

    # --- one bucket, one key ---

    def _buckets(self, table: int, index: int) -> List[Bucket]:
        cells: List[Cell] = []
        nodes, shape = self.entries_of, self.shape
        for piece in nodes.walk(table, index, index + 1):
            keys, values = nodes.keys(piece), nodes.values(piece)
            hashes = self._hashes(piece)
            for at in range(len(piece)):
                link = piece.links[at]
                key = nodes.shown_offset(shape.key, link, keys.address(at))
                value = nodes.shown_offset(shape.value, link, values.address(at))
                cell = Cell(len(cells), link, key, value, hashes[at], "full")
                cell.live = True
                cell.key = keys.value(at, self.decoder)
                cell.value = values.value(at, self.decoder)
                cells.append(cell)
        return [Bucket(nodes.bucket_address(table, index), 0, 0, None, cells)]

    def _hashes(self, piece: Piece) -> List[Optional[int]]:
        """Hashes of entries, stored or computed."""
        if self.nodes.stores_hashes:
            return self.nodes.hashes(piece)
        known, _ = self.hashing()
        keys = self.nodes.keys(piece)
        slots = [keys.data(at) for at in range(len(piece))]
        if known is None:
            return [None] * len(piece)
        return [
            None if slot is None else found
            for slot, found in zip(slots, known.many([slot or b"" for slot in slots]))
        ]

    def find(self, test: KeyTest) -> Found:
        if not any(self.tables.sizes):
            return Found(None, None, "hash", "the map has no buckets yet", [], 0, 0)
        if isinstance(self.nodes, SlotArray):
            return ProbingLookup(self, self.nodes).find(test)
        return DescribedLookup(self).find(test)

    def check(self, report: Report, progress: Progress = no_progress) -> None:
        if not self.described.counted:
            # nothing to compare with: what is found is the count
            try:
                self.tables = self.described = replace(self.described, used=(self.count, 0))
            except Corrupt:
                pass  # why it cannot be told is what is found below
        super().check(report, progress)
        if isinstance(self.nodes, SlotArray) and report.hashes:
            self._check_runs(self.nodes, report)

    def _check_runs(self, slots: SlotArray, report: Report) -> None:
        """Entries of slots that a lookup does not come to: an empty slot stands before them."""
        tables = self.described
        for table in (1, 0) if tables.migrating else (0,):
            size = tables.sizes[table]
            start = tables.index if tables.migrating and not table else 0
            empty = slots.empty(table, start, size)
            for piece in slots.walk(table, start, size):
                for at, key_hash in enumerate(self._hashes(piece)):
                    slot = piece.buckets[at]
                    home = slot if key_hash is None else tables.place(table, key_hash)
                    if home == slot or not empty:
                        continue
                    gap = empty[bisect_left(empty, home) % len(empty)]
                    if (gap - home) % size < (slot - home) % size:
                        text = (
                            f"{tables.array(table)} slot {slot}: lookups of its key begin at slot "
                            f"{home}, and end at slot {gap}, which is empty"
                        )
                        link = slots.address(piece, at)
                        report.add("error", "wrong-bucket", text, link, slot)


class DescribedLookup(NodeLookup):
    """Finds keys in one described table."""

    def __init__(self, map: DescribedMap) -> None:
        super().__init__(map, map.described, map.nodes)
        self._described = map
        self._order = map.shape.description.get("lookup.order", EITHER)

    def _places(self, key_hash: int) -> Iterator[Tuple[int, int, bool, str]]:
        tables = self._described.described
        if not tables.migrating or self._order != EITHER:
            places = list(super()._places(key_hash))
            yield from reversed(places) if self._order == NEW_OLD else places
            return
        index, new = tables.place(0, key_hash), tables.place(1, key_hash)
        if index < tables.index:
            yield 0, index, False, f"buckets below {tables.index} are migrated"
            yield 1, new, True, "its old bucket is migrated"
        else:
            yield 0, index, True, f"it is not below {tables.index}: it is not migrated yet"
            yield 1, new, False, "lookups look in the old bucket until it is migrated"

    def why_unseen(self, where: Where, key_hash: int, test: KeyTest) -> str:
        splitting = self._described.splitting()
        if splitting:
            return f"{splitting}, and has not come to it yet"
        return super().why_unseen(where, key_hash, test)

    def find(self, test: KeyTest) -> Found:
        found = super().find(test)
        where = found.where
        if found.method != "scan" or where is None or found.in_flight:
            return found
        stored = self._stored(where)
        if stored is None:
            return found
        # the hash that is stored tells the way of a lookup to an entry that is there
        again = self.by_hash(test, stored)
        again.note = "the hash is the one that is stored with the entry"
        if again.where is None:
            reason = self.why_unseen(where, stored, test)
            again.unseen = Unseen(where, reason, found.key, found.value)
        return again

    def _stored(self, where: Where) -> Optional[int]:
        """The hash that is stored with an entry; None: none is, or it cannot be read."""
        nodes, tables = self._described.entries_of, self._tables
        if not nodes.stores_hashes:
            return None
        table = tables.target if where.array == tables.array(tables.target) else 0
        for piece in nodes.walk(table, where.bucket, where.bucket + 1):
            if where.chain in piece.nodes:
                return nodes.hashes(piece)[piece.nodes.index(where.chain)]
        return None


class ProbingLookup(DescribedLookup):
    """Finds keys in one table of slots."""

    def __init__(self, map: DescribedMap, slots: SlotArray) -> None:
        super().__init__(map)
        self._slots = slots

    def _run(self, table: int, home: int) -> Iterator[Tuple[int, Piece]]:
        return self._slots.run(table, home, self._tables.sizes[table])

    def _search(self, result: Found, test: KeyTest, table: int, bucket: int) -> bool:
        for hops, (_, piece) in enumerate(self._run(table, bucket)):
            result.chain_hops = hops
            for at in range(len(piece)):
                result.cells_compared += 1
                key = self._slots.keys(piece).value(at, self.map.decoder)
                result.unread += isinstance(key, Unreadable)
                if test.matches(key):
                    self._take(result, piece, at)
                    return True
        return False

    def fits(self, where: Where, key_hash: int) -> bool:
        return any(
            looked
            and self._tables.array(table) == where.array
            and any(slot == where.bucket for slot, _ in self._run(table, home))
            for table, home, looked, _ in self._places(key_hash)
        )


def open_table(session: Session, shape: Shape, base: int) -> DescribedMap:
    """The table at an address, or that of variables.

    :param base: of the struct that it is; 0: variables are the table
    :raises MapscopeError: if it cannot be one
    """
    env, name = Env(session.memory, base), shape.description.name
    migrating = shape.when is not None and shape.when.truth(env)
    array, size = shape.array.value(env) & MASK, shape.size.value(env)
    arrays, sizes, index = (array, 0), (size if array else 0, 0), -1
    places = [shape.place]
    if migrating and shape.old_array and shape.old_size and shape.done:
        arrays = (shape.old_array.value(env) & MASK, array)
        sizes = (shape.old_size.value(env), size)
        index, places = shape.done.value(env), [shape.old_place, shape.place]
    for one, buckets in zip(arrays, sizes):
        if not 0 <= buckets <= ADDRESS_LIMIT // 8 or (buckets and not 0 < one < ADDRESS_LIMIT):
            raise Corrupt(f"no table {name}: {buckets} buckets at {one:#x}")
    if index > sizes[0] or (index < 0) == migrating:
        raise Corrupt(f"no table {name}: {index} of {sizes[0]} old buckets are done")
    count = shape.count.value(env) if shape.count is not None else 0
    if not 0 <= count <= ADDRESS_LIMIT // 8:
        raise Corrupt(f"no table {name}: {count} entries")
    segment = 0
    if shape.segment is not None:
        segment = shape.segment.value(env)
        if not 0 < segment <= _LARGEST_SEGMENT:
            raise Corrupt(f"no table {name}: segments of {segment} buckets")
    paused = shape.paused.value(env) if shape.paused is not None else 0
    tables = DescribedHeader(
        arrays,
        sizes,
        (count, 0),
        index,
        paused,
        True,
        tuple(_placing(env, formula, each, name) for formula, each in zip(places, sizes)),
        shape.count is not None,
    )
    place = shape.array.place
    address = base or (place.at(env) if place is not None else array)
    notes: Tuple[str, ...] = ()
    if tables.migrating:
        notes = tuple(waiting(session, shape.description, index))
    hashing = _hashing(session, shape, env)
    above = None if shape.grows_above is None else shape.grows_above.value(env)
    view = DescribedMap(session, shape, address, tables, hashing, above, notes, segment)
    view.reopen = lambda later: open_table(later, shape, base)
    return view


def _placing(env: Env, formula: Formula, size: int, name: str) -> Callable[[int], int]:
    def place(key_hash: int) -> int:
        found = placed(formula, env, key_hash, size)
        if not 0 <= found < size:
            raise Corrupt(f"{name}: {formula.text!r} gives bucket {found} of {size}")
        return found

    return place


def _hashing(session: Session, shape: Shape, env: Env) -> Hashing:
    """Gives a table's hash function."""

    def hashing() -> Tuple[Optional[KeyHash], str]:
        name = shape.description.get("lookup.hash")
        if shape.stored is not None and name in ("", STORED):
            return None, "hashes are known only where they are stored, with entries"
        if not name:
            return None, "the description names no hash function"
        seed = shape.seed.value(env) if shape.seed is not None else 0
        return NamedHash(session.memory, name, seed, shape.key.type), ""

    return hashing
