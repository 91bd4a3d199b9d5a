# SPDX-License-Identifier: MIT
"""Where references into a Go heap begin: packages' variables, goroutines' stacks, and, where no
debug information tells of variables, the words of a file's data.

Facts: runtime/symtab.go (moduledata: data, bss and their masks), runtime/runtime2.go (g.sched),
runtime/stack.go (where a stack begins) of Go 1.17 to 1.27.
"""

import struct
from bisect import bisect_right
from typing import Dict, Iterator, List, Optional, Tuple

from ...errors import MapscopeError, MemoryUnreadable
from ...go import layouts
from ...go.debug_info import GoDebugInfo
from ...go.descriptors import GoProgram
from ...go.frames import unwind, waiting_at
from ...go.goroutines import find_g, running_for
from ...program.elf_sections import ElfSections
from ...program.types import Type
from ...session import Session
from .references import References

#: bytes of one stack, and of all, that are looked at
_MOST_STACK, _MOST_STACKS = 64 << 20, 2 << 30
#: words of data that are looked at together
_TOGETHER = 1 << 17

_known: Dict[Tuple[str, int], Tuple[GoDebugInfo, int]] = {}


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
        self._named: List[Tuple[int, int]] = []
        references.closure_of = self._closure

    # --- variables ---

    def add_variables(self) -> None:
        """Packages' variables, by debug information."""
        for file, start in self._files():
            found = debug_info_of(file)
            if found is None:
                continue
            info, text = found
            bias = info.bias = start - text if start else 0
            try:
                for name, address, type in info.variables():
                    self._add_variable(name, address + bias, type)
                    self.typed = True
            except MapscopeError as error:
                self.notes.append(f"variables of {file}: {error}")

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
        for file, start in self._files():
            found = debug_info_of(file)
            if found is not None:
                try:
                    bias = start - found[1] if start else 0
                    type = found[0].captured(function.name, function.start - bias)
                except MapscopeError:
                    continue
                if type is not None:
                    return type
        return None

    def _files(self) -> Iterator[Tuple[str, int]]:
        """(file, where its .text lies) of each file that has Go code."""
        for image in self._program.images():
            file = image.file or self._session.target.program_file()
            text = next((s.start for s in image.sections if s.name == ".text"), 0)
            if file:
                yield file, text

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
        for function, first, end in self._frames(pc, sp, len(words)):
            part = [(at, word) for at, word in some if first <= at < end]
            if part:
                node = self._references.root(f"{function} (goroutine {number})")
                self._references.search_words(node, part, words)

    def _frames(self, pc: int, sp: int, count: int) -> List[Tuple[str, int, int]]:
        """(function, number of its frame's first word, of the one behind its last)."""
        table = self._session.functions
        found: List[Tuple[str, int]] = []
        if table is not None and pc:
            try:
                for frame in unwind(self._memory, table, 0, pc, sp):
                    if len(found) >= 256:
                        break
                    found.append((frame.function, (frame.sp() - sp) // 8))
            except MapscopeError:
                pass
        if not found:
            return [("goroutine", 0, count)]
        ends = [at for _, at in found[1:]] + [count]
        return [
            (name, 0 if number == 0 else at, end)
            for number, ((name, at), end) in enumerate(zip(found, ends))
        ]

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


def debug_info_of(file: str) -> Optional[Tuple[GoDebugInfo, int]]:
    """The debug information in a program's file, and where its .text is linked to; None: there is
    none."""
    try:
        sections = ElfSections(file)
    except OSError:
        return None
    key = (file, sections.identity)
    if key not in _known:
        text = sections.find(".text")
        while len(_known) >= 4:
            _known.pop(next(iter(_known)))
        _known[key] = GoDebugInfo(sections.contents), text.address if text else 0
    info, start = _known[key]
    return (info, start) if info.present() else None
