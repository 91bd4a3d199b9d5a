# SPDX-License-Identifier: MIT
"""C++ types and variables of LLDB as core's: what flavours/cpp/cpp_heap.py asks for.

LLDB finds variables by name; the names are those of the linker's symbols. So debug information
of files that have nothing to do with maps is not read.
"""

import re
from typing import Dict, Iterator, List, Optional, Set, Tuple

import lldb

from mapscope.program.cpp_names import function_name
from mapscope.program.cpp_spelling import UNNAMED
from mapscope.program.cpp_types import CppType, CppVariable, Form, Part, is_system_file
from mapscope.program.types import Type
from .data import ABI_TAG, bytes_of_data, global_variables, variable_name
from .types import describe, full_name, with_tuples

_CLASSES = lldb.eTypeClassStruct | lldb.eTypeClassClass | lldb.eTypeClassUnion
_UNNAMED = re.compile(r"\((?:unnamed|anonymous) (?:struct|class|union)[^)]*\)$")
_OWN = (lldb.eValueTypeVariableLocal, lldb.eValueTypeVariableArgument)
#: what compilers and link-time optimisation put behind a symbol's name
_SUFFIX = re.compile(r"\.(?:lto_priv\.|constprop\.|llvm\.)?\d+(?:\.\d+)*$")
#: symbols of a C++ program that are no variables of the source
_MADE = re.compile(r"^(vtable|VTT|typeinfo|typeinfo name|guard variable|construction vtable) for ")
#: a variable of a function, by Itanium's mangling
_OF_FUNCTION = "_ZZ"
_OURS = "mapscope"
#: classes of libstdc++ whose members are of no interest, and that have 32 bytes
_NOT_ASKED = ("std::__cxx11::basic_string<char,", "std::function<")
_NO_ADDRESS = lldb.LLDB_INVALID_ADDRESS
#: variables of one name in one file; frames of a thread; blocks of a function
_MANY, _FRAMES, _BLOCKS = 256, 64, 1 << 12
#: names that are told
_SOME = 4


class LldbCppType(CppType):
    """One type of LLDB's."""

    def __init__(self, native: lldb.SBType) -> None:
        self._declared = native
        type = native.GetCanonicalType()
        self.is_reference = bool(type.IsReferenceType())
        type = type.GetUnqualifiedType()
        self._type = type
        which = type.GetTypeClass()
        self.form = Form.OTHER
        if self.is_reference or which == lldb.eTypeClassPointer:
            self.form = Form.POINTER
        elif which == lldb.eTypeClassArray:
            self.form = Form.ARRAY
        elif which & _CLASSES:
            self.form = Form.CLASS
        self.tag = full_name(type, with_tuples(type, str(type.GetName() or "?")))
        if _UNNAMED.search(self.tag):
            self.tag = UNNAMED
        # LLDB 19 prints an error of its own when it looks at what GCC 12 says of these, also
        # when it is asked for their size
        if self.tag.startswith(_NOT_ASKED):
            self.size = 32
        else:
            self.size = 8 if self.is_reference else int(type.GetByteSize())
        if self.form is Form.ARRAY:
            each = int(type.GetArrayElementType().GetByteSize())
            self.length = self.size // each if each else 0
        known = self.form is not Form.CLASS or self.tag.startswith("std::")
        self.complete = known or bool(self.size and type.IsTypeComplete())

    @property
    def is_polymorphic(self) -> bool:
        return self.form is Form.CLASS and bool(self._type.IsPolymorphicClass())

    def target(self) -> Optional[CppType]:
        if self.form is Form.ARRAY:
            return LldbCppType(self._type.GetArrayElementType())
        if self.form is not Form.POINTER:
            return None
        if self.is_reference:
            target = self._type.GetDereferencedType()
        else:
            target = self._type.GetPointeeType()
        if target.GetTypeClass() == lldb.eTypeClassFunction:
            return None
        if target.GetCanonicalType().GetBasicType() == lldb.eBasicTypeVoid:
            return None
        return LldbCppType(target)

    def parts(self) -> List[Part]:
        type = self._type
        found: List[Part] = []
        if self.form is not Form.CLASS:
            return found
        virtual = {
            str(type.GetVirtualBaseClassAtIndex(index).GetType().GetName())
            for index in range(type.GetNumberOfVirtualBaseClasses())
        }
        for index in range(type.GetNumberOfDirectBaseClasses()):
            base = type.GetDirectBaseClassAtIndex(index)
            if str(base.GetType().GetName()) not in virtual:
                inner = LldbCppType(base.GetType())
                found.append(Part("", int(base.GetOffsetInBytes()), inner, True))
        for index in range(type.GetNumberOfFields()):
            field = type.GetFieldAtIndex(index)
            if not field.IsBitfield():
                inner = LldbCppType(field.GetType())
                name = str(field.GetName() or "")
                found.append(Part(name, int(field.GetOffsetInBytes()), inner, False))
        return found

    def argument(self, index: int) -> Optional[CppType]:
        found = self._type.GetTemplateArgumentType(index)
        return LldbCppType(found) if found.IsValid() else None

    def described(self) -> Type:
        return describe(self._declared)


