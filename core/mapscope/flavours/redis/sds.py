# SPDX-License-Identifier: MIT
"""Redis's strings: an sds pointer is at the text, its length stands in front of it (src/sds.h).

Since 8.0 the fields of hashes are mstr (src/mstr.h), whose headers are others.
"""

import struct
from typing import List, Optional, Sequence, Tuple

from ...errors import MapscopeError, MemoryUnreadable
from ...program.memory import MAX_BYTES, Memory
from ...program.types import Kind, Type

#: (address of a text, its bytes)
Text = Tuple[int, int]

#: bytes in front of a text that have its length, but of one of 4 GiB
FRONT = 9
SLOT = struct.Struct("<QQ")

#: a text and its length, as a key's slot has them
TEXT = Type(Kind.STRING, "sds", 16, data_offset=0, len_offset=8)


def _sds_length(front: bytes, memory: Memory, pointer: int) -> Optional[int]:
    """The length that an sds header tells; None: no header looks like that.

    :param front: what lies in front of the text, 9 bytes
    """
    kind = front[8] & 7
    if kind == 0:
        return front[8] >> 3
    if kind == 1:  # len, alloc, flags
        return front[6] if front[6] <= front[7] else None
    if kind == 2:
        length, room = struct.unpack_from("<HH", front, 4)
    elif kind == 3:
        length, room = struct.unpack_from("<II", front, 0)
    elif kind == 4:
        length, room = struct.unpack("<QQ", memory.read(pointer - 17, 16))
    else:
        return None
    return int(length) if length <= room and length <= MAX_BYTES else None


def _mstr_length(front: bytes, memory: Memory, pointer: int) -> Optional[int]:
    """The length that an mstr header tells; the 8 bytes of a long one are in front."""
    kind = front[8] & 3
    if kind == 0:
        return front[8] >> 3
    if kind == 1:
        return front[7]
    length = int.from_bytes(front[6:8] if kind == 2 else front[:8], "little")
    return length if length <= MAX_BYTES else None


def texts_at(memory: Memory, pointers: Sequence[int], mstr: bool = False) -> List[Optional[Text]]:
    """Where the texts of strings are; None: there is no string."""
    fronts = memory.gather([pointer - FRONT for pointer in pointers], FRONT)
    result: List[Optional[Text]] = []
    for pointer, front in zip(pointers, fronts):
        if front is None:
            front = _short_front(memory, pointer)
        elif not front[8] & 7:  # short ones are many
            result.append((pointer, front[8] >> 3))
            continue
        length = -1 if front is None else text_length(memory, pointer, front, mstr)
        result.append(None if length < 0 else (pointer, length))
    return result


def text_length(memory: Memory, pointer: int, front: bytes, mstr: bool) -> int:
    """The length that the header of a string tells; -1: no header looks like that.

    :param front: what lies in front of the text, 9 bytes
    """
    try:
        length = (_mstr_length if mstr else _sds_length)(front, memory, pointer)
    except MemoryUnreadable:
        return -1
    return -1 if length is None else length


def _short_front(memory: Memory, pointer: int) -> Optional[bytes]:
    """What lies in front of a text at the beginning of what can be read."""
    for size in (5, 3, 1):
        try:
            return memory.read(pointer - size, size).rjust(FRONT, b"\0")
        except MemoryUnreadable:
            continue
    return None


def is_text(memory: Memory, pointer: int, mstr: bool = False) -> bool:
    """Whether there is a string at an address: with its length in front and a NUL behind."""
    found = texts_at(memory, [pointer], mstr)[0]
    if found is None:
        return False
    try:
        return memory.read(found[0] + found[1], 1) == b"\0"
    except MapscopeError:
        return False
