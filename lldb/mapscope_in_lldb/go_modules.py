# SPDX-License-Identifier: MIT
"""Go modules: LLDB knows their functions and lines, core's go_dwarf their variables."""

from typing import Callable, Dict, Iterator, List, Optional, Tuple

import lldb

from mapscope.errors import MapscopeError
from mapscope.go import debug_info
from mapscope.go.debug_info import GoDebugInfo, Scope
from mapscope.program.dwarf import Machine
from mapscope.program.memory import Buffer
from mapscope.program.target import CodeFile, Variable
from mapscope.program.types import Kind, Type
from .modules import is_go_module, section_bytes
from .process import register_of

Read = Callable[[int, int], Buffer]


class LldbCodeFile(CodeFile):
    """A Go module as core's file."""

    def __init__(self, module: "GoModule", target: lldb.SBTarget) -> None:
        self.name = module.name
        self.identity = module
        self.bias = module.bias(target)
        self._module = module

    def section(self, name: str) -> bytes:
        return self._module.section(name)

    def linked(self, name: str) -> Optional[int]:
        return self._module.linked(name)


class GoModule:
    """The program, if it is a Go program, or a Go plugin."""

    def __init__(self, module: lldb.SBModule) -> None:
        self._module = module
        self.name = str(module.GetFileSpec())
        self._info: Optional[GoDebugInfo] = None
        self._scopes: Dict[Tuple[str, int, int], List[Scope]] = {}

    @property
    def info(self) -> GoDebugInfo:
        """Its debug information; that of a stripped program is empty."""
        if self._info is None:
            self._info = debug_info.of_file(self, self.section)
        return self._info

    def section(self, name: str) -> bytes:
        """What a section of its file holds."""
        return section_bytes(self._module, name)

    def linked(self, name: str) -> Optional[int]:
        """Where a section was linked to be; None: there is none."""
        found = self._module.FindSection(name)
        return int(found.GetFileAddress()) if found.IsValid() else None

    def bias(self, target: lldb.SBTarget) -> int:
        """What is to be added to addresses as linked."""
        text = self._module.FindSection(".text")
        loaded = text.GetLoadAddress(target)
        if loaded == lldb.LLDB_INVALID_ADDRESS:
            return 0
        return int(loaded) - int(text.GetFileAddress())

    def global_variable(self, target: lldb.SBTarget, name: str) -> Optional[Variable]:
        """A package's variable."""
        found = self.info.global_variable(name)
        return None if found is None else Variable(found[1], found[0] + self.bias(target))

    def global_names(self, pattern: str) -> List[str]:
        """Full names of packages' variables, those that a regular expression is found in."""
        return self.info.global_names(pattern)

    def type(self, name: str) -> Optional[Type]:
        """The type with a full name."""
        return self.info.type_named(name)

    def global_maps(self, target: lldb.SBTarget) -> Iterator[Tuple[str, int, Type]]:
        """Name, address and type of every package's variable that is a map."""
        bias = self.bias(target)
        for name, address, type in self.info.global_maps():
            yield name, address + bias, type

    # --- frames ---

    def scopes(self, frame: lldb.SBFrame) -> List[Scope]:
        """The function of a frame and those inlined in it, innermost first."""
        function = frame.GetFunction()
        start = function.GetStartAddress() if function.IsValid() else lldb.SBAddress()
        name = str(function.GetName() or "")
        if not start.IsValid():
            symbol = frame.GetSymbol()
            start, name = symbol.GetStartAddress(), str(symbol.GetName() or "")
        if not start.IsValid() or not name:
            return []
        place = (name, int(start.GetFileAddress()), self._pc(frame))
        if place not in self._scopes:
            try:
                self._scopes[place] = self.info.scopes(*place)
            except MapscopeError:
                self._scopes[place] = []
            while len(self._scopes) > 4096:
                self._scopes.pop(next(iter(self._scopes)))
        return self._scopes[place]

    def _pc(self, frame: lldb.SBFrame) -> int:
        """Where a frame is, as linked: its instruction, or the call that it waits in."""
        pc = int(frame.GetPCAddress().GetFileAddress())
        return pc if frame.GetFrameID() == 0 else pc - 1

    def names(self, frame: lldb.SBFrame, scope: int) -> List[str]:
        """Names of a scope's parameters and locals."""
        return list(self.info.names(self.scopes(frame)[scope]))

    def variable(
        self, frame: lldb.SBFrame, scope: int, name: str, read: Read
    ) -> Optional[Variable]:
        """A parameter or local; None where it has no value.

        :raises MapscopeError: if it cannot be found out
        """
        where = self.scopes(frame)[scope]
        return self.info.variable(
            where, name, self._pc(frame), self._machine(frame, read), _bytes(read)
        )

    def local(self, frame: lldb.SBFrame, scope: int, name: str, read: Read) -> Optional[Variable]:
        """What a programmer means by a name; None: there is no such parameter or local.

        :raises MapscopeError: if it has no value here
        """
        # the line is that of the innermost of the functions that are inlined there
        line = 0 if scope else int(frame.GetLineEntry().GetLine())
        where = self.scopes(frame)[scope]
        return self.info.local(
            where, name, self._pc(frame), line, self._machine(frame, read), _bytes(read)
        )

    def maps(self, frame: lldb.SBFrame, scope: int, read: Read) -> List[Tuple[str, Variable]]:
        """Parameters and locals that are maps."""
        found: List[Tuple[str, Variable]] = []
        where = self.scopes(frame)[scope]
        for name in self.info.map_names(where):
            try:
                variable = self.variable(frame, scope, name, read)
            except MapscopeError:
                continue
            if variable is not None and variable.type.kind is Kind.GO_MAP:
                found.append((name, variable))
        return found

    def _machine(self, frame: lldb.SBFrame, read: Read) -> Machine:
        def cfa() -> Optional[int]:
            value = frame.GetCFA()
            return None if value == lldb.LLDB_INVALID_ADDRESS else int(value)

        def word(address: int) -> Optional[int]:
            try:
                return int.from_bytes(bytes(read(address, 8)), "little")
            except MapscopeError:
                return None

        return Machine(
            lambda name: register_of(frame, name),
            cfa,
            word,
            self.bias(frame.GetThread().GetProcess().GetTarget()),
        )


def _bytes(read: Read) -> Callable[[int, int], bytes]:
    return lambda address, size: bytes(read(address, size))


#: by file, identity and sections: debug information may be added later. An SBModule is compared
#: as well: a file that was built anew need not have another identity.
_modules: Dict[Tuple[str, str, int], Tuple[lldb.SBModule, Optional[GoModule]]] = {}


def go_module(module: lldb.SBModule) -> Optional[GoModule]:
    """The Go module that an SBModule is, or None; what was read of its file is kept."""
    if not module.IsValid():
        return None
    file = module.GetFileSpec()
    key = (str(file), str(module.GetUUIDString()), int(module.GetNumSections()))
    known = _modules.get(key)
    if known is None or known[0] != module:
        known = _modules[key] = (module, GoModule(module) if is_go_module(module) else None)
    return known[1]


def go_modules(target: lldb.SBTarget) -> Iterator[GoModule]:
    """All of a target."""
    for module in target.module_iter():
        found = go_module(module)
        if found is not None:
            yield found
