# SPDX-License-Identifier: MIT
"""What stops need of a Go program's runtime: its functions, their arguments in
registers, the running goroutine.

Facts: runtime/map.go, map_fast32.go, map_fast64.go, map_faststr.go and
runtime2.go of Go 1.17 to 1.23, internal/runtime/maps of 1.24 to 1.27, on amd64; the registers
are those of ABIInternal (cmd/compile/abi-internal.md).
"""

import posixpath
import re
from typing import Dict, Iterator, List, Optional, Tuple

from ...cells.marks import EVACUATED
from ...errors import MapscopeError, MemoryUnreadable
from ...go import layouts
from ...go.frames import with_names
from ...go.functions import Functions
from ...go.goroutines import find_g, goid
from ...program.memory import Buffer, Memory
from ...program.target import Frame
from ...session import Session
from ...stops.host import Hit, Host, OnHit, Point
from ...stops.occurrence import Occurrence
from ...swiss.swiss_reader import SwissHeader

_VARIANTS: Dict[str, Tuple[str, ...]] = {
    "mapassign": ("", "_fast32", "_fast32ptr", "_fast64", "_fast64ptr", "_faststr"),
    "mapdelete": ("", "_fast32", "_fast64", "_faststr"),
    "evacuate": ("", "_fast32", "_fast64", "_faststr"),
    "makemap": ("", "64", "_small"),
}

#: the check for room on the stack that most Go functions begin with (cmd/internal/obj/x86,
#: stacksplit): cmp 16(r14), rsp, or lea -N(rsp), r12 and cmp 16(r14), r12; then jbe
_STACK_CHECK = re.compile(
    rb"(?:\x49\x3b\x66\x10|(?:\x4c\x8d\x64\x24.|\x4c\x8d\xa4\x24....)\x4d\x3b\x66\x10)"
    rb"(?:\x76.|\x0f\x86....)",
    re.DOTALL,
)

#: frames below a store in which the function of a map is looked for; a write barrier is one
_NEAR = 6
#: frames in which the user's function is looked for
_DEEPEST = 32
_NOT_THE_USERS = ("runtime.", "internal/", "reflect.", "sync.(*Map).", "sync/atomic.")

#: goroutines whose last arrival at a breakpoint is remembered
_REMEMBERED = 256

OLDBUCKETS = layouts.hmap(0).at("oldbuckets")
_CHUNK = 1 << 20


class GoHeader:
    """A map's header at one moment, as it is in memory.

    :ivar count: entries
    :ivar writing: whether a write has said that it is going on
    """

    def __init__(self, address: int, count: int, writing: bool) -> None:
        self.address = address
        self.count = count
        self.writing = writing

    def tell(self, occurrence: Occurrence) -> None:
        """Add the growth that is in progress to what is said of an event."""


class Hmap(GoHeader):
    """Of a classic map: hmap.

    :raises MapscopeError: if there can be none
    """

    def __init__(self, host: Host, address: int) -> None:
        raw = bytes(host.target().read_memory(address, layouts.HMAP_FIELDS.size))
        fields: List[int] = list(layouts.HMAP_FIELDS.unpack(raw))
        self.flags, self.B, self.noverflow = fields[1:4]
        self.buckets, self.oldbuckets, self.nevacuate = fields[5:]
        super().__init__(address, fields[0], bool(self.flags & layouts.HASH_WRITING))
        if self.B > 43 or self.flags > 15:
            raise MapscopeError(
                f"no Go map at {address:#x}: B is {self.B}, at most 43 expected, and flags "
                f"{self.flags:#x}, at most 0xf"
            )

    def tell(self, occurrence: Occurrence) -> None:
        if self.oldbuckets:
            occurrence.kind = self.kind
            occurrence.old_buckets = self.old_buckets
        occurrence.buckets = 1 << self.B

    @property
    def kind(self) -> str:
        """Of the growth in progress."""
        return "same-size" if self.flags & layouts.SAME_SIZE_GROW else "double"

    @property
    def old_buckets(self) -> int:
        """Of the growth in progress."""
        return 1 << (self.B if self.flags & layouts.SAME_SIZE_GROW else max(self.B - 1, 0))


