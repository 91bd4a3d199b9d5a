# SPDX-License-Identifier: MIT
"""The ELF files that a process consists of, found by what is mapped where: without a debugger.

Facts: core(5), proc(5) (/proc/PID/maps), getauxval(3) (AT_PHDR), and the layout of
/usr/lib/debug/.build-id that distributions use. A file on this machine counts only if its build id
is the one that the process's memory has, as far as that can be read.
"""

import os
from typing import Callable, Dict, Hashable, Iterator, List, Optional, Sequence, Tuple

from ..errors import MemoryUnreadable
from ..records import dataclass
from .elf_file import (
    LOAD,
    NOTE,
    PHDR,
    ElfFile,
    Segment,
    build_ids,
    build_ids_of_file,
    first_segment,
    parse_segments,
)
from .elf_sections import ElfSections
from .elf_symbols import ElfSymbols, Symbol
from .memory import Buffer
from .target import CodeFile, Section

_INFO = ".debug_info"
_DEBUG_FOLDER = "/usr/lib/debug/.build-id"
_PAGE = 4096
#: a program header of .eh_frame_hdr
_UNWIND = 0x6474E550
#: bytes of a note that are compared
_MOST_NOTES = 1 << 16


@dataclass(frozen=True)
class Mapping:
    """A part of a file in memory.

    :ivar offset: in the file
    :ivar path: as the process knows it
    """

    start: int
    end: int
    offset: int
    path: str


class LoadedFile(CodeFile):
    """An ELF file of the process.

    :ivar path: where it can be read now
    :ivar headers: number of its program headers
    :ivar unwind_table: address of its .eh_frame_hdr; None: it has none
    :param name: as the process knows it
    """

    def __init__(self, path: str, name: str, bias: int, segments: Sequence[Segment]) -> None:
        self.path = path
        self.name = name
        self.bias = bias
        self.headers = len(segments)
        self.segments = [segment for segment in segments if segment.type == LOAD]
        self.unwind_table = next((s.address + bias for s in segments if s.type == _UNWIND), None)
        self._file = ElfSections(path)
        self._debug: Optional[ElfSections] = None
        self._symbols: Optional[ElfSymbols] = None
        self.identity: Hashable = (path, self._file.identity)

    @property
    def end(self) -> int:
        """The address where its last segment ends."""
        return self.bias + max((s.address + s.size for s in self.segments), default=0)

    def holds(self, address: int) -> bool:
        """Whether an address is in one of its segments."""
        at = address - self.bias
        return any(s.address <= at < s.address + s.size for s in self.segments)

    def section(self, name: str) -> bytes:
        return (self._described() if name.startswith(".debug") else self._file).section(name)

    def linked(self, name: str) -> Optional[int]:
        return self._file.addresses.get(name)

    def sections(self, name: str) -> Iterator[Section]:
        """Those that are in memory.

        :param name: what the file is called in them
        """
        for label, address, size, _ in self._file.loaded:
            yield Section(label, address + self.bias, address + self.bias + size, name)

    def writable(self) -> Iterator[Tuple[int, int]]:
        """Address ranges of the sections that the program writes to."""
        for _, address, size, writes in self._file.loaded:
            if writes:
                yield address + self.bias, address + self.bias + size

    @property
    def symbols(self) -> ElfSymbols:
        """Its symbols, as linked."""
        if self._symbols is None:
            whole = self._file if self._file.addresses.get(".symtab") is not None else None
            self._symbols = ElfSymbols(whole or self._separate() or self._file)
        return self._symbols

    def function_at(self, address: int) -> Optional[Symbol]:
        """The function that has the instruction at an address in memory."""
        return self.symbols.function_at(address - self.bias)

    def _described(self) -> ElfSections:
        """The file that has its debug information: itself, or one that was split off."""
        if _INFO in self._file.addresses or ".z" + _INFO[1:] in self._file.addresses:
            return self._file
        return self._separate() or self._file

    def _separate(self) -> Optional[ElfSections]:
        if self._debug is None:
            build_id = build_ids_of_file(self.path).get("GNU", b"").hex()
            path = f"{_DEBUG_FOLDER}/{build_id[:2]}/{build_id[2:]}.debug"
            try:
                self._debug = ElfSections(path) if len(build_id) > 2 else None
            except OSError:
                return None
        return self._debug


@dataclass(frozen=True)
class Found:
    """The files of a process.

    :ivar program: the one that was started; None: where it is in memory is not known
    :ivar files: the program first
    :ivar doubts: lines about files that are not those of the process
    :ivar another: whether memory has the headers of another program
    """

    program: Optional[LoadedFile]
    files: List[LoadedFile]
    doubts: List[str]
    another: bool


