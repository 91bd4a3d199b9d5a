# SPDX-License-Identifier: MIT
"""The whole surface that a debugger must offer to core.

gdb/ and lldb/ implement Target; tests implement it over a byte image. Nothing
else in core knows that there is a debugger.
"""

from abc import ABC, abstractmethod
from typing import Dict, Hashable, Iterator, List, Optional, Tuple

from ..records import dataclass
from .cpp_types import CppType, CppVariable
from .memory import Buffer
from .types import Type


@dataclass(frozen=True)
class Variable:
    """A value in the program.

    :ivar type: its type
    :ivar address: where it lies, or None for a value in a register
    :ivar data: its bytes, where they are known already (always for values
        without an address)
    """

    type: Type
    address: Optional[int]
    data: Optional[bytes] = None


@dataclass(frozen=True)
class Section:
    """A loaded section of the program or of a library; addresses in memory.

    :ivar file: that it is of; "": the program's own, or not told
    """

    name: str
    start: int
    end: int
    file: str = ""


class Frame(ABC):
    """One frame of one thread.

    :ivar thread: the debugger's own number of the thread
    :ivar function: the function's name, as the language writes it, without
        parameters
    :ivar has_variables: whether debug information describes the function
    """

    thread: int
    function: str
    has_variables: bool = True

    def pc(self) -> int:
        """The address of its instruction; 0 if unknown."""
        return 0

    def sp(self) -> int:
        """Its stack pointer; 0 if unknown."""
        return 0

    def place(self) -> str:
        """Source file and line, as the debugger shows them; "" if unknown."""
        return ""

    def inlined(self) -> Iterator[str]:
        """Names of the functions that the compiler has put into the code of the frame's own, as
        debug information has it: an instruction of theirs may count as one of the frame's."""
        return iter(())

    @abstractmethod
    def variable(self, name: str) -> Optional[Variable]:
        """The parameter or local `name`, or None where it has no value here."""

    def passed(self, index: int) -> Optional[int]:
        """Go's index-th register argument, where the frame is still at the beginning of its
        function and its registers are known."""
        return None

    def words(self) -> List[int]:
        """What it holds where debug information names nothing: the words of its part of the
        stack, in order, and before them the registers if it is the innermost and they are
        known. Not more than some hundreds."""
        return []

    def cpp_locals(self, every: bool = False) -> List[CppVariable]:
        """Parameters and locals of a C++ function that have a value where it is.

        :param every: also where the function's file has nothing to do with maps
        """
        return []

    @abstractmethod
    def spilled(self, index: int) -> Optional[int]:
        """Address of the word above the return address where Go lets a function keep its
        index-th register argument (cmd/compile, abi-internal.md, "spill space").

        The word holds it only if the function has put it there.
        """


class Thread(ABC):
    """One thread of the program.

    :ivar number: the debugger's own
    :ivar kernel_id: the kernel's; 0 if unknown
    """

    number: int
    kernel_id: int

    @abstractmethod
    def frames(self) -> Iterator[Frame]:
        """Its frames, innermost first."""

    @abstractmethod
    def registers(self) -> Dict[str, int]:
        """General registers and rip of its innermost frame."""


class Names(ABC):
    """What names mean where the program is stopped, in a language whose expressions core reads
    itself: Go's.

    :ivar frame: the selected one; None: there is none
    """

    frame: Optional[Frame] = None

    @abstractmethod
    def local(self, name: str) -> Optional[Variable]:
        """The parameter or local that a programmer means by `name` at the frame's instruction:
        that of the innermost block, wherever the compiler put it; None: no block has one.

        :raises MapscopeError: if it has no value here
        """

    @abstractmethod
    def locals(self) -> List[str]:
        """Names of all that local() finds."""

    @abstractmethod
    def package_variable(self, name: str) -> Optional[Variable]:
        """The variable or function with a full name, as "example.com/shop/store.Table"."""

    @abstractmethod
    def package_variables(self, pattern: str) -> List[str]:
        """Full names of variables, those that a regular expression is found in."""

    @abstractmethod
    def type(self, name: str) -> Optional[Type]:
        """The type with a full name, from debug information."""


