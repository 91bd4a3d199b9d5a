# SPDX-License-Identifier: MIT
"""Files of a process that hold Go code, a program, a library or a plugin: found by the table of
functions that each has, and the version and kind of maps that this table tells.

Go needs the table at run time, so no linker and no option removes it; its header says what it is
(pcHeader in runtime/symtab.go). A section's name tells where to look first, no more: linkers other
than Go's put the table into .data.rel.ro. A version text can be anything (-X
runtime.buildVersion=...), so it counts only as far as the functions don't contradict it.
"""

import re
import struct
from functools import lru_cache
from itertools import groupby
from typing import Dict, FrozenSet, Iterator, List, Optional, Sequence, Tuple

from ..errors import MemoryUnreadable
from ..program.memory import Memory
from ..program.target import Section, Target
from ..records import dataclass
from . import layouts

#: of Go's linker for the table of functions, the second in position-independent programs
_TABLES = (".gopclntab", ".data.rel.ro.gopclntab")
#: sections that only Go's linker makes: the table is in another one of the same file
_HINTS = (".go.buildinfo", ".go.module", ".noptrdata", ".noptrbss", ".note.go.buildid")
#: sections that no other linker puts the table into
_ELSEWHERE = re.compile(
    r"\.(text|plt|got|bss|noptrbss|tbss|dyn|gnu|rela|init|fini|interp|note|eh_frame|debug)"
)
#: a header: magic, two zeros, the smallest instruction, bytes of a pointer
HEADER = re.compile(rb"[\xf0\xf1\xfa]\xff\xff\xff\x00\x00\x01\x08")
_HEADER_SIZE = 72
#: bytes of a table of functions, of its names, and of sections that are searched, at most
_MOST_BYTES, _MOST_NAMES, _MOST_SEARCHED = 1 << 32, 1 << 28, 1 << 28
#: bytes of the names that tell one table from another
_HEAD_OF_NAMES = 4096


@dataclass(frozen=True)
class Image:
    """A file of the process that holds Go code.

    :ivar header: address of the header of its table of functions; 0: only symbols tell of it
    :ivar raw: that header; empty where it is none that is known
    """

    header: int
    raw: bytes
    sections: Tuple[Section, ...]

    def holds(self, address: int) -> bool:
        """Whether an address is in one of its sections."""
        return any(section.start <= address < section.end for section in self.sections)

    @property
    def file(self) -> str:
        """Its name; "": the program's own, or not told."""
        return self.sections[0].file if self.sections else ""

    @property
    def versions(self) -> Tuple[int, int]:
        """Oldest and newest version, the N of go1.N, that has such a table; any: not known."""
        magic = struct.unpack_from("<I", self.raw)[0] if self.raw else 0
        return layouts.MAGIC_VERSIONS.get(magic, (0, 1 << 16))

    def names(self) -> Tuple[int, int]:
        """Address and size of the names of its functions; (0, 0): not known."""
        if not self.raw:
            return 0, 0
        # pcHeader has textStart since 1.18
        at = 24 if self.versions[1] <= 17 else 32
        first, end = struct.unpack_from("<QQ", self.raw, at)
        return self.header + first, end - first


def is_header(raw: bytes) -> bool:
    """Whether a table of functions begins with these bytes."""
    if len(raw) < _HEADER_SIZE or HEADER.match(raw) is None:
        return False
    functions, files = struct.unpack_from("<QQ", raw, 8)
    offsets = struct.unpack_from("<5Q", raw, 24 if raw[0] == 0xFA else 32)
    return (
        0 < functions < 1 << 24
        and files < 1 << 24
        and list(offsets) == sorted(offsets)
        and _HEADER_SIZE - 8 <= offsets[0]
        and offsets[4] < _MOST_BYTES
    )


def find_images(target: Target, memory: Memory) -> List[Image]:
    """Every file of the process that holds Go code, the program's own first."""
    found: List[Image] = []
    for _, group in groupby(target.sections(), lambda section: section.file):
        found += _images_of(tuple(group), memory)
    if not found and any(map(target.symbols, ("runtime.firstmoduledata", "runtime.buildVersion"))):
        # no section is known of it
        found.append(Image(0, b"", tuple(target.sections())))
    return found


