# SPDX-License-Identifier: MIT
"""Keys, values and stored hashes of entries, wherever a description says that they are."""

from typing import Iterable, List, Optional, Sequence, Tuple

from ...cells.columns import column_of
from ...chained.two_tables import Nodes, Piece, Tables
from ...errors import MapscopeError
from ...maps.batches import Column
from ...maps.problems import MAX_PROBLEMS, Problem
from ...program.memory import MAX_BYTES, Memory
from ...program.types import Kind, Type
from ...program.values import Decoded, Decoder
from ..redis.sds import Text
from .description import TEXT, VALUE
from .formulas import MASK, TABLE, Env
from .shape import Form, Shape
from .texts import Texts, Values, c_strings

#: an entry that cannot be read
_GONE = "cannot read the entry"
_NO_VALUES = Type(Kind.VOID, "nothing", 0)


class DescribedEntries(Nodes):
    """Entries of one table.

    :param owner: address of the struct that the table is; 0: variables are the table
    :ivar shared: whether chains of two buckets may have the same entries at this moment
    :param segment: buckets of a segment, which the table has pointers to; 0: it has them itself
    """

    def __init__(
        self, memory: Memory, shape: Shape, tables: Tables, owner: int, segment: int = 0
    ) -> None:
        self.problems = []
        self.memory = memory
        self.shape = shape
        self.tables = tables
        self.owner = owner
        self.segment = segment
        self.shared = False
        self.bucket_bytes = shape.stride
        self.stores_hashes = shape.stored is not None

    def bucket_address(self, table: int, bucket: int) -> int:
        start = self.tables.arrays[table]
        if self.segment:
            start = self.memory.read_word(start + 8 * (bucket // self.segment))
            bucket %= self.segment
        return start + self.shape.stride * bucket

    def child_bytes(self) -> int:
        return self.shape.entry.size * self.tables.count if self.shape.chains else 0

    def address(self, piece: Piece, index: int) -> int:
        return piece.links[index]

    def tag(self, piece: Piece, index: int) -> int:
        return 0

    # --- their parts ---

    def rows(self, links: Sequence[int]) -> List[Optional[bytes]]:
        """The bytes of entries."""
        rows = self.memory.gather(links, self.shape.row)
        if None in rows and self.shape.row > self.shape.entry.size:
            short = self.memory.gather(links, self.shape.entry.size)
            rows = [b"".join((s, bytes(self.shape.row - len(s)))) if r is None and s else r
                    for r, s in zip(rows, short)]  # fmt: skip
        return rows

    def each(self, links: Sequence[int]) -> Iterable[Optional[Env]]:
        """What expressions about each entry are computed with; None: it cannot be read."""
        for link, row in zip(links, self.rows(links)):
            yield None if row is None else self.env(link, row)

    def env(self, link: int, row: bytes = b"") -> Env:
        """What expressions about one entry are computed with."""
        return Env(self.memory, link, row, {TABLE: self.owner})

    def keys(self, piece: Piece) -> Column:
        return self.column(self.shape.key, piece.links)

    def values(self, piece: Piece) -> Column:
        if self.shape.value is None:
            return _Nothing(_NO_VALUES, None, [b""] * len(piece), lambda index: 0)
        return self.column(self.shape.value, piece.links)

    def sought(self, argument: int) -> Column:
        """The key of the entry that a function of the program is called with."""
        return self.column(self.shape.key, [argument])

    def column(self, form: Form, links: Sequence[int]) -> Column:
        """Keys or values."""
        if form.kind == VALUE and form.unless is None:
            offset = form.offset()
            if offset is not None and not self.shape.row % 8:
                rows = self.rows(links)
                if offset + form.type.size <= self.shape.row:
                    size, at = self.shape.row, offset
                    return column_of(form.type, rows, size, at, lambda index: links[index] + at)
        starts, lengths, why = self._places(form, links)
        if form.kind == VALUE:
            raws = self.memory.gather(starts, form.type.size)
            return Values(form.type, raws, starts, why)
        texts: List[Optional[Text]]
        if form.kind == TEXT:
            texts = [
                None if reason else (start, length)
                for start, length, reason in zip(starts, lengths, why)
            ]
        else:
            texts = c_strings(self.memory, starts)
            texts = [None if reason else text for text, reason in zip(texts, why)]
            why = [
                reason or ("" if text else f"no text with an end at {start:#x}")
                for reason, text, start in zip(why, texts, starts)
            ]
        return Texts(texts, starts, why)

    def _places(self, form: Form, links: Sequence[int]) -> Tuple[List[int], List[int], List[str]]:
        """(addresses, lengths of texts, why one is not known) for each entry."""
        starts: List[int] = []
        lengths: List[int] = []
        why: List[str] = []
        for env in self.each(links):
            start, length, reason = 0, 0, ""
            if env is None:
                reason = _GONE
            else:
                try:
                    if form.unless is not None and form.unless.value(env):
                        reason = form.why_unless
                    else:
                        start = form.where(env) & MASK
                        if form.length is not None:
                            length = form.length.value(env)
                            if not 0 <= length <= MAX_BYTES:
                                reason = f"a text of {length} bytes: no such length"
                except MapscopeError as error:
                    reason = str(error)
            starts.append(start)
            lengths.append(length)
            why.append(reason)
        return starts, lengths, why

    def hashes(self, piece: Piece) -> List[Optional[int]]:
        stored = self.shape.stored
        if stored is None:
            return super().hashes(piece)
        found: List[Optional[int]] = []
        for env in self.each(piece.links):
            try:
                found.append(None if env is None else stored.value(env) & MASK)
            except MapscopeError:
                found.append(None)
        return found

    def shown_offset(self, form: Optional[Form], link: int, place: int) -> int:
        """Where in an entry a key or value is, or what leads to it."""
        if form is None:
            return 0
        offset = form.offset()
        if offset is not None:
            return offset
        return place - link if 0 <= place - link < MAX_BYTES else 0

    def note(self, text: str, code: str, address: int, table: int, bucket: int) -> None:
        """Something that is wrong."""
        if len(self.problems) < MAX_PROBLEMS:
            array = self.tables.array(table)
            self.problems.append(Problem(text, code, address, array, bucket))


class _Nothing(Column):
    """Values of a table that has none."""

    def value(self, index: int, decoder: Decoder) -> Decoded:
        return None
