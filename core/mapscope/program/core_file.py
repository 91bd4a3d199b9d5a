# SPDX-License-Identifier: MIT
"""Which memory of a process a core file really has.

A debugger fills what a core lacks from the program's file. That is right for constants and code,
and for what the program never wrote to; of anything else the file has what was there before the
start: a nil map, a count of 0. Facts: core(5); fs/binfmt_elf.c of Linux (vma_dump_size,
fill_files_note, fill_auxv_note).
"""

import os
import struct
from bisect import bisect_right
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from .elf_file import (
    LOAD,
    NOTE,
    ElfFile,
    Segment,
    build_ids,
    build_ids_of_file,
    first_segment,
    notes,
    parse_segments,
)

_CORE = 4  # e_type
_NT_AUXV, _NT_FILE = 6, 0x46494C45
_AT_PHDR, _AT_PHENT, _AT_PHNUM = 3, 4, 5
#: bytes of a program's notes that are looked at for its build id
_MOST_NOTES = 1 << 16
#: program headers that a program has at most
_MOST_HEADERS = 1024

#: start and end of an address range
Range = Tuple[int, int]

#: what is said of memory that a core has not: the file ends before it; it was not saved
TRUNCATED = "the core has not this memory (truncated?)"
LEFT_OUT = "the core has not this memory (coredump_filter?)"


class CoreFile:
    """A core file of the kernel's form, taken apart.

    :ivar segments: the process's memory, by address
    :raises OSError: if the file cannot be read
    :raises ValueError: if it is no such file
    """

    def __init__(self, path: str) -> None:
        file = ElfFile(path)
        try:
            if file.type != _CORE:
                raise ValueError("no core file of x86-64")
            self.path = path
            self._length = file.length
            loads = [s for s in file.segments if s.type == LOAD and s.size]
            self.segments = sorted(loads, key=lambda s: s.address)
            self._starts = [s.address for s in self.segments]
            self._files, self._aux = _notes(file)
            #: whether memory that the program had written to was saved at all
            self._saved_written = any(
                s.writable and s.file_size and not self._is_of_file(s.address)
                for s in self.segments
            )
            self.build_ids = self._find_build_ids(file)
            #: what was said of programs: by path, size and time of the last change
            self._misfits: Dict[Tuple[str, int, int], str] = {}
        finally:
            file.close()

    def lacks(
        self, address: int, size: int, writable: Callable[[], Sequence[Range]]
    ) -> Optional[str]:
        """Why memory is not known from this core; None: it is there, or the program's file has
        what was there.

        :param writable: gives the address ranges of the sections that a program writes to
        """
        for at, end, segment in self._pieces(address, size):
            first, was_saved, writes = at, False, False
            if segment is not None:
                first = max(at, segment.address + self._held(segment))
                was_saved = segment.address + segment.file_size > first
                writes = segment.writable or (bool(self._files) and not self._is_of_file(first))
            if first >= end:
                continue
            if not was_saved and self._saved_written and self._is_of_file(first):
                continue  # what was never written to is left out
            if writes or any(start < end and first < stop for start, stop in writable()):
                return TRUNCATED if was_saved else LEFT_OUT
        return None

    def _pieces(self, address: int, size: int) -> Iterator[Tuple[int, int, Optional[Segment]]]:
        """(start, end, segment) of the parts of a range; None: no segment is there."""
        at, end = address, address + size
        while at < end:
            number = bisect_right(self._starts, at)
            segment = self.segments[number - 1] if number else None
            if segment is None or at >= segment.address + segment.size:
                following = self._starts[number] if number < len(self._starts) else end
                segment, stop = None, min(end, following)
            else:
                stop = min(end, segment.address + segment.size)
            yield at, stop, segment
            at = stop

    def _held(self, segment: Segment) -> int:
        """Bytes of a segment that the file has."""
        return max(0, min(segment.file_size, segment.size, self._length - segment.offset))

    def _is_of_file(self, address: int) -> bool:
        """Whether a file is mapped there."""
        at = bisect_right(self._files, (address, 1 << 64)) - 1
        return at >= 0 and address < self._files[at][1]

    # --- the program ---

    def misfit(self, program: str) -> str:
        """One line for a core that is of another program than the one loaded, by their build
        ids; "" where it is not, or where there are none to compare.

        :param program: its path
        """
        try:
            about = os.stat(program)
        except OSError:
            return ""
        key = (program, about.st_size, about.st_mtime_ns)
        if key not in self._misfits:
            self._misfits[key] = self._compared(program)
        return self._misfits[key]

    def _compared(self, program: str) -> str:
        mine = build_ids_of_file(program)
        for kind, theirs in self.build_ids.items():
            if kind in mine and mine[kind] != theirs:
                return (
                    f"the core is of another build of the program than {program} is (build ids of "
                    f"{kind} {_shown(kind, theirs)} and {_shown(kind, mine[kind])}): what is shown "
                    "may be wrong; load the program that the core was made by"
                )
        return ""

    def _read(self, file: ElfFile, address: int, size: int) -> bytes:
        """Memory that the file has; empty: it has not all of it."""
        number = bisect_right(self._starts, address) - 1
        if number < 0 or size <= 0:
            return b""
        segment = self.segments[number]
        if address + size > segment.address + self._held(segment):
            return b""
        return file.read(segment.offset + address - segment.address, size)

    def _find_build_ids(self, file: ElfFile) -> Dict[str, bytes]:
        """Those of the program that the core is of, by its own first pages."""
        at, number = self._aux.get(_AT_PHDR, 0), self._aux.get(_AT_PHNUM, 0)
        if not at or not 0 < number <= _MOST_HEADERS or self._aux.get(_AT_PHENT) != 56:
            return {}
        headers = parse_segments(self._read(file, at, 56 * number))
        first = first_segment(headers)
        place = bisect_right(self._files, (at, 1 << 64)) - 1
        if first is None or place < 0 or at >= self._files[place][1]:
            return {}
        bias = self._files[place][0] - (first.address & ~4095)
        found: Dict[str, bytes] = {}
        for segment in headers:
            if segment.type == NOTE and segment.size <= _MOST_NOTES:
                found.update(build_ids(self._read(file, segment.address + bias, segment.size)))
        return found


def _notes(file: ElfFile) -> Tuple[List[Range], Dict[int, int]]:
    """(address ranges of mapped files, the auxiliary vector)"""
    from_note: Dict[int, bytes] = {}
    for segment in file.segments:
        if segment.type == NOTE:
            for name, type, contents in notes(file.notes_of(segment)):
                if name == b"CORE" and type in (_NT_AUXV, _NT_FILE):
                    from_note.setdefault(type, contents)
    raw = from_note.get(_NT_FILE, b"")
    files: List[Range] = []
    if len(raw) >= 16:
        number = min(int.from_bytes(raw[:8], "little"), (len(raw) - 16) // 24)
        for start, end, _ in struct.iter_unpack("<QQQ", raw[16 : 16 + 24 * number]):
            files.append((start, end))
    raw = from_note.get(_NT_AUXV, b"")
    aux: Dict[int, int] = {}
    for key, value in struct.iter_unpack("<QQ", raw[: len(raw) & ~15]):
        aux[key] = value
    return sorted(files), aux


def _shown(kind: str, build_id: bytes) -> str:
    """The beginning of a build id."""
    text = build_id.hex() if kind == "GNU" else build_id.decode("ascii", "replace")
    return text[:16] + ("..." if len(text) > 16 else "")
