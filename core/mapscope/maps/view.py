# SPDX-License-Identifier: MIT
"""What every kind of map offers to the commands.

A MapView is a map as it was found, its header taken apart and checked; a
flavour makes it. Commands use this interface alone and so never ask which
flavour they have.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import (
    TYPE_CHECKING,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
)

from ..errors import MapscopeError, TypeNeeded
from ..program.hashing import KeyHash
from ..program.memory import Memory
from ..program.types import Kind, Type
from ..program.values import Decoded, Decoder, Unreadable, escape, json_text

if TYPE_CHECKING:
    from .report import Report
    from ..session import Session

#: gives a map's hash function, or None and why it cannot be computed
Hashing = Callable[[], Tuple[Optional[KeyHash], str]]

#: (done, total): called now and then while long work runs
Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Where nobody watches."""


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


@dataclass(frozen=True)
class Where:
    """The place of an entry; None: the bucket is known, its cell is not."""

    array: str  # "new" or "old"
    bucket: int
    chain: Optional[int]  # 0: in the bucket itself; n: in the n-th overflow bucket
    cell: Optional[int]

    def json_form(self) -> Dict[str, object]:
        """As docs/commands.md has it."""
        return {
            "array": self.array,
            "bucket": self.bucket,
            "chain": self.chain,
            "cell": self.cell,
        }

    def text(self) -> str:
        """For a reader."""
        if self.cell is None:
            return f"{self.array} bucket {self.bucket}"
        return f"{self.array} bucket {self.bucket}, chain {self.chain}, cell {self.cell}"


class SlotWhere(Where):
    """The place of an entry of a Swiss map: the array is a table, by its number, the bucket a
    group of it, the cell a slot."""

    def json_form(self) -> Dict[str, object]:
        return {"table": int(self.array), "group": self.bucket, "slot": self.cell}

    def text(self) -> str:
        return f"table {self.array}, group {self.bucket}, slot {self.cell}"


#: of values that may lead to any number of others, as many are shown at once as make a part
_LEADS = (Kind.STRUCT, Kind.ARRAY, Kind.SLICE, Kind.INTERFACE, Kind.EMPTY_INTERFACE, Kind.OPAQUE)
_LEADING = 1 << 19


class Column:
    """All keys, or all elements, of a batch of entries.

    Holds what was cheap to get, and decodes when asked: scalars come decoded
    in bulk, everything else as the bytes of each value.
    """

    def __init__(
        self,
        type: Type,
        scalars: Optional[Sequence[object]],
        raw: Sequence[Optional[bytes]],
        address: Callable[[int], int],
    ) -> None:
        self.type = type
        self._scalars = scalars
        self._raw = raw
        #: address of the i-th value in the program (through the pointer, if indirect)
        self.address = address

    def value(self, index: int, decoder: Decoder) -> Decoded:
        """The i-th value."""
        raw = self.data(index)
        if raw is None:
            return Unreadable(f"cannot read {self.type.size} bytes at {self.address(index):#x}")
        return decoder.decode(self.type, raw, self.address(index))

    def data(self, index: int) -> Optional[bytes]:
        """The i-th value's bytes; None where they cannot be read."""
        return self._raw[index]

    def sizes(self, order: Sequence[int]) -> Optional[List[int]]:
        """Bytes that the values with these indices may have outside of their slots; None: few."""
        return [_LEADING] * len(order) if self.type.kind in _LEADS else None

    def put(self, index: int, data: Optional[bytes]) -> None:
        """Replace the i-th value's bytes (of an entry in flight)."""
        raw = list(self._raw)
        raw[index] = data
        self._raw = raw

    def scalars(self) -> Optional[Sequence[object]]:
        """All values as Python numbers, where the type is one."""
        return self._scalars

    def lengths(self) -> Optional[Sequence[int]]:
        """Of strings, the length of each in bytes, if that was cheap to get."""
        return None

    def json_numbers(self, order: Sequence[int]) -> Optional[Iterable[object]]:
        """Values that str() turns into their JSON, if the type has such."""
        if self._scalars is None or self.type.kind not in (Kind.INT, Kind.UINT):
            return None
        if isinstance(order, range) and len(order) == len(self._scalars):
            return self._scalars
        return map(self._scalars.__getitem__, order)

    def json_texts(self, decoder: Decoder, order: Sequence[int]) -> List[str]:
        """The JSON of the values with these indices."""
        return [json_text(self.value(i, decoder)) for i in order]


@dataclass
class EntryBatch:
    """Some live entries, each exactly once over all batches of a walk.

    :ivar order: indices into the columns, in the order to show
    :ivar where: the place of the i-th entry
    :ivar in_flight: indices of entries that are being written or moved
    """

    keys: Column
    elems: Column
    order: Sequence[int]
    where: Callable[[int], Where]
    in_flight: Dict[int, bool] = field(default_factory=dict)


