# SPDX-License-Identifier: MIT
"""Goroutines: which one a thread runs, and all of them.

Facts: runtime/runtime2.go (struct g), runtime/proc.go (allgs), runtime/tls_amd64.s and
cmd/internal/obj/x86 (g lies at fs:-8 on linux/amd64, and in R14 in Go code).
"""

import re
import struct
from typing import Callable, Iterator, List, Optional

from ..errors import MapscopeError, MemoryUnreadable
from ..program.memory import Memory
from ..records import dataclass
from . import layouts
from .functions import Functions

Word = Callable[[int], Optional[int]]
Register = Callable[[str], Optional[int]]

#: goroutines that a program is taken to have, at most
_MOST = 1 << 22
#: statuses of those that have ended, whose g is kept for others
_DEAD = ("_Gdead", "_Gdeadextra")
#: a move from or an address of rip + displacement
_RELATIVE = re.compile(
    rb"[\x48\x4c][\x8b\x8d\x89][\x05\x0d\x15\x1d\x25\x2d\x35\x3d](.{4})", re.DOTALL
)


@dataclass(frozen=True)
class Goroutine:
    """One goroutine.

    :ivar address: of its g
    :ivar status: as "_Gwaiting" (g.atomicstatus, without the collector's bit)
    """

    address: int
    id: int
    status: str


def find_g(word: Word, register: Register) -> Optional[int]:
    """The runtime.g of a thread.

    :param word: reads 8 bytes of memory; None: unreadable
    :param register: reads a register of the thread's innermost frame
    """
    fs_base = register("fs_base")
    for g in (word(fs_base - 8) if fs_base else None, register("r14")):
        if g and g % 8 == 0 and word(g) is not None:
            return g
    return None


def goid(word: Word, register: Register, minor: int) -> Optional[int]:
    """The id of the goroutine that a thread runs, on its own stack or on the system's; None:
    none, or not known."""
    g = find_g(word, register)
    if g is None:
        return None
    found = word(g + layouts.g(minor).at("goid"))
    if found == 0:  # the thread's own, g0: what it works for is m.curg
        current = running_for(word, g, minor)
        found = None if not current else word(current + layouts.g(minor).at("goid"))
    return found if found is not None and 0 < found < 1 << 48 else None


def running_for(word: Word, g: int, minor: int) -> Optional[int]:
    """The g of the goroutine that a thread works for (g.m.curg); None or 0: for none."""
    m = word(g + layouts.g(minor).at("m"))
    return word(m + layouts.m(minor).at("curg")) if m else None


def kernel_thread(word: Word, g: int, minor: int) -> Optional[int]:
    """The kernel's id of the thread that runs a goroutine (g.m.procid); None or 0: not known."""
    m = word(g + layouts.g(minor).at("m"))
    return word(m + layouts.m(minor).at("procid")) if m else None


def all_goroutines(
    memory: Memory,
    minor: int,
    symbols: List[int],
    functions: Optional[Functions],
    unread: Optional[List[int]] = None,
) -> Iterator[Goroutine]:
    """Every goroutine that lives (runtime.allgs).

    :param symbols: where the linker's symbol runtime.allgs is
    :param functions: where there are no symbols: code that uses it
    :param unread: addresses of those that cannot be read are added here
    :raises MapscopeError: if they cannot be found
    """
    layout = layouts.g(minor)
    goid_at, status_at = layout.at("goid"), layout.at("atomicstatus")
    for place in symbols or _uses(memory, functions):
        found = _slice(memory, place, goid_at)
        if found is None:
            continue
        size = max(goid_at, status_at) + 8
        for g, raw in zip(found, memory.gather(found, size)):
            if raw is None:
                if unread is not None:
                    unread.append(g)
                continue
            number = struct.unpack_from("<Q", raw, goid_at)[0]
            status = struct.unpack_from("<I", raw, status_at)[0] & ~layouts.GSCAN
            name = layouts.STATUSES.get(status) or layouts.LATER_STATUSES.get(status)
            name = name or f"status {status}"
            if name not in _DEAD and 0 < number < 1 << 48:
                yield Goroutine(g, number, name)
        return
    raise MapscopeError("this program's goroutines (runtime.allgs) were not found")


def _slice(memory: Memory, place: int, goid_at: int) -> Optional[List[int]]:
    """The elements of a []*g; None: it is none, whose first is goroutine 1."""
    try:
        start, length, capacity = struct.unpack("<QQQ", memory.read(place, 24))
        if not 0 < length <= capacity or length > _MOST or start % 8:
            return None
        if memory.read_word(memory.read_word(start) + goid_at) != 1:
            return None
        raw = bytes(memory.read_chunk(start, 8 * length))
    except MemoryUnreadable:
        return None
    return list(dict.fromkeys(memoryview(raw).cast("Q")))  # none is there twice


def _uses(memory: Memory, functions: Optional[Functions]) -> Iterator[int]:
    """Addresses that runtime.allgadd, which appends to allgs, uses."""
    start = None if functions is None else functions.address_of("runtime.allgadd")
    if start is None:
        return
    try:
        code = memory.read(start, 512)
    except MemoryUnreadable:
        return
    for match in _RELATIVE.finditer(bytes(code)):
        yield start + match.end() + struct.unpack("<i", match[1])[0]
