# SPDX-License-Identifier: MIT
"""C++ types of gdb as core's, and variables with their values."""

import mmap
import os
from typing import Any, Dict, List, Optional, Tuple

import gdb

from mapscope.errors import MapscopeError
from mapscope.program.cpp_types import CppType, CppVariable, Form, Part, is_system_file
from mapscope.program.types import Type
from .cpp import full_name
from .expressions import bytes_of
from .types import describe

_REFERENCES = (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF)
_CLASSES = (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION)
_NO_VALUES = (gdb.TYPE_CODE_FUNC, gdb.TYPE_CODE_METHOD, gdb.TYPE_CODE_VOID)
#: what a file that has maps has somewhere: in names of functions, or of types
_OURS = b"mapscope"
#: bases of bases
_DEEPEST = 64


class GdbCppType(CppType):
    """One type of gdb's."""

    def __init__(self, native: gdb.Type) -> None:
        self._declared = native
        type = native.strip_typedefs()
        self.is_reference = type.code in _REFERENCES
        type = type.unqualified().strip_typedefs()
        self._type = type
        self.form = Form.OTHER
        if self.is_reference or type.code == gdb.TYPE_CODE_PTR:
            self.form = Form.POINTER
        elif type.code == gdb.TYPE_CODE_ARRAY:
            self.form = Form.ARRAY
            low, high = type.range()
            self.length = max(int(high) - int(low) + 1, 0)
        elif type.code in _CLASSES:
            self.form = Form.CLASS
        self.tag = full_name(type)
        self.size = 8 if self.is_reference else int(type.sizeof)
        self.complete = self.form is not Form.CLASS or bool(self.size)

    @property
    def is_polymorphic(self) -> bool:
        return self.form is Form.CLASS and _is_polymorphic(self._type, 0)

    def target(self) -> Optional[CppType]:
        if self.form not in (Form.POINTER, Form.ARRAY):
            return None
        target = self._type.target()
        return None if target.strip_typedefs().code in _NO_VALUES else GdbCppType(target)

    def parts(self) -> List[Part]:
        found: List[Part] = []
        for field in self._type.fields() if self.form is Form.CLASS else ():
            offset = getattr(field, "bitpos", None)
            if offset is None or field.bitsize or field.artificial:
                continue  # static, in no byte of its own, or a pointer that the compiler has made
            if field.is_base_class and _is_virtual(self._type, field):
                continue
            name = "" if field.is_base_class else str(field.name or "")
            found.append(
                Part(name, int(offset) // 8, GdbCppType(field.type), bool(field.is_base_class))
            )
        return found

    def argument(self, index: int) -> Optional[CppType]:
        try:
            found = self._type.template_argument(index)
        except (gdb.error, RuntimeError):
            return None
        return GdbCppType(found) if isinstance(found, gdb.Type) else None

    def described(self) -> Type:
        return describe(self._declared)


def _is_polymorphic(type: gdb.Type, depth: int) -> bool:
    for field in type.fields() if depth < _DEEPEST else ():
        if str(field.name or "").startswith("_vptr"):
            return True
        if field.is_base_class and _is_polymorphic(field.type.strip_typedefs(), depth + 1):
            return True
    return False


def _is_virtual(type: gdb.Type, field: Any) -> bool:
    """Whether a base is a virtual one: the offset that gdb tells is one in the table of virtual
    functions then, which no base has."""
    at, size = int(field.bitpos) // 8, int(type.sizeof)
    return at < 0 or at + int(field.type.sizeof) > max(size, 1)


def type_of_name(name: str) -> Optional[CppType]:
    """The class of a name."""
    try:
        return GdbCppType(gdb.lookup_type(name))
    except (gdb.error, RuntimeError):
        return None


def locals_of(frame: gdb.Frame, every: bool = False) -> List[CppVariable]:
    """Parameters and locals of a frame's function that have a value where it is; of a frame of
    the selected thread.

    :param every: also where the function's file has nothing to do with maps
    """
    found: List[CppVariable] = []
    try:
        block: Optional[gdb.Block] = frame.block()
        place = frame.find_sal()
        symtab = place.symtab
        if symtab is None:
            return found
        objfile = symtab.objfile
        # debug information may be in a file of its own
        file = str((objfile.owner or objfile).filename or "")
        if is_system_file(file) if every else not has_maps(file):
            return found
    except (gdb.error, RuntimeError):
        return found
    while block is not None and not block.is_global and not block.is_static:
        for symbol in block:
            if not (symbol.is_variable or symbol.is_argument) or not symbol.needs_frame:
                continue
            if symbol.is_variable and symbol.symtab == place.symtab and symbol.line > place.line:
                continue  # not constructed yet
            one = variable_with_value(str(symbol.name), symbol, frame)
            if one is not None:
                found.append(one)
        if block.function is not None:
            break
        block = block.superblock
    return found


def variable_with_value(
    name: str, symbol: gdb.Symbol, frame: Optional[gdb.Frame], thread: int = 0
) -> Optional[CppVariable]:
    """A symbol with its value; None: it has none."""
    try:
        type = symbol.type
        if type is None or type.strip_typedefs().code in _NO_VALUES:
            return None
        value = symbol.value() if frame is None else symbol.value(frame)
        if value.is_optimized_out:
            return None
        if type.strip_typedefs().code in _REFERENCES:
            # the reference's own place is of no interest: what it refers to is
            where = int(value.referenced_value().address) & ((1 << 64) - 1)
            return CppVariable(name, GdbCppType(type), None, where.to_bytes(8, "little"), thread)
        address = value.address
        if address is None:
            return CppVariable(name, GdbCppType(type), None, bytes_of(value), thread)
        return CppVariable(name, GdbCppType(type), int(address) & ((1 << 64) - 1), None, thread)
    except (gdb.error, RuntimeError, TypeError, ValueError, OverflowError, MapscopeError):
        return None


#: by path, and when it was written
_FILES: Dict[Tuple[str, int], bool] = {}


def has_maps(path: str) -> bool:
    """Whether a file has to do with maps: it names the library; so does one that is elsewhere."""
    try:
        key = (path, os.stat(path).st_mtime_ns)
    except (OSError, ValueError):
        return True
    known = _FILES.get(key)
    if known is None:
        known = _FILES[key] = _names_maps(path)
    return known


def _names_maps(path: str) -> bool:
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
            return raw.find(_OURS) >= 0
    except (OSError, ValueError):
        return True