class SwissNow(GoHeader):
    """Of a Swiss map: internal/runtime/maps.Map.

    :raises MapscopeError: if there can be none
    """

    def __init__(self, host: Host, address: int) -> None:
        self.header = SwissHeader.read(Memory(host.target().read_memory), address)
        super().__init__(address, self.header.used, bool(self.header.writing))


class GoRuntime:
    """The runtime of the Go program.

    :ivar minor: the N of its version go1.N
    :ivar swiss: whether its maps are Swiss ones
    :param place: an address in it, if the process has several
    :ivar write_mark: offset of the byte of a header in which a write says that it is going on,
        from when it has hashed its key to its end
    """

    def __init__(self, host: Host, minor: int, swiss: bool, place: int = 0) -> None:
        self._host = host
        self._place = place
        self.minor = minor
        self.swiss = swiss
        self._functions: Optional[Functions] = None
        self._own: Optional[Functions] = None  # without those of other runtimes
        self._looked_for_functions = False
        if swiss:
            self.write_mark = layouts.swiss_map(minor).at("writing")
        else:
            self.write_mark = layouts.hmap(minor).at("flags")

    def header(self, address: int) -> GoHeader:
        """A map's header as it is now.

        :raises MapscopeError: if there can be none
        """
        return SwissNow(self._host, address) if self.swiss else Hmap(self._host, address)

    def variants(self, base: str) -> List[str]:
        """The functions that do `base` in this program, as "runtime.evacuate_fast64".

        :param base: as "evacuate"; with its package if that is another one
        """
        package = "" if "." in base else "runtime."
        names = (f"{package}{base}{suffix}" for suffix in _VARIANTS.get(base, ("",)))
        return [name for name in names if self.function(name) is not None]

    def function(self, name: str) -> Optional[int]:
        """The first instruction of a function; None: the program has none of that name."""
        found = None if self._place else self._host.function(name)
        if found is None:
            self.functions()
            found = None if self._own is None else self._own.address_of(name)
        return found

    def copies(self, name: str) -> List[int]:
        """First instructions of a function's further copies: a plugin has its own of those that
        it uses."""
        self.functions()
        first = self.function(name)
        found = [] if self._own is None else self._own.addresses_of(name)
        return [address for address in dict.fromkeys(found) if address != first]

    def function_start(self, address: int) -> Optional[int]:
        """The first instruction of the function that an instruction belongs to, whatever is
        inlined there."""
        found = self._host.function_start(address)
        table = self.functions() if found is None else None
        function = None if table is None else table.at(address)
        return found if function is None else function.start

    def functions(self) -> Optional[Functions]:
        """The program's own table of functions; None: it has none that is known."""
        if not self._looked_for_functions:
            self._looked_for_functions = True
            session = Session(self._host.target())
            if self._place:
                session = session.for_runtime(session.runtime_at(self._place))
            self._functions = session.functions
            self._own = session.go.functions if session.is_go() else None
        return self._functions

    def read(self, address: int, size: int) -> Buffer:
        """Memory, as it is now.

        :raises MemoryUnreadable: if any of it cannot be read
        """
        return self._host.target().read_memory(address, size)

    def started(self) -> None:
        """A new process may have its functions elsewhere."""
        self._looked_for_functions = False

    def frames(self, hit: Hit) -> Iterator[Frame]:
        """Frames of the thread, innermost first, with names also in stripped programs."""
        return with_names(Memory(self.read), self.functions, hit.frames())

    def breakpoint(self, name: str, on_hit: OnHit, visible: bool) -> Point:
        """A breakpoint where a function has its arguments in registers, and is not begun anew.

        Behind the check for room on the stack: a function that has to make room begins twice.
        """
        address = self.function(name)
        if address is None:
            raise MapscopeError(f"the program has no function {name}")
        offset = self._behind_check(address)
        handler = self._once(on_hit, address + offset)
        if self._place or self._host.function(name) is None:  # no symbols, or not its
            return self._host.breakpoint(address + offset, handler, visible)
        return self._host.function_breakpoint(name, offset, handler, visible)

    def breakpoint_at(self, address: int, on_hit: OnHit) -> Point:
        """The same at a copy of a function; the user does not see it."""
        place = address + self._behind_check(address)
        return self._host.breakpoint(place, self._once(on_hit, place), False)

    def breakpoint_within(
        self, name: str, address: int, offset: int, is_named: bool, on_hit: OnHit
    ) -> Point:
        """A breakpoint at an instruction of a function, which the user does not see.

        :param is_named: whether the function is the one that the name stands for, and no copy of it
        """
        handler = self._once(on_hit, address + offset)
        if not is_named or self._place or self._host.function(name) is None:
            return self._host.breakpoint(address + offset, handler, False)
        return self._host.function_breakpoint(name, offset, handler, False)

    def _behind_check(self, address: int) -> int:
        """Bytes of a function up to behind the check for room on the stack."""
        try:
            code = bytes(self._host.target().read_memory(address, 24))
        except MemoryUnreadable:
            code = b""
        check = _STACK_CHECK.match(code)
        return check.end() if check else 0

    def _once(self, on_hit: OnHit, place: int) -> OnHit:
        """A handler that is not called twice for one arrival.

        A signal that comes while the thread is held at a breakpoint is handled before the
        instruction there, and the breakpoint is hit again; Go's scheduler sends SIGURG every
        100 µs when it stops the world (preemptall in runtime/proc.go). A thread that is there
        already has arrived before.

        :param place: of the breakpoint
        """
        last: Dict[int, bytes] = {}
        here = self._host.here()
        if here is not None and _register(here, "rip") == place:
            last[here.register("r14")] = here.state()

        def handler(hit: Hit) -> bool:
            goroutine, state = hit.register("r14"), hit.state()
            if last.pop(goroutine, None) == state:
                last[goroutine] = state
                return False
            while len(last) >= _REMEMBERED:
                last.pop(next(iter(last)))
            last[goroutine] = state
            return on_hit(hit)

        return handler

    def place(self, hit: Hit) -> str:
        """The innermost function that is not the runtime's, and its line, where debug information
        does not tell; else ""."""
        for _, frame in zip(range(_DEEPEST), self.frames(hit)):
            if frame.has_variables:
                return ""
            if frame.function and not frame.function.startswith(_NOT_THE_USERS):
                line = posixpath.basename(frame.place())
                return f"{frame.function} at {line}" if line else frame.function
        return ""

    def goroutine(self, hit: Hit) -> Optional[int]:
        """The id of the goroutine that the thread runs; None: not known."""
        return goid(self._word, lambda name: _register(hit, name), self.minor)

    def on_stack(self, hit: Optional[Hit], address: int) -> bool:
        """Whether an address is on the running goroutine's stack (g.stack)."""
        if hit is None:
            return False
        thread = hit
        g = find_g(self._word, lambda name: _register(thread, name))
        if g is None:
            return False
        low, high = self._word(g), self._word(g + 8)
        return low is not None and high is not None and low <= address < high

    def is_evacuated(self, bucket: int) -> bool:
        """Whether the bucket at an address is, or that has begun (evacuated in runtime/map.go)."""
        return bool(EVACUATED[bytes(self._host.target().read_memory(bucket, 1))[0]])

    def heads(self, oldbuckets: int, count: int, bucketsize: int) -> bytes:
        """For each old bucket 1 if it is evacuated (or that has begun), else 0."""
        parts: List[bytes] = []
        step = max(1, _CHUNK // bucketsize)
        for first in range(0, count, step):
            number = min(step, count - first)
            raw = self._host.target().read_memory(
                oldbuckets + first * bucketsize, number * bucketsize
            )
            parts.append(bytes(raw)[::bucketsize].translate(EVACUATED))
        return b"".join(parts)

    def writer(self, hit: Hit) -> Optional[str]:
        """What the function that has just stored does to its map (layouts.operation_of);
        None: it is none of a map's.

        "" where the program has no names of functions.
        """
        named = False
        for _, frame in zip(range(_NEAR), self.frames(hit)):
            operation = layouts.operation_of(frame.function)
            if operation is not None:
                return operation
            named = named or bool(frame.function)
        return None if named else ""

    def bucketsize(self, maptype: int) -> int:
        """Of the buckets of a map type (runtime/type.go, maptype.bucketsize)."""
        raw = self._host.target().read_memory(maptype + 82, 2)
        return int.from_bytes(bytes(raw), "little") or 16

    def _word(self, address: int) -> Optional[int]:
        try:
            return int.from_bytes(bytes(self._host.target().read_memory(address, 8)), "little")
        except MemoryUnreadable:
            return None


def _register(hit: Hit, name: str) -> Optional[int]:
    try:
        return hit.register(name)
    except MapscopeError:
        return None
