# SPDX-License-Identifier: MIT
"""Program headers and notes of ELF files of x86-64, read from the files themselves.

Facts: elf(5), core(5), include/uapi/linux/elf.h. What is read may be damaged or cut off: all of it
is bounded, and what is not there is left out.
"""

import struct
from typing import Callable, Dict, Iterator, List, Optional, Tuple

from ..records import dataclass

#: types of program headers
LOAD, NOTE, PHDR = 1, 4, 6
#: flag of a program header: the segment can be written to
WRITABLE = 2
#: e_phnum of files with more program headers than it can hold; then the first section has it
_MANY = 0xFFFF
#: program headers, and bytes of notes, that are read at most
_MOST_SEGMENTS, _MOST_NOTES = 1 << 20, 64 << 20

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_NOTE = struct.Struct("<III")

#: reads so many bytes at an offset, or fewer where the file ends
Read = Callable[[int, int], bytes]


@dataclass(frozen=True)
class Segment:
    """A program header."""

    type: int
    flags: int
    offset: int
    address: int
    file_size: int
    size: int

    @property
    def writable(self) -> bool:
        """Whether the program could write to it."""
        return bool(self.flags & WRITABLE)


def segments(read: Read) -> Tuple[int, List[Segment]]:
    """(e_type, the program headers that the file has); (0, []) of what is no ELF file of x86-64."""
    head = read(0, _HEADER.size)
    if len(head) < _HEADER.size or head[:6] != b"\x7fELF\x02\x01":
        return 0, []
    _, type, machine, _, _, at, sections, _, _, size, number, _, _, _ = _HEADER.unpack(head)
    if machine != 62 or size != _SEGMENT.size:
        return 0, []
    if number == _MANY:
        info = read(sections + 44, 4)
        number = int.from_bytes(info, "little") if len(info) == 4 else 0
    raw = read(at, _SEGMENT.size * min(number, _MOST_SEGMENTS))
    return type, parse_segments(raw)


def parse_segments(raw: bytes) -> List[Segment]:
    """The program headers in a table of them."""
    found: List[Segment] = []
    whole = len(raw) - len(raw) % _SEGMENT.size
    for kind, flags, offset, address, _, file_size, size, _ in _SEGMENT.iter_unpack(raw[:whole]):
        found.append(Segment(kind, flags, offset, address, file_size, size))
    return found


def notes(raw: bytes) -> Iterator[Tuple[bytes, int, bytes]]:
    """(name, type, contents) of each note that is there whole."""
    at = 0
    while at + _NOTE.size <= len(raw):
        name_size, size, type = _NOTE.unpack_from(raw, at)
        at += _NOTE.size
        body = at + (name_size + 3 & ~3)
        if body + size > len(raw):
            return
        yield raw[at : at + name_size].rstrip(b"\0"), type, raw[body : body + size]
        at = body + (size + 3 & ~3)


def build_ids(raw: bytes) -> Dict[str, bytes]:
    """The build ids among notes: the linker's and Go's."""
    found: Dict[str, bytes] = {}
    for name, type, contents in notes(raw):
        kind = {(b"GNU", 3): "GNU", (b"Go", 4): "Go"}.get((name, type))
        if kind is not None and contents:
            found.setdefault(kind, contents)
    return found


class ElfFile:
    """An ELF file on this machine; close() it.

    :raises OSError: if it cannot be opened
    """

    def __init__(self, path: str) -> None:
        self._file = open(path, "rb")
        self._file.seek(0, 2)
        self.length = self._file.tell()
        self.type, self.segments = segments(self.read)

    def read(self, offset: int, size: int) -> bytes:
        """So many bytes, or fewer where the file ends."""
        if not 0 <= offset < self.length or size <= 0:
            return b""
        self._file.seek(offset)
        return self._file.read(min(size, self.length - offset))

    def notes_of(self, segment: Segment) -> bytes:
        """The bytes of a segment of notes."""
        return self.read(segment.offset, min(segment.file_size, _MOST_NOTES))

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


def build_ids_of_file(path: str) -> Dict[str, bytes]:
    """The build ids in a program's file; none where it cannot be read."""
    found: Dict[str, bytes] = {}
    try:
        file = ElfFile(path)
    except OSError:
        return found
    try:
        for segment in file.segments:
            if segment.type == NOTE:
                found.update(build_ids(file.notes_of(segment)))
    except OSError:
        pass
    finally:
        file.close()
    return found


def first_segment(found: List[Segment]) -> Optional[Segment]:
    """The one with the program's first byte."""
    loads = sorted((s for s in found if s.type == LOAD), key=lambda segment: segment.address)
    return loads[0] if loads else None
