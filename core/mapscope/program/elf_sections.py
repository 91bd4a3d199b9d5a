# SPDX-License-Identifier: MIT
"""Sections of an ELF file on this machine, by name, as bytes.

For a debugger that does not hand them out. Facts: elf(5), "Section header (Shdr)"; the gABI's
"Section Compression" (SHF_COMPRESSED); .zdebug_ of Go's linker before 1.19, of GNU's before
2.26. What is read may be damaged: it is bounded, and what is not there is empty.
"""

import os
import re
import struct
import zlib
from typing import Dict, Iterator, List, Tuple

from .elf_file import ElfFile

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_COMPRESSION = struct.Struct("<IIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_OBJECT = 1
#: names of variables; those of functions' own, of tables and of guards are not theirs
_NAME = re.compile(r"^(?!_Z(?:Z|GV|T))[\w.$]+$")
_NO_BITS, _COMPRESSED, _ZLIB = 8, 0x800, 1
#: flags of a section
_WRITABLE, _ALLOCATED, _THREAD_LOCAL = 1, 2, 0x400
#: sections of a file, bytes of their names, and of one section, at most
_MOST_SECTIONS, _MOST_NAMES, _MOST_BYTES = 1 << 16, 1 << 22, 1 << 30


class ElfSections:
    """The sections of a file.

    :ivar addresses: of each, as linked, by name
    :ivar loaded: (name, address as linked, bytes, whether the program writes to it) of those that
        are in memory for every thread
    :ivar identity: changes when the file does
    :raises OSError: if it cannot be opened
    """

    def __init__(self, path: str) -> None:
        self.path = path
        state = os.stat(path)
        self.identity = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
        #: name -> (flags, offset, size) of those that have bytes in the file
        self._places: Dict[str, Tuple[int, int, int]] = {}
        self.addresses: Dict[str, int] = {}
        self.loaded: List[Tuple[str, int, int, bool]] = []
        file = ElfFile(path)
        try:
            self._read_headers(file)
        finally:
            file.close()

    def _read_headers(self, file: ElfFile) -> None:
        head = file.read(0, _HEADER.size)
        if len(head) < _HEADER.size or head[:6] != b"\x7fELF\x02\x01":
            return
        fields = _HEADER.unpack(head)
        start, size, count, names_at = fields[6], fields[11], fields[12], fields[13]
        if size != _SECTION.size or not start:
            return
        if count == 0:  # there are more than the header can say: the first section has it
            first = file.read(start, size)
            count = _SECTION.unpack(first)[5] if len(first) == size else 0
        raw = file.read(start, size * min(count, _MOST_SECTIONS))
        headers = list(_SECTION.iter_unpack(raw[: len(raw) - len(raw) % size]))
        if names_at >= len(headers):
            return
        names = file.read(headers[names_at][4], min(headers[names_at][5], _MOST_NAMES))
        for name_at, kind, flags, address, offset, length, *_ in headers:
            end = names.find(b"\0", name_at)
            name = names[name_at : end if end >= 0 else None].decode("utf-8", "replace")
            self.addresses.setdefault(name, address)
            if flags & _ALLOCATED and not (flags & _THREAD_LOCAL and kind == _NO_BITS):
                self.loaded.append((name, address, length, bool(flags & _WRITABLE)))
            if kind != _NO_BITS:
                self._places.setdefault(name, (flags, offset, length))

    def section(self, name: str) -> bytes:
        """What a section holds, uncompressed; nothing where there is none."""
        place, old = self._places.get(name), False
        if place is None and name.startswith(".debug_"):
            place, old = self._places.get(".z" + name[1:]), True
        if place is None or place[2] > _MOST_BYTES:
            return b""
        flags, offset, size = place
        try:
            file = ElfFile(self.path)
        except OSError:
            return b""
        try:
            raw = file.read(offset, size)
        finally:
            file.close()
        if old:
            if raw[:4] != b"ZLIB" or len(raw) < 12:
                return raw
            return _inflated(raw[12:], int.from_bytes(raw[4:12], "big"))
        if flags & _COMPRESSED:
            if len(raw) < _COMPRESSION.size:
                return b""
            kind, _, whole, _ = _COMPRESSION.unpack_from(raw)
            return _inflated(raw[_COMPRESSION.size :], whole) if kind == _ZLIB else b""
        return raw


def data_symbols(path: str, text: int) -> Iterator[Tuple[str, int]]:
    """(name, address) of a file's variables, as its linker has them.

    :param text: where the section .text is in memory
    :raises OSError: if the file cannot be opened
    """
    sections = ElfSections(path)
    linked = sections.addresses.get(".text")
    if linked is None:
        return
    raw, names = sections.section(".symtab"), sections.section(".strtab")
    for at, info, _, index, value, _ in _SYMBOL.iter_unpack(raw[: len(raw) - len(raw) % 24]):
        if info & 15 != _OBJECT or not index:
            continue
        end = names.find(b"\0", at)
        name = names[at : end if end >= 0 else None].decode("utf-8", "replace")
        if name and _NAME.match(name):
            yield name, value - linked + text


def _inflated(raw: bytes, size: int) -> bytes:
    """So many bytes out of a compressed piece; none where it has others."""
    if size > _MOST_BYTES:
        return b""
    try:
        found = zlib.decompressobj().decompress(raw, size) if size else b""
    except zlib.error:
        return b""
    return found if len(found) == size else b""