def locals_of(frame: lldb.SBFrame, every: bool = False) -> List[CppVariable]:
    """Parameters and locals of a frame's function that have a value where it is.

    :param every: also where the function's file has nothing to do with maps
    """
    found: List[CppVariable] = []
    if not _is_meant(frame.GetModule(), every):
        return found
    place = frame.GetLineEntry()
    for value in frame.GetVariables(True, True, False, True, lldb.eNoDynamicValues):
        if value.GetValueType() not in _OWN:
            continue
        if value.GetValueType() == lldb.eValueTypeVariableLocal:
            declared = value.GetDeclaration()
            if declared.GetFileSpec() == place.GetFileSpec() and (
                declared.GetLine() > place.GetLine()
            ):
                continue  # not constructed yet
        one = _variable(str(value.GetName() or ""), value)
        if one is not None:
            found.append(one)
    return found


def _variable(name: str, value: lldb.SBValue, thread: int = 0) -> Optional[CppVariable]:
    """A variable of LLDB's with its value; None: it has none."""
    # of the type that is declared, where LLDB prefers the one that an object is of at run time
    value = value.GetStaticValue().GetNonSyntheticValue()
    if value.GetError().Fail():
        return None
    native = value.GetType()
    if not native.IsValid():
        return None
    type = LldbCppType(native)
    in_memory = str(value.GetLocation() or "").startswith("0x")
    address = value.GetLoadAddress()
    if in_memory and address != _NO_ADDRESS:
        return CppVariable(name, type, int(address), None, thread)
    data = bytes_of_data(value.GetData())
    return None if not data else CppVariable(name, type, None, data, thread)