def kernels_code(read: Callable[[int, int], Buffer], base: int) -> Tuple[int, int, int]:
    """(start, end, address of its .eh_frame_hdr) of the code that the kernel maps into every
    process (vdso(7)); zeros where it is not known."""
    try:
        head = bytes(read(base, 64)) if base else b""
        if head[:6] != b"\x7fELF\x02\x01":
            return 0, 0, 0
        at, count = int.from_bytes(head[32:40], "little"), int.from_bytes(head[56:58], "little")
        found = parse_segments(bytes(read(base + at, 56 * min(count, 64))))
    except MemoryUnreadable:
        return 0, 0, 0
    first = first_segment(found)
    table = next((segment.address for segment in found if segment.type == _UNWIND), None)
    if first is None or table is None:
        return 0, 0, 0
    bias = base - first.address
    return base, base + first.size, table + bias


#: reads memory; fewer bytes where there are not so many
Read = Callable[[int, int], bytes]


def load(
    program: str,
    mappings: Sequence[Mapping],
    headers: int,
    read: Read,
    locate: Callable[[Mapping], str],
) -> Found:
    """The files of a process.

    :param program: path of the program
    :param mappings: by address
    :param headers: address of the program's own headers (AT_PHDR); 0: not known
    :param locate: where the file of a mapping can be read
    :raises OSError: if the program cannot be opened
    """
    own = _program(program, mappings, headers)
    files = [] if own is None else [own]
    doubts: List[str] = []
    segments: Dict[str, List[Segment]] = {}
    for mapping in mappings:
        if mapping.offset or any(
            file.bias + _first(file.segments) <= mapping.start < file.end for file in files
        ):
            continue
        path = locate(mapping)
        if path not in segments:
            segments[path] = _segments(path)
        first = first_segment(segments[path])
        if first is None or first.offset >= _PAGE:
            continue
        bias = mapping.start - (first.address & -_PAGE)
        if _differs(path, segments[path], bias, read):
            doubts.append(f"{mapping.path} is not the file that the process has loaded")
            continue
        try:
            files.append(LoadedFile(path, mapping.path, bias, segments[path]))
        except (OSError, ValueError):
            continue
    another = own is not None and bool(headers) and _is_another(own, headers, read)
    return Found(own, files, doubts, another)


def _first(segments: Sequence[Segment]) -> int:
    return min((segment.address for segment in segments), default=0) & -_PAGE


def _program(path: str, mappings: Sequence[Mapping], headers: int) -> Optional[LoadedFile]:
    """The program itself; None: where it is in memory is not known."""
    file = ElfFile(path)
    try:
        segments, kind = file.segments, file.type
    finally:
        file.close()
    first = first_segment(segments)
    if first is None:
        return None
    table = next((s.address for s in segments if s.type == PHDR), None)
    if table is None:  # it begins behind the file's header
        table = first.address - first.offset + 64
    if headers:
        bias = headers - table
    elif kind == 2:  # linked to where it is
        bias = 0
    else:
        base = os.path.basename(path)
        own = [m for m in mappings if not m.offset and os.path.basename(m.path) == base]
        if not own:
            return None
        bias = own[0].start - (first.address & -_PAGE)
    return LoadedFile(path, path, bias, segments)


def _is_another(program: LoadedFile, headers: int, read: Read) -> bool:
    """Whether memory has other headers than a program; False: the same, or they are not there.

    A build that differs a little is told by its build id alone.
    """
    raw = read(headers, 56 * program.headers)
    found = [(s.address, s.size) for s in parse_segments(raw) if s.type == LOAD]
    return bool(raw) and found != [(s.address, s.size) for s in program.segments]


def _segments(path: str) -> List[Segment]:
    try:
        file = ElfFile(path)
    except (OSError, ValueError):
        return []
    try:
        return file.segments
    except OSError:
        return []
    finally:
        file.close()


def _differs(path: str, segments: Sequence[Segment], bias: int, read: Read) -> bool:
    """Whether memory has the build id of another file; False: it has the same, or none."""
    in_memory: Dict[str, bytes] = {}
    for segment in segments:
        if segment.type == NOTE and segment.size <= _MOST_NOTES:
            in_memory.update(build_ids(read(segment.address + bias, segment.size)))
    mine = build_ids_of_file(path)
    return any(mine.get(kind, theirs) != theirs for kind, theirs in in_memory.items())
