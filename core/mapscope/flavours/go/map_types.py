# SPDX-License-Identifier: MIT
"""Go's map types: where a map's keys and elements lie in its buckets or groups.

Layouts: runtime/type.go (maptype) of Go 1.17 to 1.20, internal/abi of 1.21 to 1.27."""

import struct

from ...cells.layout import BucketLayout
from ...errors import LayoutUnknown
from ...go import layouts
from ...go.descriptors import KIND_MAP, KIND_MASK, RTYPE_SIZE, GoProgram
from ...program.types import Type
from ...program.values import escape
from ...records import dataclass


@dataclass(frozen=True)
class MapType:
    """A map's type, as far as a walk needs it.

    :ivar address: of its descriptor; 0: it comes from debug information
    :ivar layout: of a bucket or, in a Swiss map, of a group; there keysize and elemsize are the
        distances between slots
    """

    address: int
    name: str
    key: Type
    elem: Type
    layout: BucketLayout


def map_type(program: GoProgram, address: int) -> MapType:
    """The map type at `address`.

    :raises LayoutUnknown: if it describes no map
    """
    name = program.name_at(address)
    head = program.memory.read(address, RTYPE_SIZE + 16)
    if head[23] & KIND_MASK != KIND_MAP:
        raise LayoutUnknown(f"{escape(name)} at {address:#x} is not a map type")
    key, elem = (program.type_at(at) for at in struct.unpack_from("<QQ", head, RTYPE_SIZE))
    layout_at = _group if program.has_swiss_maps else _bucket
    return MapType(address, name, key, elem, layout_at(program, address, name, key, elem))


def _bucket(program: GoProgram, address: int, name: str, key: Type, elem: Type) -> BucketLayout:
    """Of a classic map with the type at `address`."""
    raw = program.memory.read(address + 80, 8)
    keysize, elemsize, size, flags = struct.unpack("<BBHI", raw)
    if size != 8 + 8 * (keysize + elemsize) + 8:
        raise LayoutUnknown(
            f"maptype {escape(name)} at {address:#x} not recognised: bucket of {size} "
            f"bytes with keys of {keysize} and elements of {elemsize}"
        )
    return BucketLayout(
        size,
        8,
        8 + 8 * keysize,
        size - 8,
        keysize,
        elemsize,
        bool(flags & layouts.INDIRECT_KEY),
        bool(flags & layouts.INDIRECT_ELEM),
    )


def _group(program: GoProgram, address: int, name: str, key: Type, elem: Type) -> BucketLayout:
    """Of a Swiss map with the type at `address`."""
    size, *words = struct.unpack("<6Q", program.memory.read(address + 80, 48))
    # KeysOff is 8 since 1.27; with slots of 8 bytes flags, at most 15, stand where 1.27 has
    # ElemsOff, at least 16 (but for keys of no bytes)
    split = program.minor >= 27 or (words[0] == 8 and words[2] & 0xFFFFFFFF >= 16)
    if size == 8 + 8 * words[0] and not split:
        # 1.24 to 1.26: SlotSize, ElemOff, Flags
        stride, elems, flags = words[0], 8 + words[1], words[2]
        layout = (8, stride, elems, stride)
    else:
        # 1.27: KeysOff, KeyStride, ElemsOff, ElemStride, ElemOff, Flags
        layout = (words[0], words[1], words[2], words[3])
        flags = struct.unpack("<I", program.memory.read(address + 128, 4))[0]
    indirect_key = bool(flags & layouts.SWISS_INDIRECT_KEY)
    indirect_elem = bool(flags & layouts.SWISS_INDIRECT_ELEM)
    keys, key_stride, elems, elem_stride = layout
    ends = (
        keys + 7 * key_stride + (8 if indirect_key else key.size),
        elems + 7 * elem_stride + (8 if indirect_elem else elem.size),
    )
    if not 8 <= size <= 1 << 16 or keys < 8 or elems < 8 or max(ends) > size:
        raise LayoutUnknown(
            f"map type {escape(name)} at {address:#x} not recognised: group of {size} bytes, "
            f"keys from {keys} every {key_stride}, elements from {elems} every {elem_stride}"
        )
    return BucketLayout(size, keys, elems, 0, key_stride, elem_stride, indirect_key, indirect_elem)