class CodeFile(ABC):
    """A file of the process that has code, and the debug information of that code.

    :ivar name: of the file
    :ivar identity: what no other file has, nor this one when it has changed
    :ivar bias: what is added to addresses as linked
    """

    name: str
    identity: Hashable
    bias: int

    @abstractmethod
    def section(self, name: str) -> bytes:
        """What a section holds; nothing where there is none."""

    @abstractmethod
    def linked(self, name: str) -> Optional[int]:
        """Where a section was linked to be; None: there is none."""


class Target(ABC):
    """What core asks of a debugger. All of it read-only."""

    @abstractmethod
    def read_memory(self, address: int, size: int) -> Buffer:
        """Exactly `size` bytes.

        :raises MemoryUnreadable: if any of them cannot be read
        """

    @abstractmethod
    def has_memory(self) -> bool:
        """Whether there is a process, live or dead (a core dump)."""

    def lacks_program(self) -> str:
        """How to load the program that the memory is of, where none is loaded; "": one is."""
        return ""

    def misfit(self) -> str:
        """What is known to be wrong about the program and the memory together, as a core dump
        of another build; "": nothing."""
        return ""

    def runs_on(self) -> bool:
        """Whether the process runs while it is read."""
        return False

    def warn(self, line: str) -> None:
        """A line on the debugger's error channel."""

    @abstractmethod
    def architecture(self) -> str:
        """The debugger's name of the processor architecture, as in "i386:x86-64"."""

    @abstractmethod
    def evaluate(self, expression: str) -> Variable:
        """The value of an expression of the debugger.

        :raises MapscopeError: with the debugger's own words
        """

    def vector(self, expression: str) -> Variable:
        """The std::vector that an expression of the debugger is, or leads to; another value where
        it is no class.

        :raises MapscopeError: with the debugger's own words
        """
        return self.evaluate(expression)

    def names(self) -> Optional[Names]:
        """What names mean in the program's Go parts; None: evaluate() answers for everything."""
        return None

    def file_variables(self, name: str) -> List[Tuple[str, Variable]]:
        """(source file, variable) of all variables of a name that are of no function, those that
        a file keeps for itself too; by debug information."""
        return []

    @abstractmethod
    def symbols(self, name: str) -> List[int]:
        """Addresses of the linker symbol `name`, one for each module that has it."""

    @abstractmethod
    def symbol_at(self, address: int) -> Optional[str]:
        """The linker symbol of the object at exactly `address`, demangled."""

    @abstractmethod
    def sections(self) -> List[Section]:
        """All loaded sections of the program and its libraries."""

    def code_file(self, address: int) -> Optional[CodeFile]:
        """The file that has the code at an address; None: none that can be read."""
        return None

    @abstractmethod
    def find_type(self, name: str) -> Optional[Type]:
        """The type `name` from debug information."""

    @abstractmethod
    def selected_frames(self) -> Iterator[Frame]:
        """Frames of the selected thread, innermost first."""

    @abstractmethod
    def runtime_frames(self) -> Iterator[Frame]:
        """For every thread, its few innermost frames."""

    @abstractmethod
    def threads(self) -> Iterator[Thread]:
        """All threads that are stopped."""

    def unseen_writes(self) -> str:
        """Why a thread may be inside a write to a map though its frames do not show that; "":
        they show it as well as debug information does."""
        return ""

    @abstractmethod
    def global_maps(self) -> List[Tuple[str, Variable]]:
        """Global variables whose type is a Go map, a struct that is one (sync.Map) or a pointer
        to such, with their names."""

    @abstractmethod
    def frame_maps(self) -> List[Tuple[str, Variable]]:
        """Locals and parameters of the selected thread's frames that are maps."""

    def cpp_variables(self, unread: List[str], every: bool = False) -> Iterator[CppVariable]:
        """Variables of the program's C++ parts that are of no one call of a function: of
        namespaces, classes and files, static ones of functions, and every thread's own.

        :param unread: what could not be looked at is added here
        :param every: of all files but the system's, not only of those that have to do with maps
        """
        return iter(())

    def cpp_type(self, name: str) -> Optional[CppType]:
        """The C++ class of a name, as a demangler writes it; None: it is not known."""
        return None

    @abstractmethod
    def format_value(self, type: Type, address: Optional[int], data: bytes) -> str:
        """A value of an OPAQUE type as the debugger itself prints it."""

    @abstractmethod
    def element_limit(self) -> int:
        """How many elements the debugger prints of a container; 0: all."""

    def progress(self, done: int, total: int) -> None:
        """Told now and then how far long work is; a debugger may show it."""
