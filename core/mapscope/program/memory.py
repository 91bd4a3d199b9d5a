# SPDX-License-Identifier: MIT
"""Reading a process: large pieces as they are, small ones through a cache.

One Memory serves one command while the process is stopped; it never outlives
the command, so nothing it remembers can be stale.
"""

import struct
from array import array
from bisect import bisect_right
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple, Union

from ..errors import Corrupt, MapscopeError, MemoryUnreadable
from ..kernels.native import kernels_for
from ..kernels.picking import cut, sums_before
from ..kernels.rows import take
from ..kernels.scanning import sort

#: bytes of one read in a walk; gdb and the kernel gain nothing from more
CHUNK = 1 << 20
_CHUNK_BITS, _IN_CHUNK = CHUNK.bit_length() - 1, CHUNK - 1
#: bytes of a cached page: small enough for scattered reads to stay cheap,
#: large enough for neighbours (overflow buckets, strings) to come along
PAGE = 32768
_PAGE_BITS, _IN_PAGE = PAGE.bit_length() - 1, PAGE - 1
#: bytes behind a page that are kept with it: what begins in a page mostly ends there
OVERLAP = 512
#: bytes the cache may hold; and where nodes are followed, which lie all over memory and are read
#: once more for what they hold
CACHE_LIMIT = 48 << 20
FOLLOWED_LIMIT = 1 << 30
#: nodes that are followed before it is told how far that is
_FOLLOWED = 1 << 16

#: largest value, in bytes; what is said to be larger is not read
MAX_BYTES = 64 << 20

#: pieces from which on memory is swept rather than looked up page by page
_MANY = 1 << 14
#: chunks that are kept while pieces are taken out of them, and how often that is done
_CHUNKS, _ROUNDS = 48, 8
#: pieces from which on they are taken out of chunks, where those are kept
_SOME = 256
#: bytes that are read at once where a chunk cannot be read whole, as beside a hole of a heap; 16
#: bits of an address tell most of them apart
_PART = 1 << 16
_PART_BITS, _IN_PART = _PART.bit_length() - 1, _PART - 1
#: of so many pieces one may lie outside of what is kept
_FEW = 16
#: such parts that are looked for one by one
_MOST_GONE = 64
#: bytes between two pieces that are read rather than skipped: a read of its own takes as long
_SPARSE = 8192

#: pieces that are read one by one where all memory between them cannot be
_FEW = 16

#: addresses of x86-64 user space end here
ADDRESS_LIMIT = 1 << 47

_WORD = struct.Struct("<Q")

#: bytes, without a copy where the debugger can do without one
Buffer = Union[bytes, memoryview]


class Packed(NamedTuple):
    """Pieces of memory, one behind the other.

    :ivar offsets: where each begins, and the last one ends
    :ivar missing: numbers of those that cannot be read, in order
    """

    data: Union[bytes, bytearray]
    offsets: "array[int]"
    missing: List[int]


