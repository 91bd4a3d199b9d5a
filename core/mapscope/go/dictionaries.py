# SPDX-License-Identifier: MIT
"""Dictionaries of functions with type parameters, where the compiler has lost the variable.

One function serves all types of one shape; which ones a call is for is in a dictionary whose
address the caller passes, in a variable `.dict` that optimised code forgets after its last use
(cmd/compile/internal/noder/reader.go, dictionaries; cmd/link keeps their symbols,
"main..dict.Fill[main.Name,int]"). The caller still says it: code that is not generic has the
address in an instruction, and generic code has it among the words of a dictionary of its own.
"""

import re
import struct
from functools import lru_cache
from itertools import islice
from typing import Callable, Dict, Hashable, Iterable, Iterator, List, Optional, Set, Tuple

from ..errors import MapscopeError
from ..program.memory import Memory
from ..program.target import CodeFile, Frame
from .frames import stores
from .functions import Functions

#: lea register, [rip + displacement], each place where one may begin
_LOADS = re.compile(rb"(?=[\x48\x4c]\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d](.{4}))", re.DOTALL)
_LOAD_SIZE = 7
#: call displacement
_CALL = struct.Struct("<Bi")
#: functions that others contain, and what the compiler wraps calls in
_CLOSURE = re.compile(r"\]\)?.*(\.func\d|\.gowrap|\.deferwrap|-fm$|-range)")
_INSTANCE = re.compile(r"\[.*\]")
#: bytes of a caller's code before the call that are looked at, and between the load of the
#: dictionary that it passes and the call, where it loads several
_MOST_CODE, _BEFORE_CALL = 1 << 17, 96
#: callers looked at, and words of a dictionary
_MOST_CALLERS, _MOST_WORDS = 8, 1 << 12
#: bytes of a symbol table, and dictionaries of one function
_MOST_SYMBOLS, _MOST_DICTIONARIES = 1 << 28, 1 << 14
_SYMBOL = struct.Struct("<IBBHQQ")  # Elf64_Sym
_MARK = b"..dict."
_LONGEST_NAME = 1 << 10

#: a dictionary, as linked: address, size
Place = Tuple[int, int]


def symbols_of(file: CodeFile) -> Dict[str, List[Place]]:
    """Dictionaries of a file by the function or type that they are of, "main.Fill" for
    "main..dict.Fill[main.Name,int]"; nothing where it is stripped."""
    return _symbols(file.identity, _Section(file.section))