@dataclass
class Growth:
    """A migration in progress; see docs/commands.md, inspect."""

    kind: str
    old_buckets: int
    nevacuate: int
    evacuated: Optional[int] = None
    ahead: Optional[int] = None
    entries_moved: Optional[int] = None
    entries_waiting: Optional[int] = None

    @property
    def progress(self) -> Optional[float]:
        """The part of the old buckets that is evacuated, 0..1."""
        if self.evacuated is None:
            return None
        return self.evacuated / self.old_buckets

    def json_form(self) -> Dict[str, object]:
        """As docs/commands.md has it."""
        return {
            "kind": self.kind,
            "old_buckets": self.old_buckets,
            "evacuated": self.evacuated,
            "remaining": None if self.evacuated is None else self.old_buckets - self.evacuated,
            "nevacuate": self.nevacuate,
            "ahead": self.ahead,
            "progress": self.progress,
            "entries_moved": self.entries_moved,
            "entries_waiting": self.entries_waiting,
        }


@dataclass(frozen=True)
class Held:
    """Memory that a map holds, in bytes; what its keys and values hold themselves is not in it.

    :ivar buckets: the present array, with the spare overflow buckets behind it
    :ivar old: the array being evacuated, with its overflow buckets
    :ivar overflow: overflow buckets of the present array that lie elsewhere
    :ivar header: the map itself
    :ivar retired: arrays of ended migrations that are not yet given back
    :ivar indirect: keys and elements that are too large for a bucket
    """

    buckets: int = 0
    old: int = 0
    overflow: int = 0
    header: int = 0
    retired: int = 0
    indirect: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self.form().values())

    @property
    def retained(self) -> int:
        """What is kept for a migration, present or past."""
        return self.old + self.retired

    def form(self) -> Dict[str, int]:
        """`bytes` of mapscope.inspect/1."""
        return {
            "buckets": self.buckets,
            "old": self.old,
            "overflow": self.overflow,
            "header": self.header,
            "retired": self.retired,
            "indirect": self.indirect,
        }


@dataclass(frozen=True)
class Life:
    """What a map has been through, by the program's own count."""

    growths: int
    same_size_growths: int
    shrinks: int
    rebuilds: int
    evacuated: int

    def form(self) -> Dict[str, int]:
        """`life` of mapscope.stats/1."""
        return {
            "growths": self.growths,
            "same_size_growths": self.same_size_growths,
            "shrinks": self.shrinks,
            "rebuilds": self.rebuilds,
            "buckets_evacuated": self.evacuated,
        }


@dataclass
class Summary:
    """What `map inspect` shows beyond the header; None: could not be known.

    :ivar form: of a map without bucket chains, what it has in their place
    """

    overflow_in_use: Optional[int] = None
    spare: Optional[int] = None
    held: Optional[Held] = None
    chains: Dict[int, int] = field(default_factory=dict)
    growth: Optional[Growth] = None
    form: Optional[Dict[str, object]] = None


@dataclass
class Distribution:
    """What `map stats` shows of one map."""

    cells: Dict[int, int]  # entries in a bucket's chain: number of such buckets
    chains: Dict[int, int]
    old_cells: Dict[int, int]  # the same of old buckets not yet evacuated
    old_chains: Dict[int, int]
    entries: int
    uniformity: Optional[float]  # variance / mean of entries per bucket; 1: as by chance
    held: Held
    bytes_used: int
    bytes_rebuilt: int  # what a fresh copy of the map would hold, about
    unit: str = "bucket"  # what has the entries
    #: of a Swiss map: groups that a lookup looks at which finds nothing: number of groups it may
    #: begin with; slots of deleted entries; entries until tables grow
    probes: Dict[int, int] = field(default_factory=dict)
    tombstones: Optional[int] = None
    growth_left: Optional[int] = None


@dataclass
class Cell:
    """One cell of a bucket."""

    index: int
    address: int
    key_offset: int
    elem_offset: int
    tophash: int
    state: str
    key: Optional[Decoded] = None
    value: Optional[Decoded] = None
    live: bool = False
    moved_to: Optional[Where] = None
    in_flight: bool = False


@dataclass
class Bucket:
    """One bucket of a chain."""

    address: int
    chain: int
    overflow: int
    overflow_offset: Optional[int]  # None: it has none
    cells: List[Cell]


@dataclass
class Chain:
    """What `map bucket` shows.

    :ivar unit: what its buckets are called
    :ivar mark: what a cell's byte is called
    """

    array: str
    index: int
    evacuated: bool
    buckets: List[Bucket]
    unit: str = "bucket"
    mark: str = "tophash"


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


@dataclass(frozen=True)
class KeyTest:
    """A key to look for.

    :ivar matches: whether a decoded key of the map equals it
    :ivar data: its bytes, where equal keys have equal bytes
    :ivar text: of a string key, its bytes
    """

    matches: Callable[[Decoded], bool]
    data: Optional[bytes] = None
    text: Optional[bytes] = None


