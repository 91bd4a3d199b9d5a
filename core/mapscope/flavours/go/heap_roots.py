# SPDX-License-Identifier: MIT
"""Where references into a Go heap begin: packages' variables, goroutines' stacks, and, where no
debug information tells of variables, the words of a file's data.

Facts: runtime/symtab.go (moduledata: data, bss and their masks), runtime/runtime2.go (g.sched),
runtime/stack.go (where a stack begins) of Go 1.17 to 1.27.
"""

import struct
from bisect import bisect_right
from typing import Dict, List, Optional, Tuple

from ...errors import MapscopeError, MemoryUnreadable
from ...go import layouts
from ...go.descriptors import GoProgram
from ...go.frame_variables import STRIPPED, Described, ScopedFrame, described_at, scoped
from ...go.frames import GoFrame, unwind, waiting_at
from ...go.goroutines import find_g, running_for
from ...go.images import Image
from ...program.target import CodeFile
from ...program.types import Type
from ...session import Session
from .references import References

#: bytes of one stack, and of all, that are looked at
_MOST_STACK, _MOST_STACKS = 64 << 20, 2 << 30
#: frames of a stack, and frames of all that are looked at by name
_DEEPEST, _NAMED_FRAMES = 256, 4096
#: words of data that are looked at together
_TOGETHER = 1 << 17


