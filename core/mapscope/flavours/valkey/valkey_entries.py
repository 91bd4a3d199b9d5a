# SPDX-License-Identifier: MIT
"""Keys and values of the entries of a hashtable: each kind has them elsewhere (src/server.h,
object.c, t_zset.c, 8.1 and 9.1; t_hash.c 8.1, entry.c 9.1)."""

import struct
from typing import Dict, List, Optional, Sequence, Tuple

from ...errors import MemoryUnreadable
from ...maps.batches import Column
from ...program.memory import Memory
from ...program.types import Kind, Type
from ...records import dataclass
from ..redis.dict_nodes import NoColumn
from ..redis.objects import OBJECT, Count, Object, ObjectColumn
from ..redis.sds import TEXT, texts_at
from ..redis.text_column import TextColumn

#: kinds of entries
KEYSPACE, EXPIRES, SET, ZSET, HASH = "robj", "expires", "member", "element", "field"
#: hashtableType: what its entries are
TYPES: Dict[str, str] = {
    "kvstoreKeysHashtableType": KEYSPACE,
    "kvstoreExpiresHashtableType": EXPIRES,
    "setHashtableType": SET,
    "zsetHashtableType": ZSET,
    "hashHashtableType": HASH,
    "hashWithVolatileItemsHashtableType": HASH,
}
#: kinds of entries of values of the keyspace: what those are
VALUES: Dict[str, str] = {SET: "a set", ZSET: "a sorted set", HASH: "a hash"}
_VALUES: Dict[str, Type] = {
    KEYSPACE: OBJECT,
    EXPIRES: Type(Kind.INT, "milliseconds", 8),
    SET: Type(Kind.VOID, "none", 0),
    ZSET: Type(Kind.FLOAT, "double", 8),
    HASH: TEXT,
}
#: bytes of an sds header, by its kind
_HEADERS = (1, 3, 5, 9, 17)
#: tallest node of a skip list
_TALLEST = 64


@dataclass(frozen=True)
class Version:
    """What differs between versions, told by the functions that they export.

    :ivar embedded: an object may have its value in itself (objectGetVal)
    :ivar inline: a skip list's node has its element in itself (zslGetNodeElement)
    :ivar pointer_bit: of a field's sds header, whether its value is elsewhere
    """

    embedded: bool
    inline: bool
    pointer_bit: int


class Entries:
    """Entries of one kind."""

    def __init__(self, memory: Memory, kind: str, version: Version, count: Count) -> None:
        self.kind = kind
        self.value_type = _VALUES[kind]
        self._memory = memory
        self._version = version
        self._count = count

    # --- keys ---

    def keys(self, entries: Sequence[int]) -> TextColumn:
        """Their keys, which all are strings."""
        return TextColumn(self._memory, self._key_pointers(entries))

    def _key_pointers(self, entries: Sequence[int]) -> List[int]:
        if self.kind in (SET, HASH):
            return list(entries)
        if self.kind == ZSET:
            return self._elements(entries)
        return [parts[0] for parts in self._objects(entries)]

    def _elements(self, nodes: Sequence[int]) -> List[int]:
        if not self._version.inline:  # zskiplistNode{sds ele 0, double score 8}
            return [_word(raw) for raw in self._memory.gather(nodes, 8)]
        # {score 0, backward 8, level[]{forward 16, span 24}}: the first span is the height;
        # behind the levels the size of the sds header, the header, the text
        heights = [_word(raw) for raw in self._memory.gather([node + 24 for node in nodes], 8)]
        ends = [
            node + 16 + 16 * height if 0 < height <= _TALLEST else 0
            for node, height in zip(nodes, heights)
        ]
        sizes = self._memory.gather(ends, 1)
        return [end + 1 + size[0] if end and size else 0 for end, size in zip(ends, sizes)]

    def _objects(self, entries: Sequence[int]) -> List[Tuple[int, int, bool]]:
        """(key, where the expire time is or 0, whether the value is embedded) of objects."""
        result: List[Tuple[int, int, bool]] = []
        sizes_at: List[int] = []
        for entry, raw in zip(entries, self._memory.gather(entries, 16)):
            flags = raw[4] if raw is not None else 0
            embedded = self._version.embedded and bool(flags & 4)
            data = entry + (8 if embedded else 16)
            expire = data if flags & 1 else 0
            data += 8 if flags & 1 else 0
            sizes_at.append(data if flags & 2 else 0)
            result.append((data, expire, embedded))
        sizes = self._memory.gather(sizes_at, 1)
        return [
            (data + 1 + size[0] if at and size else 0, expire, embedded)
            for (data, expire, embedded), at, size in zip(result, sizes_at, sizes)
        ]

    # --- values ---

    def values(self, entries: Sequence[int], slots: Sequence[int]) -> Column:
        """Their values."""
        memory = self._memory
        if self.kind == SET:
            return NoColumn(self.value_type, None, [b""] * len(entries), lambda index: 0)
        if self.kind == ZSET:
            offset = 0 if self._version.inline else 8
            places = [entry + offset for entry in entries]
            raw = memory.gather(places, 8)
            return Column(self.value_type, None, raw, lambda index: places[index])
        if self.kind == HASH:
            pointers = self._field_values(entries)
            return TextColumn(memory, pointers)
        objects = self._objects(entries)
        if self.kind == EXPIRES:
            times = [expire for _, expire, _ in objects]
            raw = memory.gather(times, 8)
            return Column(self.value_type, None, raw, lambda index: times[index])
        column = EmbeddedObjects(memory, entries, objects, self._count)
        if self._version.embedded:  # stream{cgroups 0, rax 8, length 16, ...}
            column.stream_length = 16
        return column

    def _field_values(self, entries: Sequence[int]) -> List[int]:
        result: List[int] = []
        flags = self._memory.gather([entry - 1 for entry in entries], 1)
        for entry, flag, text in zip(entries, flags, texts_at(self._memory, entries)):
            kind = flag[0] & 7 if flag else 7
            if text is None or flag is None or kind >= len(_HEADERS):
                result.append(0)
            elif kind and flag[0] >> (3 + self._version.pointer_bit) & 1:
                result.append(self._pointed(entry - _HEADERS[kind] - 8, flag[0]))
            else:  # behind the field: an sds with a header of 3 bytes
                result.append(entry + text[1] + 1 + 3)
        return result

    def _pointed(self, at: int, flags: int) -> int:
        if self._version.pointer_bit and flags >> (3 + self._version.pointer_bit + 1) & 1:
            return 0  # a string that is not the server's: no sds
        try:
            return self._memory.read_word(at)
        except MemoryUnreadable:
            return 0


class EmbeddedObjects(ObjectColumn):
    """Objects that have their keys, and some their values, in themselves."""

    plain = False

    def __init__(
        self,
        memory: Memory,
        entries: Sequence[int],
        objects: Sequence[Tuple[int, int, bool]],
        count: Count,
    ) -> None:
        super().__init__(memory, entries, count)
        self._objects = objects
        self._of = memory

    def heads(self) -> List[Optional[Object]]:
        found = super().heads()
        inside = [at for at, parts in enumerate(self._objects) if parts[2] and parts[0]]
        keys = texts_at(self._of, [self._objects[at][0] for at in inside])
        for at, key in zip(inside, keys):
            head = found[at]
            if head is not None:
                value = 0 if key is None else key[0] + key[1] + 1 + 3
                found[at] = Object(head.type, head.encoding, value)
        return found


def _word(raw: Optional[bytes]) -> int:
    return 0 if raw is None else int(struct.unpack("<Q", raw)[0])
