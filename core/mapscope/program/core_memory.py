# SPDX-License-Identifier: MIT
"""The memory, the threads and the mapped files of a process that a core file was made of.

Facts: core(5); fs/binfmt_elf.c (NT_FILE), struct elf_prstatus in include/linux/elfcore.h and
struct user_regs_struct in arch/x86/include/asm/user_64.h of Linux.
"""

import os
import struct
from bisect import bisect_right
from typing import Dict, Iterator, List, Sequence, Tuple

from ..errors import MemoryUnreadable
from .core_file import CoreFile
from .elf_file import NOTE, ElfFile, notes
from .loaded_files import LoadedFile, Mapping

_NT_PRSTATUS, _NT_AUXV, _NT_FILE = 1, 6, 0x46494C45
_AT_PHDR, _AT_SYSINFO_EHDR = 3, 33
#: of struct elf_prstatus: the thread's id, and its registers
_PID, _REGISTERS = 32, 112
#: struct user_regs_struct
NAMES = (
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
    "fs_base gs_base ds es fs gs"
).split()
_USER = struct.Struct(f"<{len(NAMES)}Q")
#: threads, and mapped files, that are taken from a core at most
_MOST_THREADS, _MOST_FILES = 1 << 16, 1 << 18

#: a thread's id of the kernel, and its registers
Registers = Tuple[int, Dict[str, int]]


def registers_of(raw: bytes) -> Dict[str, int]:
    """Registers by name, of the kernel's table of them; none where it is not whole."""
    return {} if len(raw) < _USER.size else dict(zip(NAMES, _USER.unpack_from(raw)))


class CoreMemory:
    """A process by its core file; close() it.

    :ivar core: what of its memory is known
    :ivar threads: in the file's order, the one that the process died of first
    :ivar mappings: of files, by address
    :ivar headers: address of the program's own headers; 0: not known
    :ivar shared: where the kernel has put its own code for the process; 0: not known
    :raises OSError: if the file cannot be read
    :raises ValueError: if it is no core file of x86-64
    """

    def __init__(self, path: str) -> None:
        self.core = CoreFile(path)
        self.threads: List[Registers] = []
        self.mappings: List[Mapping] = []
        self.headers = self.shared = 0
        self._starts = [segment.address for segment in self.core.segments]
        self._files: List[LoadedFile] = []
        self._opened: Dict[str, int] = {}
        self._writable: List[Tuple[int, int]] = []
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.length = os.fstat(self._file).st_size
        file = ElfFile(path)
        try:
            for segment in file.segments:
                if segment.type == NOTE:
                    self._read_notes(file.notes_of(segment))
            ends = [segment.offset + segment.file_size for segment in file.segments]
        finally:
            file.close()
        #: bytes that the file should have
        self.whole = max(ends, default=0)

    def _read_notes(self, raw: bytes) -> None:
        for name, type, contents in notes(raw):
            if name != b"CORE":
                continue
            if type == _NT_PRSTATUS and len(self.threads) < _MOST_THREADS:
                if len(contents) >= _REGISTERS + _USER.size:
                    kernel_id = int.from_bytes(contents[_PID : _PID + 4], "little")
                    self.threads.append((kernel_id, registers_of(contents[_REGISTERS:])))
            elif type == _NT_AUXV and not self.headers:
                for key, value in struct.iter_unpack("<QQ", contents[: len(contents) & ~15]):
                    if key == _AT_PHDR:
                        self.headers = value
                    elif key == _AT_SYSINFO_EHDR:
                        self.shared = value
            elif type == _NT_FILE and not self.mappings:
                self.mappings = sorted(_mapped(contents), key=lambda mapping: mapping.start)

    def use(self, files: Sequence[LoadedFile]) -> None:
        """Take from these files what the core lacks of them."""
        self._files = list(files)
        self._writable = [one for file in self._files for one in file.writable()]

    def read(self, address: int, size: int) -> bytes:
        """Exactly so many bytes.

        :raises MemoryUnreadable: if they are not known
        """
        reason = self.core.lacks(address, size, lambda: self._writable)
        if reason:
            raise MemoryUnreadable(address, size, reason)
        pieces: List[bytes] = []
        at, end = address, address + size
        while at < end:
            piece = self._held(at, end - at) or self._of_file(at, end - at)
            if not piece:
                raise MemoryUnreadable(address, size)
            pieces.append(piece)
            at += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def some(self, address: int, size: int) -> bytes:
        """The same, or nothing."""
        try:
            return self.read(address, size)
        except MemoryUnreadable:
            return b""

    def _held(self, address: int, size: int) -> bytes:
        """As much of it as the core has from its beginning on."""
        number = bisect_right(self._starts, address) - 1
        if number < 0:
            return b""
        segment = self.core.segments[number]
        into = address - segment.address
        left = min(segment.file_size, segment.size, self.length - segment.offset) - into
        if left <= 0:
            return b""
        return os.pread(self._file, min(size, left), segment.offset + into)

    def _of_file(self, address: int, size: int) -> bytes:
        """As much of it as a file has from its beginning on, up to where the core has more."""
        number = bisect_right(self._starts, address)
        if number < len(self._starts):
            size = min(size, self._starts[number] - address)
        for file in self._files:
            at = address - file.bias
            for segment in file.segments:
                into = at - segment.address
                left = min(segment.file_size, segment.size) - into
                if into >= 0 and left > 0:
                    return self._from(file.path, segment.offset + into, min(size, left))
        return b""

    def _from(self, path: str, offset: int, size: int) -> bytes:
        try:
            if path not in self._opened:
                self._opened[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self._opened[path], size, offset)
        except OSError:
            return b""

    def close(self) -> None:
        """Give the files back."""
        for file in (self._file, *self._opened.values()):
            os.close(file)
        self._opened.clear()


def _mapped(raw: bytes) -> Iterator[Mapping]:
    """What a NT_FILE note lists; as much of it as is whole."""
    if len(raw) < 16:
        return
    count, page = struct.unpack_from("<QQ", raw)
    count = min(count, (len(raw) - 16) // 24, _MOST_FILES)
    names = raw[16 + 24 * count :].split(b"\0")
    for index, (start, end, offset) in enumerate(
        struct.iter_unpack("<QQQ", raw[16 : 16 + 24 * count])
    ):
        if index >= len(names):
            return
        yield Mapping(start, end, offset * page, os.fsdecode(names[index]))
