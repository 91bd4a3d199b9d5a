# SPDX-License-Identifier: MIT
"""Entries of a map: their places, and their keys and elements in columns."""

import random
from dataclasses import field
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from ..kernels.writing import Cells
from ..program.hashing import KeyHash
from ..program.types import Kind, Type
from ..program.values import Decoded, Decoder, Unreadable, json_text
from ..records import dataclass


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


class NodeWhere(Where):
    """The place of an entry in a chain of nodes: the array "old" or "new", the bucket, and how
    many nodes stand before it."""

    def json_form(self) -> Dict[str, object]:
        return {"array": self.array, "bucket": self.bucket, "node": self.chain}

    def text(self) -> str:
        if self.chain is None:
            return f"{self.array} bucket {self.bucket}"
        return f"{self.array} bucket {self.bucket}, node {self.chain}"


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

    def packed(self, order: Sequence[int]) -> Optional[bytes]:
        """The bytes of the values with these indices, one behind the other, where that is cheap;
        None: it is not, or one of them cannot be read."""
        if type(self).data is not Column.data or not len(self._raw):
            return None
        pieces = [self._raw[index] for index in order]
        if any(piece is None or len(piece) != self.type.size for piece in pieces):
            return None
        return b"".join(filter(None, pieces))

    def all_data(self, count: int) -> List[Optional[bytes]]:
        """The bytes of all values, of which there are so many."""
        return [self.data(index) for index in range(count)]

    def unread(self, count: int) -> List[int]:
        """Indices of those that cannot be read, of so many values."""
        return [at for at, raw in enumerate(self.all_data(count)) if raw is None]

    def hashes(self, known: KeyHash, count: int) -> List[Optional[int]]:
        """The hashes of so many keys; None of one that has none, or cannot be read."""
        return known.many([raw or b"" for raw in self.all_data(count)])

    def remembered(self, count: int) -> Callable[[int], Optional[bytes]]:
        """What gives the bytes of each of so many values later, when the column is gone."""
        return self.all_data(count).__getitem__

    def sizes(self, order: Sequence[int]) -> Optional[List[int]]:
        """Bytes that the values with these indices may have outside of their slots; None: few."""
        return [_LEADING] * len(order) if self.type.kind in _LEADS else None

    def weights(self, decoder: Decoder, order: Sequence[int]) -> Optional[List[int]]:
        """The same, where it takes a look at the values to tell."""
        return self.sizes(order)

    def written_as(
        self, forms: Sequence[object], decoder: Decoder, order: Sequence[int]
    ) -> Sequence[int]:
        """Those of some indices whose values may have one of these for their JSON."""
        return order

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

    def cells(
        self, decoder: Decoder, order: Sequence[int]
    ) -> Optional[Tuple[Cells, Optional[bytearray]]]:
        """What the values with these indices are written from in bulk, and marks of all that are
        to be written by themselves, if there are such; None: all are.

        The cells are those of all values, by their indices.
        """
        return None

    def json_texts(self, decoder: Decoder, order: Sequence[int]) -> List[str]:
        """The JSON of the values with these indices."""
        return [json_text(self.value(i, decoder)) for i in order]


@dataclass
class EntryBatch:
    """Some live entries, each exactly once over all batches of a walk.

    :ivar order: indices into the columns, in the order to show
    :ivar where: the place of the i-th entry
    :ivar in_flight: indices of entries that are being written or moved
    :ivar stored: the hash that the i-th entry has beside it; None: there is none, or it cannot be
        read
    :ivar marks: the byte of the i-th entry that a lookup compares first; None: there is no such
    """

    keys: Column
    elems: Column
    order: Sequence[int]
    where: Callable[[int], Where]
    in_flight: Dict[int, bool] = field(default_factory=dict)
    stored: Optional[Callable[[int], Optional[int]]] = None
    marks: Optional[Callable[[int], int]] = None


def some_of(count: int, wanted: int) -> Sequence[int]:
    """About so many indices below `count`, in order, the same ones each time.

    They are chosen at random, for neighbours have much in common: of every tenth entry no two would
    be of one bucket.
    """
    if count <= wanted:
        return range(count)
    return sorted(random.Random(count).sample(range(count), wanted))


#: pieces that a sample is taken from, and where in its part of the array each begins: golden
#: section's multiples are in no step with powers of two
_PIECES, _GOLDEN = 64, 0.6180339887498949


def pieces_of(count: int, share: float) -> Iterator[Tuple[int, int]]:
    """(first bucket, number of buckets) of pieces that are this share of an array, from all over
    it, none twice."""
    pieces = min(_PIECES, count)
    for at in range(pieces):
        start, end = count * at // pieces, count * (at + 1) // pieces
        number = min(end - start, max(1, int((end - start) * share)))
        room = end - start - number
        yield start + int(room * (at * _GOLDEN % 1)), number
