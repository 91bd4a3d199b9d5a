# SPDX-License-Identifier: MIT
"""A Swiss map, read: Go's since 1.24.

What this knows: how directory, tables, groups and control bytes fit together
(internal/runtime/maps: map.go, table.go, group.go of Go 1.24 to 1.27), given where a group's
parts are. What it must not know: where types come from; how keys are looked up and maps checked.

Growing is done whole within one write, but a debugger stops between its stores too; each state
is told from the next by what memory holds.
"""

import struct
from typing import Callable, Collection, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from ..cells.columns import LiveCells
from ..cells.layout import BucketLayout
from ..cells.level import BucketArray, Level
from ..cells.marks import CELLS
from ..errors import MemoryUnreadable, NotAMap, TypeNeeded
from ..go import layouts
from ..maps.batches import EntryBatch, SlotWhere, Where
from ..maps.facts import Growth, Held
from ..maps.hash_use import HashUse
from ..maps.problems import MAX_PROBLEMS, Problem, is_cut_short
from ..maps.progress import Progress, no_progress
from ..maps.view import Hashing, MapView
from ..program.hashing import KeyHash
from ..program.memory import CHUNK, Memory, check_address
from ..program.types import Type
from ..records import dataclass
from .probing import FULL
from .table_facts import TableFacts

EMPTY, DELETED = layouts.CTRL_EMPTY, layouts.CTRL_DELETED
_NOT_FULL = bytes(range(128, 256))
_NOT_DELETED = bytes(byte for byte in range(256) if byte != DELETED)

_HEADER = struct.Struct("<QQQqBBBBQ")

HEADER_SIZE = layouts.swiss_map(0).size
TABLE_SIZE = layouts.TABLE.size
#: deepest directory that is taken for one: 2^40 tables
_MAX_DEPTH = 40
#: largest table, in slots (maxTableCapacity in table.go)
_MAX_CAPACITY = layouts.MAX_TABLE_CAPACITY
#: tables that are looked at together
_TABLES = 512


@dataclass(frozen=True)
class SwissHeader:
    """internal/runtime/maps.Map, as it is in memory."""

    used: int
    seed: int
    dirPtr: int
    dirLen: int
    globalDepth: int
    globalShift: int
    writing: int
    tombstonePossible: int
    clearSeq: int

    @classmethod
    def read(cls, memory: Memory, address: int) -> "SwissHeader":
        """:raises NotAMap: if there can be none"""
        try:
            header = cls(*_HEADER.unpack(memory.read(address, _HEADER.size)))
        except MemoryUnreadable as error:
            raise NotAMap(f"no Go map at {address:#x}: {error}") from None
        reason = ""
        if header.globalDepth > _MAX_DEPTH:
            reason = f"globalDepth is {header.globalDepth}, at most {_MAX_DEPTH} expected"
        elif header.writing > 1:
            reason = f"writing is {header.writing}, 0 or 1 expected"
        elif header.dirLen and not header.dirPtr:
            reason = f"dirLen is {header.dirLen}, and dirPtr is nil"
        elif header.dirLen < 0 or header.dirLen & (header.dirLen - 1):
            reason = f"dirLen is {header.dirLen}, a power of two expected"
        elif header.dirPtr % 8:
            reason = f"dirPtr is {header.dirPtr:#x}"
        elif header.used > 1 << 47 or (header.used and not header.dirPtr):
            reason = f"used is {header.used}, and dirPtr is {header.dirPtr:#x}"
        if reason:
            raise NotAMap(f"no Go map at {address:#x}: {reason}")
        return header


@dataclass(frozen=True)
class Table:
    """One table; a small map's only group is one without a header.

    :ivar number: which it is, in the directory's order
    :ivar slots: of the directory that point at it
    :ivar first: the first of them, by the directory
    :ivar index: the same, as the table itself has it; -1: it was replaced
    """

    number: int
    address: int
    used: int
    capacity: int
    growth_left: int
    local_depth: int
    groups: int
    count: int
    slots: int
    replaced: bool = False
    first: int = 0
    index: int = 0


