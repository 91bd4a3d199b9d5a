# SPDX-License-Identifier: MIT
"""The path of a lookup in a Swiss map (getWithKey in internal/runtime/maps/table.go,
directoryIndex in map.go)."""

from typing import Dict, Optional, Set, Tuple

from ..cells.marks import CELLS
from ..errors import Corrupt, MemoryUnreadable
from ..go import layouts
from ..maps.batches import SlotWhere, Where
from ..maps.found import Found, KeyTest, SlotCandidate
from ..maps.problems import Problem
from ..maps.search import Finder
from ..program.values import Unreadable
from .probing import probes
from .swiss_reader import SwissReader, Table


class SwissLookup(Finder):
    """Finds keys in one map that has groups."""

    def __init__(self, map: SwissReader) -> None:
        super().__init__(map)
        self._map = map
        self._unread: Set[Tuple[int, int]] = set()
        self._groups: Dict[Tuple[int, int], bytes] = {}

    def unsettled(self) -> str:
        header = self._map.header
        if header is not None and header.writing:
            return "the map is being written to"
        if any(table.replaced for table in self._map.tables()):
            return "a table of the map is being split"
        return ""

    def by_hash(self, test: KeyTest, key_hash: int) -> Found:
        mark = key_hash & 0x7F
        result = Found(key_hash, mark, "hash", "", [], 0, 0)
        table = self._table(key_hash)
        if table is None:
            raise Corrupt("the table that the key belongs to cannot be read; see map check")
        for number, group in enumerate(probes(key_hash >> 7 & (table.count - 1), table.count)):
            control = self._group(table, group)[:CELLS]
            if (table.number, group) in self._unread:
                reason = "it cannot be read: where the search goes on is not known"
                result.candidates.append(SlotCandidate(str(table.number), group, True, reason))
                break
            result.chain_hops += 1 if number else 0
            slots = [slot for slot in range(CELLS) if control[slot] == mark]
            for slot in slots:
                result.cells_compared += 1
                if self._take(result, test, table, group, slot):
                    reason = "its control byte and key are the wanted ones"
                    result.candidates.append(SlotCandidate(str(table.number), group, True, reason))
                    return result
            what = "no key there is the wanted one" if slots else f"no control byte is {mark:#04x}"
            ends = layouts.CTRL_EMPTY in control
            end = "it has an empty slot: the search ends" if ends else "it has no empty slot"
            if not table.address:
                end = "the map has no other"
            reason = f"{what}, and {end}"
            result.candidates.append(SlotCandidate(str(table.number), group, True, reason))
            if ends:
                break
        return result

    def _table(self, key_hash: int) -> Optional[Table]:
        """The table that a hash belongs to; a small map's only group is one."""
        header, tables = self._map.header, self._map.tables()
        if header is None or not tables:
            return None
        if not tables[0].address:
            return tables[0]
        index = key_hash >> (header.globalShift & 63) if header.dirLen > 1 else 0
        if index >= header.dirLen:
            return None
        try:
            address = self._map.memory.read_word(header.dirPtr + 8 * index)
        except MemoryUnreadable:
            return None
        return next((table for table in tables if table.address == address), None)

    def _group(self, table: Table, group: int) -> bytes:
        """The bytes of a group; empty where they cannot be read."""
        layout = self._map.layout
        assert layout is not None
        place = (table.number, group)
        if place not in self._groups:
            data: Optional[bytes] = None
            try:
                data = self._map.memory.read(table.groups + group * layout.size, layout.size)
            except MemoryUnreadable as error:
                text = f"table {table.number}, group {group}: {error}"
                self._unread.add(place)
                self._map.problems.append(Problem(text, "unreadable", error.address))
            self._groups[place] = data or bytes([layouts.CTRL_EMPTY]) * layout.size
        return self._groups[place]

    def _take(self, result: Found, test: KeyTest, table: Table, group: int, slot: int) -> bool:
        """Note an entry as the one that was found, if it is."""
        layout = self._map.layout
        assert layout is not None
        data = self._group(table, group)
        address = table.groups + group * layout.size
        key_type, elem_type = self._map.types()
        key_width = 8 if layout.indirect_key else key_type.size
        elem_width = 8 if layout.indirect_elem else elem_type.size
        at, other = layout.key_offset(slot), layout.elem_offset(slot)
        indirect = layout.indirect_key
        key = self._map.slot_value(key_type, data[at : at + key_width], address + at, indirect)
        result.unread += isinstance(key, Unreadable)
        if not test.matches(key):
            return False
        word = data[other : other + elem_width]
        indirect = layout.indirect_elem
        result.key = key
        result.value = self._map.slot_value(elem_type, word, address + other, indirect)
        result.elem_address = int.from_bytes(word, "little") if indirect else address + other
        result.where = SlotWhere(str(table.number), group, None, slot)
        return True

    def fits(self, where: Where, key_hash: int) -> bool:
        table = self._table(key_hash)
        if table is None or str(table.number) != where.array:
            return False
        return self._group(table, where.bucket)[where.cell or 0] == key_hash & 0x7F

    def why_unseen(self, where: Where, key_hash: int, test: KeyTest) -> str:
        table = self._table(key_hash)
        if table is None:
            return "the directory leads to no table that can be read"
        if str(table.number) != where.array:
            return f"its hash belongs to table {table.number}"
        for group in probes(key_hash >> 7 & (table.count - 1), table.count):
            control = self._group(table, group)
            if group == where.bucket:
                break
            if layouts.CTRL_EMPTY in control[:CELLS]:
                first = key_hash >> 7 & (table.count - 1)
                return (
                    f"the search from group {first} ends at group {group}, which has an empty slot"
                )
        control = self._group(table, where.bucket)
        found, wanted = control[where.cell or 0], key_hash & 0x7F
        if found == wanted:
            return "its group was not read so far"
        reason = f"its control byte is {found:#04x}, and that of its hash is {wanted:#04x}"
        fast = self._map.fast
        if fast and not table.address and (test.text is None or len(test.text) <= 64):
            reason += f"; only mapaccess{fast} compares keys alone in so small a map"
        return reason
