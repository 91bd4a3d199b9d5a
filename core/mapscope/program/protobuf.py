# SPDX-License-Identifier: MIT
"""Fields of Protocol Buffers, written: what profiles and timelines are made of.

Facts: the encoding of Protocol Buffers (varints, lengths; protobuf.dev, "Encoding").
"""

from typing import Iterable

_MASK = (1 << 64) - 1


def varint(value: int) -> bytes:
    """A number in groups of seven bits; a negative one as its 64 bits."""
    value &= _MASK
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number_field(field: int, value: int) -> bytes:
    """A field of a whole number, an enumeration or a truth."""
    return varint(field << 3) + varint(value)


def bytes_field(field: int, data: bytes) -> bytes:
    """A field of bytes, or of a message."""
    return varint(field << 3 | 2) + varint(len(data)) + data


def text_field(field: int, text: str) -> bytes:
    """A field of text; what is no Unicode becomes "?"."""
    return bytes_field(field, text.encode("utf-8", "replace"))


def packed_field(field: int, values: Iterable[int]) -> bytes:
    """A repeated field of whole numbers."""
    return bytes_field(field, b"".join(map(varint, values)))