class Variables:
    """Variables of the files that have to do with maps, or of all but the system's.

    :param process: whose threads' own variables are wanted
    :param every: of all but the system's
    """

    def __init__(
        self, target: lldb.SBTarget, process: lldb.SBProcess, unread: List[str], every: bool
    ) -> None:
        self._target = target
        self._process = process
        self._unread = unread
        self._every = every
        self._told: Set[Tuple[str, int]] = set()
        #: names of variables that each thread has of its own
        self._threads: Set[str] = set()

    def all(self) -> Iterator[CppVariable]:
        """Each once."""
        for module in self._target.module_iter():
            if _is_meant(module, self._every):
                yield from self._of_module(module)
        if self._threads:
            yield from self._of_threads()

    def _of_module(self, module: lldb.SBModule) -> Iterator[CppVariable]:
        names: Set[str] = set()
        functions: Dict[str, Dict[int, str]] = {}
        for symbol in module.symbols:
            if symbol.GetType() not in (lldb.eSymbolTypeData, lldb.eSymbolTypeInvalid):
                continue
            name = str(symbol.GetName() or "")
            if _MADE.match(name) or not name:
                continue
            name = _SUFFIX.sub("", ABI_TAG.sub("", name))
            if str(symbol.GetMangledName() or "").startswith(_OF_FUNCTION):
                scope = name.rpartition("::")[0]
                start = symbol.GetStartAddress()
                if start.GetSection().GetPermissions() & lldb.ePermissionsWritable:
                    address = int(start.GetLoadAddress(self._target))
                    functions.setdefault(function_name(scope), {})[address] = name
            else:
                names.add(name.rpartition("::")[2] or name)
        for last in sorted(names):
            for value in global_variables(module, last, _MANY, self._target):
                yield from self._told_once(value)
        unknown: List[str] = []
        for function, places in sorted(functions.items()):
            if not function.startswith((_OURS, "std::")):
                yield from self._of_function(module, function, places)
                unknown += places.values()
        if unknown:
            some = ", ".join(unknown[:_SOME]) + (", ..." if len(unknown) > _SOME else "")
            self._unread.append(f"static variables of functions that LLDB does not find: {some}")

    def _told_once(self, value: lldb.SBValue) -> Iterator[CppVariable]:
        name = variable_name(value)
        if value.GetError().Fail():
            own = "thread" in str(value.GetError().GetCString() or "")
            if own and not name.startswith(_OURS):
                self._threads.add(name)
            return
        one = _variable(name, value)
        if one is not None and (name, one.address or 0) not in self._told:
            self._told.add((name, one.address or 0))
            yield one

    def _of_function(
        self, module: lldb.SBModule, name: str, places: Dict[int, str]
    ) -> Iterator[CppVariable]:
        """Static variables of a function.

        :param places: where they are; those that are found are taken out
        """
        for context in module.FindFunctions(name, lldb.eFunctionNameTypeAuto):
            function = context.GetFunction()
            if not function.IsValid():
                continue
            blocks = [function.GetBlock()]
            for _ in range(_BLOCKS):
                if not blocks:
                    break
                block = blocks.pop()
                if not block.IsValid():
                    continue
                for value in block.GetVariables(self._target, False, False, True):
                    if places.pop(int(value.GetLoadAddress()), None) is not None:
                        full = f"{ABI_TAG.sub('', str(function.GetName() or name))}::"
                        one = _variable(full + str(value.GetName() or ""), value)
                        if one is not None and (one.name, one.address or 0) not in self._told:
                            self._told.add((one.name, one.address or 0))
                            yield one
                blocks += [block.GetFirstChild()]
                if block.GetParent().IsValid():
                    blocks += [block.GetSibling()]

    def _of_threads(self) -> Iterator[CppVariable]:
        """Variables that each thread has: LLDB finds them where a thread is in the file that
        has them."""
        found: Set[str] = set()
        for thread in self._process:
            number = int(thread.GetIndexID())
            for index in range(_FRAMES):
                frame = thread.GetFrameAtIndex(index)
                if not frame.IsValid():
                    break
                if not _is_meant(frame.GetModule(), self._every):
                    continue
                for value in frame.GetVariables(False, False, True, True, lldb.eNoDynamicValues):
                    name = variable_name(value)
                    if name not in self._threads:
                        continue
                    one = _variable(name, value, number)
                    if one is not None and (name, one.address or 0) not in self._told:
                        self._told.add((name, one.address or 0))
                        found.add(name)
                        yield one
        if self._threads - found:
            some = ", ".join(sorted(self._threads - found)[:_SOME])
            self._unread.append(
                f"thread_local variables that LLDB cannot find from where the threads are: {some}"
            )


_MODULES: Dict[str, bool] = {}


def _is_meant(module: lldb.SBModule, every: bool) -> bool:
    """Whether a file is one to look into: every one but the system's, or those of maps."""
    if every:
        return not is_system_file(str(module.GetFileSpec().fullpath or "["))
    return _has_maps(module)


def _has_maps(module: lldb.SBModule) -> bool:
    """Whether a file has to do with maps: it has the library's names."""
    key = f"{module.GetUUIDString()} {module.GetFileSpec()}"
    known = _MODULES.get(key)
    if known is None:
        known = _MODULES[key] = any(
            _OURS in str(symbol.GetName() or "") for symbol in module.symbols
        )
    return known
