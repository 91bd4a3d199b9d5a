# SPDX-License-Identifier: MIT
"""Sections of ELF files of x86-64, by name, read from the files themselves.

Facts: elf(5); System V ABI, chapter 4, "Section compression"; .zdebug_* as Go's linker wrote it
until 1.18 (cmd/link/internal/ld/dwarf.go).
"""

import os
import struct
import zlib
from typing import Dict, NamedTuple, Optional

from .elf_file import ElfFile

_SECTION = struct.Struct("<IIQQQQIIQQ")
_COMPRESSED, _NOBITS = 0x800, 8
#: bytes of a section, unpacked, and sections of a file, at most
_MOST_BYTES, _MOST_SECTIONS = 1 << 31, 1 << 16


class ElfSection(NamedTuple):
    """A section's header.

    :ivar address: as linked
    """

    type: int
    flags: int
    address: int
    offset: int
    size: int


class ElfSections:
    """The sections of a file.

    :ivar identity: changes when the file does
    :raises OSError: if it cannot be opened
    """

    def __init__(self, path: str) -> None:
        self._path = path
        state = os.stat(path)
        self.identity = hash((state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns))
        file = ElfFile(path)
        try:
            self._sections = _sections(file)
        finally:
            file.close()

    def find(self, name: str) -> Optional[ElfSection]:
        """The section with a name."""
        return self._sections.get(name)

    def contents(self, name: str) -> bytes:
        """Its bytes, unpacked; none where it is not there or cannot be read.

        :param name: as .debug_info; .zdebug_info is found, too
        """
        section = self.find(name)
        if section is None and name.startswith(".debug_"):
            return _unpacked(self._read(self.find(".z" + name[1:])), 12)
        raw = self._read(section)
        if section is not None and section.flags & _COMPRESSED:
            kind = struct.unpack_from("<I", raw)[0] if len(raw) >= 24 else 0
            return _unpacked(raw, 24) if kind == 1 else b""
        return raw

    def _read(self, section: Optional[ElfSection]) -> bytes:
        if section is None or section.type == _NOBITS or section.size > _MOST_BYTES:
            return b""
        try:
            file = ElfFile(self._path)
        except OSError:
            return b""
        try:
            return file.read(section.offset, section.size)
        finally:
            file.close()


def _unpacked(raw: bytes, header: int) -> bytes:
    """What zlib has packed behind a header that tells how much it is."""
    unpacker = zlib.decompressobj()
    try:
        return unpacker.decompress(raw[header:], _MOST_BYTES) if len(raw) > header else b""
    except zlib.error:
        return b""


def _sections(file: ElfFile) -> Dict[str, ElfSection]:
    head = file.read(0, 64)
    if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01":
        return {}
    table = struct.unpack_from("<Q", head, 40)[0]
    size, count, names_at = struct.unpack_from("<HHH", head, 58)
    if size != _SECTION.size:
        return {}
    raw = file.read(table, size * min(count, _MOST_SECTIONS))
    headers = list(_SECTION.iter_unpack(raw[: len(raw) - len(raw) % size]))
    if names_at >= len(headers):
        return {}
    names = file.read(headers[names_at][4], min(headers[names_at][5], 1 << 24))
    found: Dict[str, ElfSection] = {}
    for name, kind, flags, address, offset, length, *_ in headers:
        end = names.find(b"\0", name)
        text = names[name : max(end, name)].decode("utf-8", "replace")
        found.setdefault(text, ElfSection(kind, flags, address, offset, length))
    return found
