# SPDX-License-Identifier: MIT
"""Reading a process: large pieces as they are, small ones through a cache.

One Memory serves one command while the process is stopped; it never outlives
the command, so nothing it remembers can be stale.
"""

import struct
from collections import OrderedDict
from typing import Callable, List, Optional, Sequence, Tuple, Union

from .errors import MemoryUnreadable

#: bytes of one read in a walk; gdb and the kernel gain nothing from more
CHUNK = 1 << 20
#: bytes of a cached page: small enough for scattered reads to stay cheap,
#: large enough for neighbours (overflow buckets, strings) to come along
PAGE = 32768
#: bytes the cache may hold
CACHE_LIMIT = 96 << 20

#: addresses of x86-64 user space end here
ADDRESS_LIMIT = 1 << 47

_WORD = struct.Struct("<Q")

#: bytes, without a copy where the debugger can do without one
Buffer = Union[bytes, memoryview]


class Memory:
    """Bounded, cached reads of a stopped process.

    :param read: reads exactly (address, size) or raises MemoryUnreadable
    """

    def __init__(self, read: Callable[[int, int], Buffer]) -> None:
        self._read = read
        self._pages: "OrderedDict[int, bytes]" = OrderedDict()

    def read_chunk(self, address: int, size: int) -> memoryview:
        """A large piece, past the cache."""
        check_address(address, size)
        return memoryview(self._read(address, size)).cast("B")

    def read(self, address: int, size: int) -> bytes:
        """A small piece, through the cache."""
        check_address(address, size)
        if size > PAGE:
            return bytes(self._read(address, size))
        offset = address % PAGE
        page = self._page(address - offset)
        end = offset + size
        if end <= len(page):
            return page[offset:end]
        if len(page) == PAGE:
            following = self._page(address - offset + PAGE)
            if end - PAGE <= len(following):
                return page[offset:] + following[: end - PAGE]
        return bytes(self._read(address, size))

    def read_word(self, address: int) -> int:
        """One 64-bit word."""
        value: int = _WORD.unpack(self.read(address, 8))[0]
        return value

    def read_many(self, places: Sequence[Tuple[int, int]]) -> List[Optional[bytes]]:
        """Several small pieces, in the order asked for; None where unreadable.

        Goes through them by address, so that each page is fetched once.

        :param places: (address, size) pairs
        """
        result: List[Optional[bytes]] = [None] * len(places)
        pages = self._pages
        for index in sorted(range(len(places)), key=places.__getitem__):
            address, size = places[index]
            offset = address % PAGE
            page = pages.get(address - offset)
            if page is not None and offset + size <= len(page):
                result[index] = page[offset : offset + size]
                continue
            try:
                result[index] = self.read(address, size)
            except MemoryUnreadable:
                pass
        return result

    def gather(self, addresses: Sequence[int], size: int) -> List[Optional[bytes]]:
        """`size` bytes at each address; None where unreadable."""
        result: List[Optional[bytes]] = []
        get = self._pages.get
        append = result.append
        for address in addresses:
            offset = address % PAGE
            page = get(address - offset)
            if page is not None and offset + size <= len(page):
                append(page[offset : offset + size])
                continue
            try:
                append(self.read(address, size))
            except MemoryUnreadable:
                append(None)
        return result

    def readable(self, address: int, size: int) -> bool:
        """Whether (address, size) can be read."""
        try:
            self.read(address, size)
        except MemoryUnreadable:
            return False
        return True

    def read_cstring(self, address: int, limit: int = 4096) -> str:
        """A NUL-terminated string of at most `limit` bytes."""
        data = b""
        while len(data) < limit:
            step = 256 - address % 256
            data += self.read(address, step)
            end = data.find(b"\0")
            if end >= 0:
                return data[:end].decode("utf-8", "replace")
            address += step
        return data[:limit].decode("utf-8", "replace")

    def _page(self, start: int) -> bytes:
        """The cached page at `start`; empty if it cannot be read whole."""
        page = self._pages.get(start)
        if page is None:
            try:
                page = bytes(self._read(start, PAGE))
            except MemoryUnreadable:
                page = b""
            self._pages[start] = page
            if len(self._pages) * PAGE > CACHE_LIMIT:
                self._pages.popitem(last=False)
        return page


def check_address(address: int, size: int) -> None:
    """Refuse what cannot be memory of a program before the debugger is asked."""
    if address < 4096 or size < 0 or address + size > ADDRESS_LIMIT:
        raise MemoryUnreadable(address, size)