def _images_of(sections: Tuple[Section, ...], memory: Memory) -> Iterator[Image]:
    """Those of one file; two where it is loaded twice."""
    named = [section for section in sections if section.name in _TABLES]
    found = False
    for section in named:
        raw = _header_at(memory, section.start)
        if raw:
            found = True
            yield Image(section.start, raw, sections)
    if found:
        return
    if named or any(section.name in _HINTS for section in sections):
        for address, raw in _searched(sections, memory):
            found = True
            yield Image(address, raw, sections)
    for section in named if not found else ():
        # perhaps one whose first word was changed: the module data will tell
        yield Image(section.start, b"", sections)


def _header_at(memory: Memory, address: int) -> bytes:
    try:
        raw = memory.read(address, _HEADER_SIZE)
    except MemoryUnreadable:
        return b""
    return raw if is_header(raw) else b""


def _searched(sections: Sequence[Section], memory: Memory) -> Iterator[Tuple[int, bytes]]:
    """Headers in sections of data, with their addresses."""
    left = _MOST_SEARCHED
    for section in sections:
        size = section.end - section.start
        if _ELSEWHERE.match(section.name) or size > left:
            continue
        left -= size
        try:
            raw = bytes(memory.read_chunk(section.start, size))
        except MemoryUnreadable:
            continue
        for match in HEADER.finditer(raw):
            head = raw[match.start() : match.start() + _HEADER_SIZE]
            if (section.start + match.start()) % 8 == 0 and is_header(head):
                yield section.start + match.start(), head


# --- what its functions tell ---

_SIGNS = (
    *(name for _, first, last in layouts.VERSION_SIGNS for name in (first, last) if name),
    layouts.CLASSIC_SIGN,
    layouts.SWISS_SIGN,
)
#: by what a table is told from others: of files, which do not change
_known: Dict[Tuple[bytes, int, int, bytes], FrozenSet[str]] = {}


def signs(image: Image, memory: Memory) -> FrozenSet[str]:
    """Functions by which versions and kinds differ that a file has; none: they are not known."""
    start, size = image.names()
    if not 0 < size <= _MOST_NAMES:
        return frozenset()
    try:
        head = memory.read(start, min(size, _HEAD_OF_NAMES))
        key = (image.raw, start, size, head)
        if key not in _known:
            raw = bytes(memory.read_chunk(start, size))
            while len(_known) >= 8:
                _known.pop(next(iter(_known)))
            _known[key] = frozenset(s for s in _SIGNS if b"\0" + s.encode() + b"\0" in raw)
        return _known[key]
    except MemoryUnreadable:
        return frozenset()


def range_of(image: Image, found: FrozenSet[str]) -> Tuple[int, int]:
    """Oldest and newest version, the N of go1.N, that a file's functions can be of."""
    oldest, newest = image.versions
    for minor, first, last in layouts.VERSION_SIGNS:
        if first in found:
            oldest = max(oldest, minor)
        if last in found:
            newest = min(newest, minor - 1)
    return oldest, newest


def estimated(oldest: int, newest: int, found: FrozenSet[str]) -> int:
    """The version, the N of go1.N, that functions tell; 0: none."""
    if newest > layouts.NEWEST and not found:
        return 0
    if newest <= 19:  # nothing tells the oldest apart
        return newest
    return min(max(oldest, layouts.OLDEST), newest)


def swiss_by(found: FrozenSet[str]) -> Optional[bool]:
    """Whether maps are Swiss ones; None: functions do not tell."""
    classic, swiss = layouts.CLASSIC_SIGN in found, layouts.SWISS_SIGN in found
    return None if classic == swiss else swiss


@lru_cache(maxsize=64)
def told_minor(text: str) -> int:
    """The N of a version text, "go1.N"; 0: it is none."""
    match = re.match(r"(?:devel )?go1\.(\d{1,4})", text)
    return int(match.group(1)) if match else 0
