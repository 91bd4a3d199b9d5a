# SPDX-License-Identifier: MIT
"""mapscope_abi: what a program on the runtime says of its own structs.

Every size and offset is taken from it (runtime/include/mapscope/layout.h), so that a program
built against another version is refused by name, never misread."""

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Dict, Iterator, List, Tuple

from ...errors import Corrupt, LayoutUnknown, MemoryUnreadable
from ...program.memory import Memory
from ...session import Session

MAGIC = b"\x7fmapscope\xc7\x1d\x8a\xe4\x05\xb2\x93"


VERSION = 4


_ABI_SIZE = 296


_ABI_SYMBOL = "mapscope_abi"


_ABI_SECTION = ".mapscope"


#: sections searched for the magic where neither symbol nor section is found
_DATA_SECTIONS = (".data.rel.ro", ".rodata", ".data", ".data.rel.ro.local")


_SCAN_LIMIT = 64 << 20


@dataclass(frozen=True)
class Abi:
    """The program's mapscope_abi, field for field as in layout.h."""

    address: int
    version: int
    size: int
    hmap_size: int
    hmap_count: int
    hmap_flags: int
    hmap_B: int
    hmap_noverflow: int
    hmap_hash0: int
    hmap_buckets: int
    hmap_oldbuckets: int
    hmap_nevacuate: int
    hmap_extra: int
    mapextra_overflow: int
    mapextra_oldoverflow: int
    mapextra_nextOverflow: int
    mapextra_type: int
    mapextra_next: int
    mapextra_evacuating: int
    maptype_size: int
    maptype_abi: int
    maptype_name: int
    maptype_flags: int
    maptype_hash_kind: int
    maptype_bucketsize: int
    maptype_keysize: int
    maptype_elemsize: int
    maptype_keys_offset: int
    maptype_elems_offset: int
    maptype_overflow_offset: int
    maptype_key: int
    maptype_elem: int
    typeinfo_size: int
    typeinfo_kind: int
    typeinfo_bytes: int
    typeinfo_data_offset: int
    typeinfo_len_offset: int
    typeinfo_name: int
    registry_head: int
    registry_shards: int
    registry_stride: int
    registry: int
    stop_filter: int
    stop_hook: int
    history: int
    stop_filter_armed: int
    stop_filter_armed_slots: int
    stop_filter_slots: int
    stop_slot_count: int
    stop_slot_size: int
    stop_slot_events: int
    stop_slot_conditions: int
    stop_slot_map: int
    stop_slot_bucket: int
    stop_slot_progress: int
    stop_slot_key_hash: int
    stop_slot_ignore: int
    stop_slot_hits: int
    stop_slot_thread: int
    stop_slot_reported: int
    event_size: int
    event_event: int
    event_slot: int
    event_slots: int
    event_thread: int
    event_map: int
    event_type: int
    event_bucket: int
    event_old_buckets: int
    event_buckets: int
    event_evacuated: int
    event_count: int
    event_key: int
    event_key_hash: int
    event_message: int
    event_kind: int
    event_flags: int
    stop_filter_assume_traced: int
    stop_filter_only_map: int
    event_moved_x: int
    event_moved_y: int
    event_hint: int
    mapextra_evacuating_base: int
    mapextra_array_bytes: int
    mapextra_overflow_bytes: int
    mapextra_old_bytes: int
    mapextra_retired_bytes: int
    mapextra_overflow_buckets: int
    mapextra_evacuated: int
    mapextra_evacuated_before: int
    mapextra_growths: int
    mapextra_same_size_growths: int
    mapextra_shrinks: int
    mapextra_rebuilds: int
    header_size: int
    registry_departed: int
    history_clock: int
    history_life: int
    history_rings: int
    history_ticks: int
    history_nanoseconds: int
    history_pairs: int
    history_wall: int
    history_ring_next: int
    history_ring_records: int
    history_ring_capacity: int
    history_ring_begun: int
    history_record_size: int
    history_record_sequence: int
    history_record_clock: int
    history_record_map: int
    history_record_type: int
    history_record_count: int
    history_record_detail: int
    history_record_bucket: int
    history_record_second: int
    history_record_moved: int
    history_record_event: int
    history_record_flags: int
    history_record_B: int
    history_record_old_B: int
    history_record_thread: int


_ABI_LAYOUT = struct.Struct("<16s2I36HIIQQQQ77H6x")


#: largest struct of the runtime that is taken for one, in bytes; slots that fit a mask
_LARGEST, _MOST_SLOTS = 4096, 32


#: prefix of an offset's name: which of the sizes below it lies in
_STRUCTS = {
    "hmap": "hmap_size",
    "mapextra": "mapextra_size",
    "maptype": "maptype_size",
    "typeinfo": "typeinfo_size",
    "stop_slot": "stop_slot_size",
    "event": "event_size",
    "history_record": "history_record_size",
}