class SwissReader(MapView):
    """A Swiss map.

    :ivar header: None for a nil map
    :ivar layout: of a group; keysize and elemsize are the distances between slots; None where
        the type is not known (then: header only)
    :ivar fast: "_fast64" or the like where the program's lookups may be of that variant
    :param hashing: gives the map's hash function; called once, when it is needed
    :param words: registers and stack words of what deletes from a map, where that is stopped
    """

    unit = "group"
    cells = "slots"
    mark = "control byte"
    fast: str = ""
    samples_pieces = True

    def __init__(
        self,
        memory: Memory,
        address: Optional[int],
        type_name: str,
        key: Optional[Type],
        elem: Optional[Type],
        header: Optional[SwissHeader],
        layout: Optional[BucketLayout],
        allocated: Callable[[int], int],
        hashing: Optional[Hashing] = None,
        words: Optional[Callable[[], Collection[int]]] = None,
    ) -> None:
        super().__init__(memory, address, type_name, key, elem)
        self.header = header
        self.layout = layout
        self._allocated = allocated
        self._words = words
        self._tables: Optional[List[Table]] = None
        self._tables_unread = False
        self._hashing = hashing
        self._hash: Optional[Tuple[Optional[KeyHash], str]] = None

    # --- the header ---

    @property
    def count(self) -> int:
        return self.header.used if self.header else 0

    def tables_unread(self) -> bool:
        """Whether not all tables could be read."""
        self.tables()
        return self._tables_unread

    def load_factor(self) -> Optional[float]:
        if self.tables_unread():
            return None
        capacity = sum(table.capacity for table in self.tables() if not table.replaced)
        return self.count / capacity if capacity else 0.0

    def facts(self) -> TableFacts:
        header = self.header
        tables = [table for table in self.tables() if not table.replaced]
        unread = self.tables_unread()
        left = sum(table.growth_left for table in tables)
        small = header is not None and bool(header.dirPtr) and not self.directory()[1]
        return TableFacts(
            ["writing"] if header and header.writing else [],
            header.seed if header else 0,
            None if unread else sum(table.count for table in tables),
            self.layout.size if self.layout else None,
            self.load_factor(),
            None if unread else self.count + left if tables else 8,
            None if unread else 0 if small else len(tables),
            header.globalDepth if header else 0,
            None if unread else left,
        )

    def growth(self) -> Optional[Growth]:
        return None  # done whole within one write

    def progress(self) -> Optional[float]:
        return None

    def overflow_in_use(self) -> Optional[int]:
        return 0

    def held(self) -> Optional[Held]:
        layout, header = self.layout, self.header
        if header is None:
            return Held()
        if self.tables_unread():
            return None
        tables = self.tables()
        size = layout.size if layout else 0
        groups = sum(self._allocated(size * table.count) for table in tables if size)
        own = HEADER_SIZE
        entries = self.directory()[1]
        if entries:
            own += self._allocated(8 * entries) + len(tables) * self._allocated(TABLE_SIZE)
        indirect = 0
        if layout is not None and self.key and self.elem:
            each = self._allocated(self.key.size) if layout.indirect_key else 0
            each += self._allocated(self.elem.size) if layout.indirect_elem else 0
            indirect = each * self.count
        return Held(buckets=groups, header=own, indirect=indirect)

    # --- directory and tables ---

    def directory(self) -> Tuple[int, int]:
        """(address, entries); 0 entries: a small map, whose only group is there."""
        header = self.header
        assert header is not None
        length = header.dirLen
        if not header.dirPtr:
            return 0, 0
        if not length and header.writing and self._is_first_directory(header):
            return header.dirPtr, 1
        if length and header.writing and 1 << header.globalDepth == 2 * length:
            # installTableSplit stores globalDepth, dirPtr, dirLen: a new directory has all
            # tables in pairs, the one it replaces has at least one alone
            first = self._pointers(header.dirPtr, length)
            if length > 1 and first[0::2] == first[1::2]:
                return header.dirPtr, 2 * length
        return header.dirPtr, length

    def _is_first_directory(self, header: SwissHeader) -> bool:
        """Whether growToTable has stored dirPtr, and dirLen not yet: dirPtr leads to a pointer
        to the first table, which has all entries of the group that was there before."""
        table = self.memory.read_word(header.dirPtr)
        if table % 8 or not self.memory.readable(table, TABLE_SIZE):
            return False
        used, capacity, _, depth, _, groups, mask = layouts.TABLE_FIELDS.unpack(
            self.memory.read(table, TABLE_SIZE)
        )
        first = (used, capacity, depth, mask) == (header.used, 2 * CELLS, 0, 1)
        return first and groups % 8 == 0 and self.memory.readable(groups, 8)

    def _pointers(self, address: int, count: int) -> List[int]:
        check_address(address, 8 * count)
        pointers: List[int] = []
        for first in range(0, count, CHUNK // 8):  # as far as memory goes, whatever count says
            words = min(count - first, CHUNK // 8)
            raw = bytes(self.memory.read_chunk(address + 8 * first, 8 * words))
            pointers += memoryview(raw).cast("Q").tolist()
        return pointers

    def tables(self) -> List[Table]:
        """All tables, in the directory's order; those that are being replaced last."""
        if self._tables is None:
            try:
                self._tables = self._find_tables()
            except MemoryUnreadable as error:
                self._note(f"directory: {error}", "unreadable", error.address)
                self._tables = []
            self._tables_unread = is_cut_short(self.problems)
        return self._tables

    def _find_tables(self) -> List[Table]:
        header = self.header
        if header is None or not header.dirPtr:
            return []
        address, entries = self.directory()
        if not entries:
            free = max(0, CELLS - header.used)
            return [Table(0, 0, header.used, CELLS, free, 0, header.dirPtr, 1, 1)]
        pointers = self._pointers(address, entries)
        runs: List[Tuple[int, int]] = []  # (table, slots)
        for pointer in pointers:
            if runs and runs[-1][0] == pointer:
                runs[-1] = (pointer, runs[-1][1] + 1)
            else:
                runs.append((pointer, 1))
        found: List[Table] = []
        if len({pointer for pointer, _ in runs}) < len(runs):
            self._note("the directory has a table in two places", "directory", address)
            firsts: Dict[int, int] = {}
            for pointer, slots in runs:
                firsts.setdefault(pointer, slots)
            runs = list(firsts.items())
        raws = self.memory.gather([pointer for pointer, _ in runs], TABLE_SIZE)
        following = 0
        for number, ((pointer, slots), raw) in enumerate(zip(runs, raws)):
            first, following = following, following + slots
            if raw is None:
                text = f"table {number}: cannot read {TABLE_SIZE} bytes at {pointer:#x}"
                self._note(text, "unreadable", pointer)
                continue
            used, capacity, left, depth, index, groups, mask = layouts.TABLE_FIELDS.unpack(raw)
            count = mask + 1
            if not 0 < count <= _MAX_CAPACITY // CELLS or capacity != CELLS * count:
                text = f"table {number} at {pointer:#x} has {capacity} slots in {count} groups"
                self._note(text, "header", pointer)
                continue
            whole = entries >> depth if depth <= _MAX_DEPTH else 0
            # one of which another table has taken some of its slots is being split
            replaced = slots < whole
            found.append(
                Table(
                    number,
                    pointer,
                    used,
                    capacity,
                    left,
                    depth,
                    groups,
                    count,
                    slots,
                    replaced,
                    first,
                    index,
                )
            )
        return sorted(self._apart(found), key=lambda table: table.replaced)

    def _apart(self, tables: List[Table]) -> List[Table]:
        """Those whose groups are not another's, too."""
        size = self.layout.size if self.layout else 1
        end, wrong = 0, set()
        for table in sorted(tables, key=lambda table: table.groups):
            if table.groups < end:
                text = f"table {table.number}: its groups are another table's, too"
                self._note(text, "directory", table.address)
                wrong.add(table.number)
            end = max(end, table.groups + size * table.count)
        return [table for table in tables if table.number not in wrong] if wrong else tables

    def _note(self, text: str, code: str, address: Optional[int]) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(text, code, address))

    # --- groups ---

    def _need_layout(self) -> BucketLayout:
        if self.layout is None:
            raise TypeNeeded(f"map at {self.address or 0:#x}")
        return self.layout

    def levels(self, progress: Progress, step: int = 1) -> Iterator[Tuple[Table, Level]]:
        """All groups, a level for each table.

        :param step: more than 1: of one table in so many
        """
        layout = self._need_layout()
        tables = self.tables()
        for done, table in enumerate(tables):
            if done % step:
                continue
            if done % _TABLES == 0:
                progress(done, len(tables))
            try:
                data = self.memory.read_chunk(table.groups, layout.size * table.count)
            except MemoryUnreadable as error:
                self._note(f"table {table.number}: {error}", "unreadable", error.address)
                continue
            array = BucketArray(str(table.number), table.groups, table.count)
            addresses = range(table.groups, table.groups + layout.size * table.count, layout.size)
            yield table, Level(array, 0, range(table.count), addresses, data)

    def widths(self) -> Tuple[int, int]:
        """Bytes of a key's and of an element's slot."""
        layout = self._need_layout()
        key, elem = self.types()
        return (
            8 if layout.indirect_key else key.size,
            8 if layout.indirect_elem else elem.size,
        )

    def entries(self, progress: Progress = no_progress) -> Iterator[EntryBatch]:
        live = 0
        for batch in self._batches(progress, 1):
            live += len(batch.order)
            yield batch
        if self.header is not None:
            self._compare_count(live)

    def sample(self, most: int, progress: Progress = no_progress) -> Iterator[EntryBatch]:
        # an odd step: tables are numbered by bits of the hash
        yield from self._batches(progress, 1 if self.count <= most else self.count // most | 1)

    def hash_use(self) -> Optional[HashUse]:
        header = self.header
        if header is None or not header.dirPtr:
            return None
        groups = min([table.count for table in self.tables()] or [0])
        if not groups:
            return None
        shift, depth = 64 - header.globalDepth, header.globalDepth
        if not header.dirLen:
            groups = shift = depth = 0  # the only group has no hash's choice

        def place(number: int) -> int:
            return (number >> shift) * groups + (number >> 7 & groups - 1)

        def seen(where: Where, control: Optional[int]) -> Optional[int]:
            return control

        def fits(where: Where, control: Optional[int], number: int) -> bool:
            return control == number & 0x7F

        bits = 0
        if groups:
            bits = groups - 1 << 7 | (1 << depth) - 1 << shift
        places = groups << depth
        return HashUse(places, place, bits, 0x7F, seen, 0x7F, fits, "home group", "control byte")

    def _batches(self, progress: Progress, step: int) -> Iterator[EntryBatch]:
        """Entries of one table in so many."""
        if self.header is None:
            return
        key, elem = self.types()
        layout = self._need_layout()
        widths = self.widths()
        seen = self._slots_of_replacements()
        for table, level in self.levels(progress, step):
            cells = LiveCells([level], layout, FULL)
            if not len(cells):
                continue
            columns = [
                cells.column(self.memory, type, offset, width, indirect, stride)
                for type, offset, width, indirect, stride in (
                    (key, layout.keys, widths[0], layout.indirect_key, layout.keysize),
                    (elem, layout.elems, widths[1], layout.indirect_elem, layout.elemsize),
                )
            ]
            order: Sequence[int] = cells.order()
            if table.replaced:
                order = [i for i in order if self._slot(level, cells.place(i)) not in seen]
            in_flight: Dict[int, bool] = {}
            if self.header.writing:
                cleared = self._cleared_groups(level)
                if cleared:
                    order = [i for i in order if cells.place(i) >> 3 not in cleared]
                deleted = self._deleted_slot(table, level, cleared)
                in_flight = {i: True for i in order if cells.place(i) == deleted}

            def where(number: int, cells: LiveCells = cells, table: Table = table) -> SlotWhere:
                position = cells.place(number)
                return SlotWhere(str(table.number), position >> 3, None, position & 7)

            yield EntryBatch(columns[0], columns[1], order, where, in_flight, marks=cells.mark)

    def _cleared_groups(self, level: Level) -> Set[int]:
        """Groups that Clear has begun to zero: it zeroes a group from its beginning, then marks
        its slots empty. Eight full slots with the same seven bits of zero are no entries."""
        ctrl = level.tophashes(self._need_layout())
        return {at >> 3 for at in range(0, len(ctrl), CELLS) if not any(ctrl[at : at + CELLS])}

    def _deleted_slot(self, table: Table, level: Level, cleared: Set[int]) -> Optional[int]:
        """The slot that Delete is clearing: it lowers the number of entries, clears key and
        element, and marks the slot last (table.go).

        :return: 8 * group + slot; None: there is none, or none that is known
        """
        layout = self._need_layout()
        full = level.tophashes(layout).translate(FULL)
        slots = [at for at in range(len(full)) if full[at] and at >> 3 not in cleared]
        if len(slots) != table.used + 1:
            return None
        words = frozenset(self._words()) if self._words else frozenset()
        width, elem_width = self.widths()

        def is_zero(at: int) -> bool:
            pair = self._slot(level, at)
            return not any(pair[:width]) or not any(pair[width : width + elem_width])

        def is_named(at: int) -> bool:
            group = level.addresses[at >> 3]
            parts = (layout.key_offset(at & 7), layout.elem_offset(at & 7))
            return any(group + part in words for part in parts)

        def is_near(at: int) -> bool:
            group = level.addresses[at >> 3]
            held = any(group + offset in words for offset in range(0, layout.size, 8))
            return held and at & 7 in words

        named = [at for at in slots if is_named(at)]
        zero = [at for at in slots if is_zero(at)]
        for group in (
            named,
            [at for at in named if at in zero],
            [at for at in zero if is_near(at)],
            zero,
        ):
            if len(group) == 1:
                return group[0]
        return None

    def _slots_of_replacements(self) -> Set[bytes]:
        """What tables hold that take the place of others just now; mostly nothing."""
        if not any(table.replaced for table in self.tables()):
            return set()
        layout = self._need_layout()
        seen: Set[bytes] = set()
        for table, level in self.levels(no_progress):
            if not table.replaced:
                full = level.tophashes(layout).translate(FULL)
                seen.update(self._slot(level, i) for i in range(len(full)) if full[i])
        return seen

    def _slot(self, level: Level, position: int) -> bytes:
        """The bytes of a key and an element, at group and slot."""
        layout = self._need_layout()
        base = (position >> 3) * layout.size
        key, elem = self.widths()
        at = base + layout.key_offset(position & 7)
        other = base + layout.elem_offset(position & 7)
        return bytes(level.data[at : at + key]) + bytes(level.data[other : other + elem])

    def _compare_count(self, live: int) -> None:
        """Note when used and slots disagree, except while a write is half done."""
        writing = self.header is not None and self.header.writing
        if live != self.count and not writing and not self.problems:
            text = f"used is {self.count}, but {live} full slots were found"
            self.problems.append(Problem(text, "count", self.address))

    def hashing(self) -> Tuple[Optional[KeyHash], str]:
        if self._hash is None:
            self._hash = self._hashing() if self._hashing else super().hashing()
        return self._hash