class Roots:
    """Adds every root of a Go runtime.

    :ivar notes: what could not be looked at, for the reader
    :ivar typed: whether variables are known by debug information
    """

    def __init__(self, session: Session, program: GoProgram, references: References) -> None:
        self._session = session
        self._program = program
        self._memory = session.memory
        self._references = references
        self.notes: List[str] = []
        self.typed = False
        self._named_frames = 0
        self._named: List[Tuple[int, int]] = []
        self._known: List[Tuple[CodeFile, Described]] = []
        self._files: Dict[int, Optional[CodeFile]] = {}  # by the id of an image
        references.closure_of = self._closure

    # --- variables ---

    def add_variables(self) -> None:
        """Packages' variables, by debug information."""
        for image in self._program.images:
            described = self._described(image)
            if described is None:
                continue
            if described.lacks:
                if not described.lacks.endswith(STRIPPED):
                    self.notes.append(described.lacks)
                continue
            info, bias = described.info, described.bias
            info.bias = bias
            try:
                for name, address, type in info.variables():
                    self._add_variable(name, address + bias, type)
                    self.typed = True
            except MapscopeError as error:
                self.notes.append(f"variables of {image.file or 'the program'}: {error}")

    def _described(self, image: Image) -> Optional[Described]:
        """The debug information of a file."""
        text = next((s.start for s in image.sections if s.name == ".text"), 0)
        return described_at(self._memory, text, self._file_of, self._known) if text else None

    def _file_of(self, address: int) -> Optional[CodeFile]:
        """The file that has the code at an address: one has that of nearly all frames, and is
        asked for once."""
        image = next((one for one in self._program.images if one.holds(address)), None)
        if image is None:
            return self._session.target.code_file(address)
        if id(image) not in self._files:
            self._files[id(image)] = self._session.target.code_file(address)
        return self._files[id(image)]

    def _add_variable(self, name: str, address: int, type: Type) -> None:
        if name.startswith("runtime.") or type.size < 8:
            return  # the runtime's own lead to everything, without a name that tells anything
        self._references.add_variable(self._references.root(name), type, address)
        self._named.append((address, address + type.size))

    def _closure(self, code: int) -> Optional[Type]:
        """What a closure of a function holds, by debug information."""
        table = self._session.functions
        function = None if table is None else table.at(code)
        if function is None:
            return None
        image = next((one for one in self._program.images if one.holds(code)), None)
        described = None if image is None else self._described(image)
        if described is None or described.lacks:
            return None
        try:
            return described.info.captured(function.name, function.start - described.bias)
        except MapscopeError:
            return None

    # --- data ---

    def add_data(self) -> None:
        """The words of each file's data that the collector takes for pointers."""
        layout = layouts.moduledata(self._program.minor)
        self._named.sort()
        for module in self._program.modules():
            for low, high, mask in (("data", "edata", "gcdatamask"), ("bss", "ebss", "gcbssmask")):
                try:
                    start = self._memory.read_word(module + layout.at(low))
                    end = self._memory.read_word(module + layout.at(high))
                    count, bits = struct.unpack(
                        "<QQ", self._memory.read(module + layout.at(mask), 16)
                    )
                    self._add_range(start, min(end, start + (1 << 32)), bits, low)
                except MemoryUnreadable as error:
                    self.notes.append(f"{low} of the module at {module:#x}: {error}")

    def _add_range(self, start: int, end: int, bits: int, name: str) -> None:
        for first in range(start, end, 8 * _TOGETHER):
            size = min(8 * _TOGETHER, end - first) & ~7
            words = memoryview(bytes(self._memory.read_chunk(first, size))).cast("Q").tolist()
            at = (first - start) // 8
            raw = bytes(self._memory.read_chunk(bits + at // 8, (size // 8 + 7) // 8))
            mask = int.from_bytes(raw, "little")
            heap = self._references.heap
            for number, word in enumerate(words):
                # most words are zero
                if (
                    word
                    and mask >> number & 1
                    and heap.span_of(word) is not None
                    and not self._is_named(first + 8 * number)
                ):
                    node = self._references.root(f"{first + 8 * number:#x}")
                    self._references.search_words(node, [(number, word)], words)

    def _is_named(self, address: int) -> bool:
        """Whether a word is part of a variable that was added by its name."""
        at = bisect_right(self._named, (address, 1 << 64)) - 1
        return at >= 0 and address < self._named[at][1]

    # --- stacks ---

    def add_stacks(self) -> None:
        """What goroutines' stacks hold, word by word."""
        program, memory = self._program, self._memory
        layout = layouts.g(program.minor)
        running = self._running()
        total = 0
        try:
            goroutines = list(program.goroutines())
        except MapscopeError as error:
            self.notes.append(f"goroutines: {error}")
            return
        unread = 0
        for goroutine in goroutines:
            try:
                low, high = struct.unpack(
                    "<QQ", memory.read(goroutine.address + layout.at("stack"), 16)
                )
                place = running.get(goroutine.address) or waiting_at(
                    memory, goroutine.address, program.minor
                )
                pc, sp = place if place else (0, low)
                if not low <= sp <= high:
                    pc, sp = 0, low
                size = (high - sp) & ~7
                if not 0 <= size <= _MOST_STACK or total + size > _MOST_STACKS:
                    raise MemoryUnreadable(sp, size)
                total += size
                words = memoryview(bytes(memory.read_chunk(sp, size))).cast("Q").tolist()
            except MemoryUnreadable:
                unread += 1
                continue
            self._add_stack(goroutine.id, pc, sp, words)
        if unread:
            self.notes.append(f"{unread} goroutines' stacks could not be read")

    def _add_stack(self, number: int, pc: int, sp: int, words: List[int]) -> None:
        heap = self._references.heap
        some = [
            (at, word) for at, word in enumerate(words) if word and heap.span_of(word) is not None
        ]
        if not some:
            return
        frames = self._unwound(pc, sp)
        if self.typed and self._named_frames < _NAMED_FRAMES:
            self._add_locals(number, frames)
        for function, first, end in _parts(frames, sp, len(words)):
            part = [(at, word) for at, word in some if first <= at < end]
            if part:
                node = self._references.root(f"{function} (goroutine {number})")
                self._references.search_words(node, part, words)

    def _unwound(self, pc: int, sp: int) -> List[GoFrame]:
        table = self._session.functions
        found: List[GoFrame] = []
        if table is not None and pc:
            try:
                for frame in unwind(self._memory, table, 0, pc, sp):
                    if len(found) >= _DEEPEST:
                        break
                    found.append(frame)
            except MapscopeError:
                pass
        return found

    def _add_locals(self, number: int, frames: List[GoFrame]) -> None:
        """Parameters and locals of a goroutine's frames, by debug information."""
        table = self._session.functions
        if table is None:
            return
        for frame in scoped(self._memory, table, frames, self._file_of):
            if not frame.has_variables or not frame.is_own():
                continue
            self._named_frames += 1
            for name in frame.locals():
                self._add_local(number, frame, name)

    def _add_local(self, number: int, frame: ScopedFrame, name: str) -> None:
        try:
            variable = frame.local(name)
        except MapscopeError:
            return  # what the stack holds of it is looked at word by word
        if variable is None or variable.type.size < 8:
            return
        node = self._references.root(f"{frame.function} (goroutine {number}).{name}")
        if variable.address is not None:
            self._references.add_variable(node, variable.type, variable.address)
        elif variable.data is not None:
            self._references.add_value(node, variable.type, variable.data)

    def _running(self) -> Dict[int, Tuple[int, int]]:
        """By the address of a g: where the thread is that runs it."""
        found: Dict[int, Tuple[int, int]] = {}
        program = self._program
        for thread in self._session.target.threads():
            registers = thread.registers()
            g = find_g(program.word, registers.get)
            pc, sp = registers.get("rip", 0), registers.get("rsp", 0)
            if g is None:
                continue
            low = program.word(g) or 0
            high = program.word(g + 8) or 0
            if low <= sp < high:
                found[g] = pc, sp
                words = [word for name, word in registers.items() if word]
                if running_for(program.word, g, program.minor) == g:
                    node = self._references.root(f"registers of thread {thread.number}")
                    self._references.add_words(node, words)
        return found


def _parts(frames: List[GoFrame], sp: int, count: int) -> List[Tuple[str, int, int]]:
    """(function, number of its frame's first word, of the one behind its last)"""
    if not frames:
        return [("goroutine", 0, count)]
    starts = [(frame.sp() - sp) // 8 for frame in frames]
    return [
        (frame.function, 0 if number == 0 else starts[number], end)
        for number, (frame, end) in enumerate(zip(frames, starts[1:] + [count]))
    ]