#: bytes of what is not a word (layout.h, debug.h, history.h)
_WIDTHS: Dict[str, int] = {
    **dict.fromkeys(("hmap_flags", "hmap_B"), 1),
    "hmap_noverflow": 2,
    "hmap_hash0": 4,
    **dict.fromkeys(
        (
            *("mapextra_growths", "mapextra_same_size_growths", "mapextra_shrinks"),
            *("mapextra_rebuilds", "maptype_flags", "maptype_hash_kind", "maptype_bucketsize"),
            *("maptype_keysize", "maptype_elemsize", "maptype_keys_offset"),
            *("maptype_elems_offset", "maptype_overflow_offset", "typeinfo_kind"),
            *("typeinfo_bytes", "stop_slot_events", "stop_slot_conditions", "stop_slot_thread"),
            *("stop_slot_reported", "event_event", "event_slot", "event_slots", "event_thread"),
            *("event_kind", "event_flags", "history_record_bucket", "history_record_second"),
            "history_record_thread",
        ),
        4,
    ),
    **dict.fromkeys(("typeinfo_data_offset", "typeinfo_len_offset"), 2),
    **dict.fromkeys(
        (
            *("history_record_event", "history_record_flags"),
            *("history_record_B", "history_record_old_B"),
        ),
        1,
    ),
}


def read_abi(memory: Memory, address: int) -> Abi:
    """The mapscope_abi at `address`.

    :raises LayoutUnknown: if it is of another version
    :raises Corrupt: if it is none, or impossible
    """
    head = memory.read(address, 24)
    if not head.startswith(MAGIC):
        raise Corrupt(f"no mapscope_abi at {address:#x}")
    version, size = struct.unpack_from("<II", head, 16)
    if version != VERSION:
        raise LayoutUnknown(
            f"mapscope layout version {version} (mapscope_abi at {address:#x}) not recognised: "
            f"these scripts read version {VERSION}; use those that came with the program's library"
        )
    if size < _ABI_SIZE:
        raise LayoutUnknown(
            f"mapscope_abi at {address:#x} has {size} bytes, "
            f"{_ABI_SIZE} expected for version {version}"
        )
    abi, reason = _understood(address, memory.read(address, _ABI_SIZE))
    if reason:
        raise Corrupt(f"mapscope_abi at {address:#x} is impossible: {reason}")
    return abi


@lru_cache(maxsize=8)
def _understood(address: int, raw: bytes) -> Tuple[Abi, str]:
    """The fields of a mapscope_abi, and what is impossible about them; "": nothing."""
    _, *numbers = _ABI_LAYOUT.unpack(raw)
    abi = Abi(address, *numbers)
    sizes = {name: number for name, number in vars(abi).items() if name.endswith("_size")}
    sizes["mapextra_size"] = abi.header_size - abi.hmap_size
    for name, size in sizes.items():
        if not 0 < size <= _LARGEST:
            return abi, f"{name} is {size}, 1 to {_LARGEST} expected"
    if abi.stop_slot_count > _MOST_SLOTS:
        return abi, f"stop_slot_count is {abi.stop_slot_count}, at most {_MOST_SLOTS} expected"
    widths = {**_WIDTHS, "maptype_key": abi.typeinfo_size, "maptype_elem": abi.typeinfo_size}
    widths["history_record_moved"] = 8
    for name, offset in vars(abi).items():
        struct_size = _STRUCTS.get(_prefix(name), "")
        if struct_size and name not in sizes and name != "stop_slot_count":
            if offset + widths.get(name, 8) > sizes[struct_size]:
                return abi, f"{name} is {offset}, beyond {sizes[struct_size]} bytes"
    return abi, ""


def _prefix(name: str) -> str:
    """Of the struct that a field of Abi is an offset in."""
    return next((prefix for prefix in _STRUCTS if name.startswith(prefix + "_")), "")


def abi_of(session: Session, address: int) -> Abi:
    """The mapscope_abi of the copy of the runtime that the map at `address` belongs to."""
    extra = session.memory.read_word(address + 40)
    maptype = session.memory.read_word(extra + 24)
    return read_abi(session.memory, session.memory.read_word(maptype))


def all_abis(session: Session) -> List[Abi]:
    """Of every copy of the runtime in the program."""
    return [read_abi(session.memory, address) for address in abi_addresses(session)]


def abi_addresses(session: Session) -> Iterator[int]:
    """Addresses of every mapscope_abi: by symbol, else by section, else by a scan."""
    found: List[int] = list(session.target.symbols(_ABI_SYMBOL))
    sections = session.sections()
    found += [s.start for s in sections if s.name == _ABI_SECTION]
    if not found:
        left = _SCAN_LIMIT
        for section in sections:
            size = section.end - section.start
            if section.name not in _DATA_SECTIONS or size > left:
                continue
            left -= size
            try:
                raw = bytes(session.memory.read_chunk(section.start, size))
            except MemoryUnreadable:
                continue
            at = raw.find(MAGIC)
            while at >= 0:
                found.append(section.start + at)
                at = raw.find(MAGIC, at + 1)
    for address in sorted(set(found)):
        try:
            if session.memory.read(address, len(MAGIC)) == MAGIC:
                yield address
        except MemoryUnreadable:
            continue
