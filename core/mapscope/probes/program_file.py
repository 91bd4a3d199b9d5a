# SPDX-License-Identifier: MIT
"""A program's file as a Target: its memory is what the file has, and nothing runs.

Of a position-independent program addresses are those as linked, and pointers are filled in as the
loader would (R_X86_64_RELATIVE in elf(5)'s .rela sections).
"""

import struct
from typing import Iterator, List, Optional, Tuple

from ..errors import MemoryUnreadable, NotAMap, UsageError
from ..program.elf_file import LOAD, ElfFile, first_segment
from ..program.loaded_files import LoadedFile
from ..program.target import CodeFile, Frame, Section, Target, Thread, Variable
from ..program.types import Type
from ..program.values import named

#: an entry of .rela.dyn: offset, type and symbol, addend; the type of one that needs no symbol
_RELATION = struct.Struct("<QQq")
_RELATIVE = 8
#: bytes of a file that are kept
_MOST_BYTES = 1 << 31


class ProgramFile(Target):
    """A program that does not run.

    :ivar path: of the file; "": there is none
    :ivar file: the file; None: there is none
    :raises UsageError: if it is no program of x86-64, or cannot be read
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.file: Optional[LoadedFile] = None
        self.moves = False
        self._segments: List[Tuple[int, bytearray, int]] = []
        if path:
            try:
                self._open(path)
            except OSError as error:
                reason = error.strerror or str(error)
                raise UsageError(f"cannot read {named(path)}: {reason}") from None
            except (ValueError, OverflowError):
                raise UsageError(f"{named(path)} is damaged: it is no whole ELF file") from None

    def _open(self, path: str) -> None:
        elf = ElfFile(path)
        try:
            if first_segment(elf.segments) is None:
                raise UsageError(f"{named(path)} is no program of x86-64: no ELF file with code")
            if elf.length > _MOST_BYTES:
                raise UsageError(f"{named(path)} is too large: {elf.length} bytes")
            self.moves = elf.type == 3
            for segment in elf.segments:
                if segment.type == LOAD:
                    raw = bytearray(elf.read(segment.offset, segment.file_size))
                    self._segments.append((segment.address, raw, segment.size))
        finally:
            elf.close()
        self.file = LoadedFile(path, path, 0, elf.segments)
        if self.moves:
            self._relocate(self.file.section(".rela.dyn") + self.file.section(".rela"))

    def _relocate(self, relations: bytes) -> None:
        whole = len(relations) - len(relations) % _RELATION.size
        for place, info, addend in _RELATION.iter_unpack(relations[:whole]):
            if info & 0xFFFFFFFF != _RELATIVE:
                continue
            for start, raw, _ in self._segments:
                if start <= place <= start + len(raw) - 8:
                    struct.pack_into("<q", raw, place - start, addend)

    def offset_of(self, address: int) -> int:
        """Where in the file an address as linked is; the address where that is nowhere."""
        for segment in self.file.segments if self.file is not None else ():
            if 0 <= address - segment.address < segment.file_size:
                return segment.offset + address - segment.address
        return address

    # --- Target ---

    def read_memory(self, address: int, size: int) -> memoryview:
        for start, raw, length in self._segments:
            at = address - start
            if 0 <= at and at + size <= length:
                if at + size <= len(raw):
                    return memoryview(raw)[at : at + size]
                if size <= 1 << 20:  # what the program's start fills with zeros
                    return memoryview(bytes(raw[at : at + size]).ljust(size, b"\0"))
        raise MemoryUnreadable(address, size)

    def has_memory(self) -> bool:
        return self.file is not None

    def architecture(self) -> str:
        return "x86-64"

    def sections(self) -> List[Section]:
        return [] if self.file is None else list(self.file.sections(""))

    def code_file(self, address: int) -> Optional[CodeFile]:
        return self.file if self.file is not None and self.file.holds(address) else None

    def symbols(self, name: str) -> List[int]:
        found = [] if self.file is None else self.file.symbols.named(name)
        return [symbol.address for symbol in found[:1]]

    def symbol_at(self, address: int) -> Optional[str]:
        found = None if self.file is None else self.file.symbols.at(address)
        return None if found is None else found.name

    def evaluate(self, expression: str) -> Variable:
        raise NotAMap("a file has no variables: the program does not run")

    def find_type(self, name: str) -> Optional[Type]:
        return None

    def selected_frames(self) -> Iterator[Frame]:
        return iter(())

    def runtime_frames(self) -> Iterator[Frame]:
        return iter(())

    def threads(self) -> Iterator[Thread]:
        return iter(())

    def global_maps(self) -> List[Tuple[str, Variable]]:
        return []

    def frame_maps(self) -> List[Tuple[str, Variable]]:
        return []

    def format_value(self, type: Type, address: Optional[int], data: bytes) -> str:
        return "?"

    def element_limit(self) -> int:
        return 0