class _Section:
    """What reads a file's sections; equal to any other: the file's identity tells them apart."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self.read = read

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Section)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=4)
def _symbols(identity: Hashable, section: _Section) -> Dict[str, List[Place]]:
    table, names = section.read(".symtab"), section.read(".strtab")
    found: Dict[str, List[Place]] = {}
    if _MARK not in names or len(table) > _MOST_SYMBOLS:
        return found
    heads: Dict[int, str] = {}  # by where a name begins
    for mark in re.finditer(re.escape(_MARK), names):
        start = names.rfind(b"\0", 0, mark.start()) + 1
        end = names.find(b"[", mark.end(), mark.end() + _LONGEST_NAME)
        if end >= 0:
            # until Go 1.19 each method has its own: "main..dict.(*Table[int]).Put"
            own = names[mark.end() : end].replace(b"(*", b"")
            package = names[start : mark.start()]
            heads[start] = (package + b"." + own).decode("utf-8", "replace")
    usable = len(table) - len(table) % _SYMBOL.size
    for name, _, _, _, address, size in _SYMBOL.iter_unpack(table[:usable]):
        head = heads.get(name)
        if head is not None:
            places = found.setdefault(head, [])
            if len(places) < _MOST_DICTIONARIES:
                places.append((address, size))
    return found


def generic_name(function: str) -> str:
    """What a function's dictionaries are named by, "main.Table" of "main.(*Table[...]).Put"; "":
    it has no type parameters."""
    head, bracket, _ = function.partition("[")
    folder, slash, last = head.rpartition("/")
    package, dot, own = last.partition(".")
    return f"{folder}{slash}{package}.{own.replace('(*', '')}" if bracket and dot else ""


def same_function(one: str, other: str) -> bool:
    """Whether two names are of one function, whichever types they say that it was made for."""
    return _INSTANCE.sub("[...]", one) == _INSTANCE.sub("[...]", other)


class Dictionaries:
    """Which dictionary the call of a frame is for.

    :param functions: the program's table of functions
    :param file_of: the file that has the code at an address
    :param frames: the frame that is asked for, and those that have called it
    :param innermost: stack pointer of the only frame whose registers are its own: Go's functions
        save none for their callers, whatever a debugger shows there; None: frames know what they
        have lost
    """

    def __init__(
        self,
        memory: Memory,
        functions: Optional[Functions],
        file_of: Callable[[int], Optional[CodeFile]],
        frames: Iterable[Frame],
        innermost: Optional[int] = None,
    ) -> None:
        self._memory = memory
        self._functions = functions
        self._file_of = file_of
        self._frames = frames
        self._innermost = innermost
        self._found: Optional[List[int]] = None

    def possible(self) -> List[int]:
        """Addresses of those that it may be, one where that is certain; none: nothing is known."""
        if self._found is None:
            self._found = self._possible(list(islice(self._callers(), _MOST_CALLERS)))
        return self._found

    def _callers(self) -> Iterator[Frame]:
        """The frame, and then the callers' alone: what is inlined has the stack of what it is
        inlined in."""
        last: Optional[int] = None
        for frame in self._frames:
            if last is None or frame.sp() != last:
                yield frame
            last = frame.sp()

    def _possible(self, frames: List[Frame]) -> List[int]:
        if not frames:
            return []
        frame = frames[0]
        file = self._file_of(frame.pc())
        name = generic_name(frame.function)
        found = () if file is None or not name else symbols_of(file).get(name, ())
        places = {at + file.bias: size for at, size in found} if file is not None else {}
        table = self._functions
        here = None if table is None else table.at(frame.pc())
        value = self._own(frame, 0 if here is None else here.start)
        if value is not None and (value in places or not places):
            return [value]
        if table is None or here is None or generic_name(here.name) != name:
            return list(places)  # it is inlined: who calls it passes nothing
        if _CLOSURE.search(here.name):
            return list(places)  # it has captured it
        return self._passed(table, here.start, frames[1:], places) or list(places)

    def _own(self, frame: Frame, start: int) -> Optional[int]:
        """What the frame's own variable says; None: nothing that counts.

        :param start: the function's first instruction; 0: not known
        """
        own = frame.variable(".dict")
        if own is None:
            return None
        data = own.data
        if own.address is None:
            if self._innermost not in (None, frame.sp()):
                return None
        else:
            # Go 1.27 tells where an argument could be kept, also of functions that don't keep it
            if start and not stores(self._memory, start, frame.pc(), own.address - frame.sp()):
                return None
            try:
                data = self._memory.read(own.address, 8)
            except MapscopeError:
                return None
        return int.from_bytes(data[:8], "little") if data and len(data) >= 8 else None

    def _passed(
        self, table: Functions, callee: int, callers: List[Frame], places: Dict[int, int]
    ) -> List[int]:
        """Those that the caller may have passed; none: it does not call the function itself, or
        that is not known."""
        caller = table.at(callers[0].pc() - 1) if callers else None
        if caller is None or not self._calls(callers[0].pc(), callee):
            return []
        loaded = self._loaded(caller.start, callers[0].pc(), places)
        if not generic_name(caller.name):
            return self._nearest(loaded)
        # it may call the function for types of its own and for others as well
        inside: Set[int] = set(loaded)
        for own in self._possible(callers):
            inside.update(self._words(own, callers[0]))
        return [place for place in places if place in inside]

    def _calls(self, back: int, callee: int) -> bool:
        """Whether what returns to an address is a call of that very function."""
        try:
            code = bytes(self._memory.read(back - _CALL.size, _CALL.size))
        except MapscopeError:
            return False
        opcode, distance = _CALL.unpack(code)
        return bool(opcode == 0xE8 and back + distance == callee)

    @staticmethod
    def _nearest(loaded: Dict[int, int]) -> List[int]:
        """Of those that a caller loads the one that is for the call, where that is clear."""
        if len(loaded) > 1:
            last, distance = list(loaded.items())[-1]
            return [last] if distance <= _BEFORE_CALL else list(loaded)
        return list(loaded)

    def _loaded(self, start: int, back: int, places: Dict[int, int]) -> Dict[int, int]:
        """Those whose addresses a caller loads, and how many bytes before the call it does last,
        the last one last."""
        size = min(back - start, _MOST_CODE)
        if size <= 0:
            return {}
        try:
            code = bytes(self._memory.read(back - size, size))
        except MapscopeError:
            return {}
        found: Dict[int, int] = {}
        for match in _LOADS.finditer(code):
            behind = match.start() + _LOAD_SIZE
            target = back - size + behind + struct.unpack("<i", match[1])[0]
            if target in places:
                found.pop(target, None)
                found[target] = len(code) - behind
        return found

    def _words(self, dictionary: int, frame: Frame) -> List[int]:
        """What a dictionary of a frame's function holds."""
        file = self._file_of(frame.pc())
        if file is None:
            return []
        places = symbols_of(file).get(generic_name(frame.function), ())
        size = next((size for at, size in places if at + file.bias == dictionary), 0)
        size = min(size, 8 * _MOST_WORDS) & ~7
        try:
            return memoryview(bytes(self._memory.read(dictionary, size))).cast("Q").tolist()
        except MapscopeError:
            return []
