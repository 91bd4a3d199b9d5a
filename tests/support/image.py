# SPDX-License-Identifier: MIT
"""A program without a debugger: bytes at addresses, and a Target over them.

What this knows: memory, and what a debugger says about a program because the
test told it so. What it must not know: maps.
"""

import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Callable, Dict, Iterator, List, Optional, Tuple

from mapscope.errors import MapscopeError, MemoryUnreadable
from mapscope.stops.all_stops import Stops
from mapscope.program.target import Frame, Section, Target, Thread, Variable
from mapscope.program.types import Kind, Type

#: where the heap begins: an address as programs have it
HEAP = 0xC000000000
#: bytes of heap that can be read from the start, allocated or not
HEAP_SIZE = 1 << 20
#: nothing is ever mapped here
NOWHERE = 0x123456789000

ULONG = Type(Kind.UINT, "unsigned long", 8)


class Image:
    """Memory of a stopped program.

    :ivar after_store: called after each store() with its address (0: pause()); this
        is how a test looks at what a debugger would see if it stopped right there
    """

    def __init__(self) -> None:
        self._starts: List[int] = []
        self._regions: List[bytearray] = []
        self._next = HEAP
        self.after_store: Optional[Callable[[int], None]] = None
        self.map_region(HEAP, bytes(HEAP_SIZE))

    def map_region(self, address: int, data: bytes) -> None:
        """Make `data` readable at `address`; regions must not touch."""
        at = bisect_right(self._starts, address)
        self._starts.insert(at, address)
        self._regions.insert(at, bytearray(data))

    def allocate(self, size: int, align: int = 16) -> int:
        """`size` zero bytes of the heap."""
        address = -(-self._next // align) * align
        self._next = address + size
        short = self._next - HEAP - len(self._region(HEAP, 1)[0])
        if short > 0:
            self._region(HEAP, 1)[0].extend(bytes(max(short, HEAP_SIZE)))
        return address

    def place(self, data: bytes, align: int = 16) -> int:
        """`data` somewhere on the heap."""
        address = self.allocate(len(data), align)
        self.write(address, data)
        return address

    def read(self, address: int, size: int) -> bytes:
        """:raises MemoryUnreadable: unless all of it is mapped"""
        region, start = self._region(address, size)
        return bytes(memoryview(region)[start : start + size])

    def word(self, address: int, size: int = 8) -> int:
        """An unsigned little-endian number."""
        return int.from_bytes(self.read(address, size), "little")

    def write(self, address: int, data: bytes) -> None:
        """Set memory up: nobody looks."""
        region, start = self._region(address, len(data))
        region[start : start + len(data)] = data

    def write_word(self, address: int, value: int, size: int = 8) -> None:
        """Set a number up: nobody looks."""
        self.write(address, value.to_bytes(size, "little"))

    def store(self, address: int, data: bytes) -> None:
        """A store of the program, after which it may be stopped.

        More than a word is stored as copies do it: word by word.
        """
        for at in range(0, len(data), 8):
            self.write(address + at, data[at : at + 8])
            if self.after_store is not None:
                self.after_store(address + at)

    def pause(self) -> None:
        """A moment without a store at which the program may be stopped."""
        if self.after_store is not None:
            self.after_store(0)

    def store_word(self, address: int, value: int, size: int = 8) -> None:
        """A store of one number."""
        self.store(address, value.to_bytes(size, "little"))

    def save(self) -> List[bytes]:
        """All of memory as it is, for restore()."""
        return [bytes(region) for region in self._regions]

    def restore(self, saved: List[bytes]) -> None:
        """Memory as it was; regions made since then stay."""
        for region, raw in zip(self._regions, saved):
            region[: len(raw)] = raw

    def shrink(self, slack: int) -> int:
        """Unmap what of the heap was not used, but for so many bytes; the bytes left of all."""
        region, _ = self._region(HEAP, 1)
        del region[self._next - HEAP + slack :]
        return sum(map(len, self._regions))

    def _region(self, address: int, size: int) -> Tuple[bytearray, int]:
        at = bisect_right(self._starts, address) - 1
        if at >= 0:
            region, start = self._regions[at], address - self._starts[at]
            if start + size <= len(region):
                return region, start
        raise MemoryUnreadable(address, size)


@dataclass
class FakeFrame(Frame):
    """A frame whose variables are numbers, as registers hold them.

    :ivar held: words of its stack; of a frame without names, those of its variables besides
    """

    thread: int
    function: str
    variables: Dict[str, Variable] = field(default_factory=dict)
    spill: Dict[int, int] = field(default_factory=dict)
    has_variables: bool = True
    held: List[int] = field(default_factory=list)

    def variable(self, name: str) -> Optional[Variable]:
        return self.variables.get(name) if self.has_variables else None

    def words(self) -> List[int]:
        if self.has_variables:
            return []
        values = [int.from_bytes(v.data or b"", "little") for v in self.variables.values()]
        return values + self.held

    def spilled(self, index: int) -> Optional[int]:
        return self.spill.get(index)

    def pc(self) -> int:
        return 0x401000


def number(value: int) -> Variable:
    """A value in a register."""
    return Variable(ULONG, None, (value & (1 << 64) - 1).to_bytes(8, "little"))


def frame(function: str, thread: int = 1, **variables: int) -> FakeFrame:
    """A frame with these parameters and locals in registers."""
    return FakeFrame(thread, function, {name: number(v) for name, v in variables.items()})


class FakeTarget(Target):
    """A debugger that knows what the test told it.

    :ivar variables: what evaluate() finds by name; it also understands numbers
    :ivar frames: of all threads, innermost first; thread 1 is selected
    :ivar reads: how often memory was asked for
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        self.variables: Dict[str, Variable] = {}
        self.symbol_table: Dict[str, List[int]] = {}
        self.symbols_at: Dict[int, str] = {}
        self.section_list: List[Section] = []
        self.types: Dict[str, Type] = {}
        self.frames: List[FakeFrame] = []
        self.globals: List[Tuple[str, Variable]] = []
        self.locals: List[Tuple[str, Variable]] = []
        self.process = True
        self.machine = "i386:x86-64"
        self.limit = 200
        self.reads = 0
        self.thread_list: List[Thread] = []
        self.stop_list: Optional[Stops] = None
        self.told: List[Tuple[int, int]] = []

    def read_memory(self, address: int, size: int) -> memoryview:
        self.reads += 1
        return memoryview(self.image.read(address, size))

    def has_memory(self) -> bool:
        return self.process

    def architecture(self) -> str:
        return self.machine

    def evaluate(self, expression: str) -> Variable:
        if expression in self.variables:
            return self.variables[expression]
        try:
            return number(int(expression, 0))
        except ValueError:
            raise MapscopeError(f'No symbol "{expression}" in current context.') from None

    def symbols(self, name: str) -> List[int]:
        return self.symbol_table.get(name, [])

    def symbol_at(self, address: int) -> Optional[str]:
        return self.symbols_at.get(address)

    def sections(self) -> List[Section]:
        return self.section_list

    def find_type(self, name: str) -> Optional[Type]:
        return self.types.get(name)

    def selected_frames(self) -> Iterator[Frame]:
        return iter([f for f in self.frames if f.thread == 1])

    def runtime_frames(self) -> Iterator[Frame]:
        return iter(self.frames)

    def threads(self) -> Iterator[Thread]:
        if self.thread_list:
            return iter(self.thread_list)
        numbers = sorted({frame.thread for frame in self.frames})
        return iter([_Running(self, number) for number in numbers])

    def stops(self) -> Stops:
        if self.stop_list is None:
            from host import NoHost

            self.stop_list = NoHost(self).stops
        return self.stop_list

    def global_maps(self) -> List[Tuple[str, Variable]]:
        return self.globals

    def frame_maps(self) -> List[Tuple[str, Variable]]:
        return self.locals

    def format_value(self, type: Type, address: Optional[int], data: bytes) -> str:
        return f"<{type.name} of {len(data)} bytes>"

    def element_limit(self) -> int:
        return self.limit

    def progress(self, done: int, total: int) -> None:
        self.told.append((done, total))


class _Running(Thread):
    """A thread of a target that was told frames alone."""

    def __init__(self, target: FakeTarget, number: int) -> None:
        self.number = self.kernel_id = number
        self._target = target

    def frames(self) -> Iterator[Frame]:
        return iter([f for f in self._target.frames if f.thread == self.number])

    def registers(self) -> Dict[str, int]:
        return {}


def words(*values: int) -> bytes:
    """64-bit words, one behind the other."""
    return struct.pack(f"<{len(values)}Q", *values)