class Memory:
    """Bounded, cached reads of a stopped process.

    :param read: reads exactly (address, size) or raises MemoryUnreadable
    """

    def __init__(self, read: Callable[[int, int], Buffer]) -> None:
        self._read = read
        self._pages: Dict[int, bytes] = {}  # by address // PAGE, in the order in which they came
        self._limit = CACHE_LIMIT
        self._chunks: Optional[Dict[int, bytes]] = None  # by address // CHUNK
        # memory in one piece, from an address on, and parts of it that cannot be read
        self._run, self._run_at = b"", 0
        self._gone: Set[int] = set()
        self._safe_from, self._safe_to = 0, 0  # among them are none
        self._marks = b""  # a byte for each part of the run: 1 for one that cannot be read

    def read_chunk(self, address: int, size: int) -> memoryview:
        """A large piece, past the cache."""
        check_address(address, size)
        return memoryview(self._read(address, size)).cast("B")

    def read(self, address: int, size: int) -> bytes:
        """A small piece, through the cache."""
        check_address(address, size)
        if size > MAX_BYTES:
            raise MemoryUnreadable(address, size)
        if size > PAGE:
            return bytes(self._read(address, size))
        start = address & _IN_PAGE
        found = self._page(address >> _PAGE_BITS)[start : start + size]
        return found if len(found) == size else bytes(self._read(address, size))

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
            page = pages.get(address >> _PAGE_BITS)
            if page is not None:
                start = address & _IN_PAGE
                found = page[start : start + size]
                if len(found) == size:
                    result[index] = found
                    continue
            try:
                result[index] = self.read(address, size)
            except MemoryUnreadable:
                pass
        return result

    def gather(self, addresses: Sequence[int], size: int) -> List[Optional[bytes]]:
        """`size` bytes at each address; None where unreadable."""
        if self._chunks is not None and len(addresses) >= _SOME:
            others = self._from_run(addresses, size)
            if others is not None:
                run, start = self._run, self._run_at
                found = [run[(at := address - start) : at + size] for address in addresses]
                if not others:
                    return found  # type: ignore[return-value]
                return self._completed_run(found, addresses, [size] * len(addresses), others)
        return self.gather_ranges(addresses, [size] * len(addresses))

    def gather_rows(self, addresses: Sequence[int], size: int) -> Tuple[bytes, List[int]]:
        """(`size` bytes at each address, one row behind the other; indices of rows that cannot be
        read, which are zeros)."""
        taken = self._taken_rows(addresses, size)
        if taken is not None:
            return taken
        found = self.gather(addresses, size)
        try:
            return b"".join(found), []  # type: ignore[arg-type]
        except TypeError:
            unread = [at for at, row in enumerate(found) if row is None]
            nothing = bytes(size)
            return b"".join([nothing if row is None else row for row in found]), unread

    def _taken_rows(self, addresses: Sequence[int], size: int) -> Optional[Tuple[bytes, List[int]]]:
        """The same where a kernel can do it; None: it cannot."""
        if self._chunks is None or len(addresses) < _SOME or not 0 < size <= _PART:
            return None
        taken = self._take(addresses, size)
        if taken is None or not taken[1]:
            return taken
        rows, missing = bytearray(taken[0]), taken[1]
        others = [addresses[at] for at in missing]
        if len(missing) >= _SOME:
            if self._from_run(others, size) is None:
                return None
            again = self._take(others, size)
            if again is None:
                return None
            if len(missing) == len(addresses):
                rows = bytearray(again[0])
            else:
                for place, at in enumerate(missing):
                    rows[at * size : (at + 1) * size] = again[0][place * size : (place + 1) * size]
            missing, others = [missing[at] for at in again[1]], [others[at] for at in again[1]]
        unread: List[int] = []
        for at, row in zip(missing, self.read_many([(address, size) for address in others])):
            if row is None:
                unread.append(at)
            else:
                rows[at * size : (at + 1) * size] = row
        return bytes(rows), unread

    def _take(self, addresses: Sequence[int], size: int) -> Optional[Tuple[bytes, List[int]]]:
        """The rows that are in the run, and indices of those that are not."""
        parts = len(self._run) >> _PART_BITS
        if len(self._marks) != parts:
            first = self._run_at >> _PART_BITS
            marks = bytearray(parts)
            for part in self._gone:
                marks[part - first] = 1
            self._marks = bytes(marks)
        return take(self._run, self._run_at, self._marks, _PART_BITS, addresses, size)

    def gather_apart(self, addresses: Sequence[int], size: int) -> List[Optional[bytes]]:
        """The same of pieces near which nothing else is wanted: no pages are read and kept."""
        if len(addresses) >= _SOME or size > PAGE:
            return self.gather(addresses, size)
        return [self._alone(address, size) for address in addresses]

    def gather_ranges(
        self, addresses: Sequence[int], sizes: Sequence[int]
    ) -> List[Optional[bytes]]:
        """As many bytes as `sizes` says at each address; None where unreadable."""
        if self._chunks is not None and len(addresses) >= _SOME:
            others = self._from_run(addresses, max(sizes))
            if others is not None:
                run, start = self._run, self._run_at
                cut = [
                    run[(at := address - start) : at + size]
                    for address, size in zip(addresses, sizes)
                ]
                return self._completed_run(cut, addresses, sizes, others)
            if self._keep(self._chunks, addresses):
                cut = self._cut(self._chunks, addresses, sizes)
                return self._completed(cut, addresses, sizes)
        if len(addresses) >= _MANY:
            return self.sweep(addresses, sizes)
        found = self._out_of_pages(addresses, sizes)
        if found is None:
            numbers = {address >> _PAGE_BITS for address in addresses}
            for number in numbers.difference(self._pages):
                self._page(number)
            found = self._out_of_pages(addresses, sizes)
        if found is None:  # more pages than the cache holds
            return self.read_many(list(zip(addresses, sizes)))
        return self._completed(found, addresses, sizes)

    def pack(self, addresses: "array[int]", sizes: "array[int]") -> "Packed":
        """The same, one behind the other in one piece of bytes."""
        offsets = sums_before(sizes)
        which = array("I", range(len(sizes)))
        if 0 in sizes:  # such may have no address
            which = array("I", [at for at in which if sizes[at]])
            addresses = array("Q", [addresses[at] for at in which])
        kernels = kernels_for(offsets[-1])
        if kernels is None:
            pieces = self.gather_ranges(addresses, [sizes[at] for at in which])
            missing = [at for at, piece in zip(which, pieces) if piece is None]
            if missing:
                pieces = [piece or bytes(sizes[at]) for at, piece in zip(which, pieces)]
            return Packed(b"".join(pieces), offsets, missing)  # type: ignore[arg-type]
        copy, missing = bytearray(offsets[-1]), []
        starts = array("Q", addresses)
        sort(starts, which)
        longest = max(sizes, default=0)
        first = last = 0
        while first < len(starts):
            low = starts[first]
            if last <= first:
                last = max(first + 1, bisect_right(starts, low + CHUNK - longest, first))
            number = last - first
            raw = self._span(low, starts[last - 1] + longest - low, number)
            if raw is None and number > _FEW:
                last = first + number // 2  # memory ends there, or there is a hole
                continue
            first = cut(raw, low, (starts, which, first, last), offsets, copy)
            for at, start in zip(which[first:last], starts[first:last]):
                piece = self._alone(start, sizes[at])
                if piece is None:
                    missing.append(at)
                else:
                    copy[offsets[at] : offsets[at + 1]] = piece
            first = last
        return Packed(copy, offsets, sorted(missing))

    def _out_of_pages(
        self, addresses: Sequence[int], sizes: Sequence[int]
    ) -> Optional[List[bytes]]:
        """Pieces of cached pages, as much of them as there is; None: a page is not there."""
        pages = self._pages
        try:
            return [
                pages[address >> _PAGE_BITS][(start := address & _IN_PAGE) : start + size]
                for address, size in zip(addresses, sizes)
            ]
        except KeyError:
            return None

    def sweep(self, addresses: Sequence[int], sizes: Sequence[int]) -> List[Optional[bytes]]:
        """The same for so many that reading all memory between them is cheaper; keeps nothing."""
        if not addresses:
            return []
        numbers = sorted({address >> _CHUNK_BITS for address in addresses})
        rounds = -(-len(numbers) // _CHUNKS)
        if rounds > _ROUNDS or len(numbers) * CHUNK > _SPARSE * len(addresses):
            return self._sweep_in_order(addresses, sizes)
        if rounds == 1:
            found = self._taken(numbers, addresses, sizes)
        else:
            found = [b""] * len(addresses)
            for first in range(0, len(numbers), _CHUNKS):
                some = numbers[first : first + _CHUNKS]
                low, end = some[0] * CHUNK, (some[-1] + 1) * CHUNK
                members = [at for at, address in enumerate(addresses) if low <= address < end]
                theirs = [addresses[at] for at in members]
                pieces = self._taken(some, theirs, [sizes[at] for at in members])
                for at, piece in zip(members, pieces):
                    found[at] = piece
        return self._completed(found, addresses, sizes)

    def _taken(
        self, numbers: Sequence[int], addresses: Sequence[int], sizes: Sequence[int]
    ) -> List[bytes]:
        """Pieces that begin in these chunks, as much of them as there is."""
        return self._cut({number: self._chunk(number) for number in numbers}, addresses, sizes)

    @staticmethod
    def _cut(
        chunks: Dict[int, bytes], addresses: Sequence[int], sizes: Sequence[int]
    ) -> List[bytes]:
        return [
            chunks[address >> _CHUNK_BITS][(start := address & _IN_CHUNK) : start + size]
            for address, size in zip(addresses, sizes)
        ]

    def _chunk(self, number: int) -> bytes:
        """A chunk and a little of the next one; shorter, or empty, where memory ends."""
        if not 0 <= number < ADDRESS_LIMIT >> _CHUNK_BITS:
            return b""
        for size in (CHUNK + OVERLAP, CHUNK):
            try:
                return bytes(self._read(number * CHUNK, size))
            except MemoryUnreadable:
                continue
        return b""

    def _completed(
        self, found: List[bytes], addresses: Sequence[int], sizes: Sequence[int]
    ) -> List[Optional[bytes]]:
        """Pieces of which those that are too short are read one by one."""
        result: List[Optional[bytes]] = list(found)
        if list(map(len, found)) == list(sizes):
            return result
        short = [at for at, size in enumerate(sizes) if len(found[at]) < size]
        for at, piece in zip(short, self.read_many([(addresses[at], sizes[at]) for at in short])):
            result[at] = piece
        return result

    def _sweep_in_order(
        self, addresses: Sequence[int], sizes: Sequence[int]
    ) -> List[Optional[bytes]]:
        """The same where they are all over memory: goes through it once, in the order of the
        addresses, in windows of a chunk."""
        result: List[Optional[bytes]] = [None] * len(addresses)
        order = sorted(range(len(addresses)), key=addresses.__getitem__)
        ordered = [addresses[at] for at in order]
        longest = max(sizes)
        first = 0
        while first < len(order):
            low = ordered[first]
            last = max(first + 1, bisect_right(ordered, low + CHUNK - longest))
            window, starts = order[first:last], ordered[first:last]
            first = last
            raw = self._window(low, starts[-1] + longest - low, len(window))
            if raw is None:
                for at in window:
                    result[at] = self._alone(addresses[at], sizes[at])
                continue
            for at, start in zip(window, starts):
                result[at] = raw[start - low : start - low + sizes[at]]
        return result

    def _alone(self, address: int, size: int) -> Optional[bytes]:
        """A piece that has no others near it, past the cache."""
        try:
            check_address(address, size)
            return bytes(self._read(address, size)) if size <= PAGE else self.read(address, size)
        except MemoryUnreadable:
            return None

    def _window(self, start: int, size: int, pieces: int) -> Optional[bytes]:
        """All memory around so many pieces, if they lie close enough and it can be read."""
        found = self._span(start, size, pieces)
        return None if found is None else bytes(found)

    def _span(self, start: int, size: int, pieces: int) -> Optional[Buffer]:
        """The same, without a copy where the debugger can do without one."""
        if size > _SPARSE * pieces:
            return None
        try:
            return self._read(start, size)
        except MemoryUnreadable:
            return None

    def keep_chunks(self) -> None:
        """Many small pieces are about to be taken, again and again, out of memory that is dense
        with them."""
        if self._chunks is None:
            self._chunks = {}

    def _from_run(self, addresses: Sequence[int], longest: int) -> Optional[List[int]]:
        """Keep all memory that these pieces are in as one, which they are cut out of fastest.

        :return: indices of pieces that are not to be cut out of it; None: it cannot be had, or
            too few of the pieces are in it
        """
        if longest > _PART:
            return None
        low, end = min(addresses), max(addresses) + longest
        first, last = low >> _CHUNK_BITS, (end >> _CHUNK_BITS) + 1
        held = len(self._run) >> _CHUNK_BITS
        if held:
            at = self._run_at >> _CHUNK_BITS
            first, last = min(first, at), max(last, at + held)
        else:
            at = last
        size = last - first
        if first < 1 or last > ADDRESS_LIMIT >> _CHUNK_BITS or size * CHUNK > FOLLOWED_LIMIT:
            return self._outside(addresses, longest)
        if size > held:
            if (size - held) * CHUNK > _SPARSE * len(addresses):
                return self._outside(addresses, longest)
            before = [self._run_part(number) for number in range(first, at)]
            behind = [self._run_part(number) for number in range(at + held, last)]
            self._run, self._run_at = b"".join([*before, self._run, *behind]), first << _CHUNK_BITS
        gone = self._gone
        low, end = low >> _PART_BITS, end >> _PART_BITS
        if not gone or self._safe_from <= low and end < self._safe_to:
            return []
        within = [part for part in gone if low <= part <= end]
        if not within:
            self._safe_from, self._safe_to = low, end + 1
            return []
        if len(within) > _MOST_GONE:
            edges = {part - 1 for part in gone}.difference(gone)
            return [
                at
                for at, address in enumerate(addresses)
                if (part := address >> _PART_BITS) in gone
                or (part in edges and (address & _IN_PART) + longest > _PART)
            ]
        return self._in_parts(addresses, within, longest)

    def _outside(self, addresses: Sequence[int], longest: int) -> Optional[List[int]]:
        """Indices of pieces that lie outside of what is kept, which is not to grow for them; None:
        too many do."""
        if not self._run or self._gone:
            return None
        low, end = self._run_at, self._run_at + len(self._run) - longest
        found = [at for at, address in enumerate(addresses) if not low <= address <= end]
        return found if len(found) * _FEW <= len(addresses) else None

    def _in_parts(self, addresses: Sequence[int], parts: Sequence[int], longest: int) -> List[int]:
        """Indices of pieces that begin in these parts, or go on into one. Parts are told by 16
        bits first, which are looked for in those of all addresses at once."""
        bits = memoryview(array("Q", addresses)).cast("B").cast("H")[_PART_BITS // 16 :: 4]
        data, there, found = bits.tobytes(), set(bits.tolist()), []
        for part in {*parts, *(part - 1 for part in parts)}:
            if part & 0xFFFF not in there:
                continue
            begins_in = part in self._gone
            pattern = (part & 0xFFFF).to_bytes(2, "little")
            at = data.find(pattern)
            while at >= 0:
                address = addresses[at >> 1]
                if not at & 1 and address >> _PART_BITS == part:
                    if begins_in or (address & _IN_PART) + longest > _PART:
                        found.append(at >> 1)
                at = data.find(pattern, at + 1)
        return found

    def _run_part(self, number: int) -> Buffer:
        """A chunk of the run. Where it cannot be read whole, nothing is to be cut out that lies
        in a part that cannot be read."""
        start = number << _CHUNK_BITS
        try:
            return self._read(start, CHUNK)
        except MemoryUnreadable:
            parts = range(start >> _PART_BITS, (start + CHUNK) >> _PART_BITS)
            return b"".join([self._piece_of_run(part) for part in parts])

    def _piece_of_run(self, part: int) -> Buffer:
        try:
            return self._read(part << _PART_BITS, _PART)
        except MemoryUnreadable:
            self._gone.add(part)
            self._safe_from = self._safe_to = 0
            return bytes(_PART)

    def _completed_run(
        self,
        found: List[bytes],
        addresses: Sequence[int],
        sizes: Sequence[int],
        others: Sequence[int],
    ) -> List[Optional[bytes]]:
        """Pieces of which those with these indices are read past the run."""
        result: List[Optional[bytes]] = list(found)
        places = [(addresses[at], sizes[at]) for at in others]
        for at, piece in zip(others, self.read_many(places)):
            result[at] = piece
        return result

    def _keep(self, chunks: Dict[int, bytes], addresses: Sequence[int]) -> bool:
        """Keep the chunks that these pieces begin in. False where they are too many, or too few
        of the pieces are in each."""
        missing = {address >> _CHUNK_BITS for address in addresses}.difference(chunks)
        if len(missing) * CHUNK > _SPARSE * len(addresses):
            return False
        if (len(chunks) + len(missing)) * CHUNK > FOLLOWED_LIMIT:
            return False
        for number in missing:
            chunks[number] = self._chunk(number)
        return True

    def keep_more(self) -> None:
        """Small pieces from all over memory are about to be read, more than once."""
        self._limit = FOLLOWED_LIMIT

    def follow(
        self, first: int, offset: int, told: Callable[[int], None]
    ) -> Tuple["array[int]", Optional[MapscopeError]]:
        """The nodes of a linked list, each once; and what ended it other than a pointer that is
        0: MemoryUnreadable at a node that cannot be read, which is none of them, or Corrupt
        where the list leads into itself.

        :param first: the first node; 0: there is none
        :param offset: of a node's pointer to the next one
        :param told: called now and then with the number of nodes so far
        """
        self.keep_more()
        found = array("Q")
        add, pages, unpack = found.append, self._pages, _WORD.unpack_from
        node = first
        # Brent's algorithm: the node at the last power of two is compared with all behind it
        marked, due = 0, 1
        while node:
            for _ in range(min(due - len(found), _FOLLOWED)):
                place = node + offset
                try:
                    following = unpack(pages[place >> _PAGE_BITS], place & _IN_PAGE)[0]
                except (KeyError, struct.error):
                    try:
                        following = self.read_word(place)
                    except MemoryUnreadable as error:
                        return found, error
                add(node)
                node = following
                if not node:
                    return found, None
                if node == marked:
                    distinct = _without_circle(found)
                    end = distinct[-1]
                    return distinct, Corrupt(f"the node at {end:#x} leads back into its own list")
            told(len(found))
            if len(found) == due:
                marked, due = node, 2 * due
        return found, None

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

    def _page(self, number: int) -> bytes:
        """The cached page of that number and a little of the next one.

        Shorter, or empty, where memory ends.
        """
        page = self._pages.get(number)
        if page is None:
            page = b""
            for size in (PAGE + OVERLAP, PAGE, 4096):
                try:
                    page = bytes(self._read(number * PAGE, size))
                    break
                except MemoryUnreadable:
                    continue
            self._pages[number] = page
            if len(self._pages) * PAGE > self._limit:
                del self._pages[next(iter(self._pages))]
        return page


def _without_circle(found: "array[int]") -> "array[int]":
    """The distinct nodes of a list that was followed once more around its circle."""
    seen = set()
    for at, node in enumerate(found):
        if node in seen:
            return found[:at]
        seen.add(node)
    return found


def check_address(address: int, size: int) -> None:
    """Refuse what cannot be memory of a program before the debugger is asked."""
    if address < 4096 or size < 0 or address + size > ADDRESS_LIMIT:
        raise MemoryUnreadable(address, size)