class MapView(ABC):
    """One map, found and understood as far as it can be.

    :ivar flavor: "runtime", "go-classic", ...
    :ivar go_version: as in "go1.19.8", for Go maps
    :ivar unit: what its entries lie in, "bucket" or "group"
    :ivar mark: what the byte of a cell is called that a lookup compares first
    :ivar address: of the header; None for a nil map
    :ivar problems: what was found impossible or unreadable on the way
    :ivar holder: where a nil map's pointer lies, if that is known
    :ivar reopen: finds the same map again, as it is then; None for a nil map
    :ivar life: what it has been through, where the program counts that
    """

    flavor: str = ""
    unit: str = "bucket"
    mark: str = "tophash"
    go_version: Optional[str] = None
    holder: Optional[int] = None
    reopen: Optional[Callable[["Session"], "MapView"]] = None
    life: Optional[Life] = None

    def __init__(
        self,
        memory: Memory,
        address: Optional[int],
        type_name: str,
        key: Optional[Type],
        elem: Optional[Type],
    ) -> None:
        self.memory = memory
        self.address = address
        self.type_name = type_name
        self.key = key
        self.elem = elem
        self.problems: List[str] = []
        self.decoder = Decoder(memory)

    def headline(self) -> str:
        """One line: type, entries, what growth is going on."""
        name = escape(self.type_name)
        if self.address is None:
            return f"{name} nil" if self.flavor.startswith("go") else f"{name} with 0 entries"
        text = f"{name} with {self.count} entries"
        growth = self.growth()
        if growth is not None:
            buckets = self.header_form()["buckets"]
            text += f" (growing, {growth.kind} {growth.old_buckets} -> {buckets} buckets)"
        return text

    @property
    @abstractmethod
    def count(self) -> int:
        """Live entries, as the header says."""

    @abstractmethod
    def header_form(self) -> Dict[str, object]:
        """The flavour's own fields of `inspect`, without what needs a walk."""

    @abstractmethod
    def growth(self) -> Optional[Growth]:
        """The migration in progress, as far as the header alone tells."""

    @abstractmethod
    def progress(self) -> Optional[float]:
        """The evacuated part of the old buckets, 0..1; None: not migrating."""

    @abstractmethod
    def overflow_in_use(self) -> Optional[int]:
        """Overflow buckets of the present array, as far as the header tells."""

    @abstractmethod
    def held(self) -> Held:
        """The memory it holds, as far as the header tells; overflow may be an estimate."""

    @abstractmethod
    def load_factor(self) -> float:
        """Entries for each bucket."""

    @abstractmethod
    def summary(self, progress: Progress = no_progress) -> Summary:
        """Walks the whole map."""

    @abstractmethod
    def distribution(self, progress: Progress = no_progress) -> Distribution:
        """Walks the whole map."""

    @abstractmethod
    def entries(self, progress: Progress = no_progress) -> Iterator[EntryBatch]:
        """Every live entry exactly once.

        :raises TypeNeeded: where keys cannot be found without the map's type
        """

    @abstractmethod
    def chain(self, index: int, old: bool) -> Chain:
        """One bucket with its overflow buckets."""

    @abstractmethod
    def find(self, test: KeyTest) -> Found:
        """Looks a key up."""

    @abstractmethod
    def check(self, report: "Report", progress: Progress = no_progress) -> None:
        """Walks the whole map and reports what is wrong with it."""

    def hashing(self) -> Tuple[Optional[KeyHash], str]:
        """(the map's hash function, ""), or (None, a line: why it cannot be computed)."""
        return None, "the map's hash function is not known"

    def hash_of(self, test: KeyTest) -> Optional[int]:
        """The map's hash of a key, where it can be computed."""
        known, _ = self.hashing()
        if known is None:
            return None
        if test.text is not None:
            return known.of_text(test.text)
        return None if test.data is None else known.many([test.data])[0]

    def types(self) -> Tuple[Type, Type]:
        """The key and element types.

        :raises TypeNeeded: where they are not known
        """
        if self.key is None or self.elem is None:
            raise TypeNeeded(f"map at {self.address or 0:#x}")
        return self.key, self.elem

    def slot_value(self, type: Type, slot: bytes, address: int, indirect: bool) -> Decoded:
        """The key or element whose slot lies at `address`; indirect: the slot points at it."""
        if not indirect:
            return self.decoder.decode(type, slot, address)
        pointer = int.from_bytes(slot, "little")
        try:
            self.decoder.spend(type.size, f"{type.size} bytes")
        except MapscopeError as error:
            return Unreadable(str(error))
        data = self.memory.gather([pointer], type.size)[0]
        if data is None:
            return Unreadable(f"cannot read {type.size} bytes at {pointer:#x}")
        return self.decoder.decode(type, data, pointer)
