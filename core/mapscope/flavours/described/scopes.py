# SPDX-License-Identifier: MIT
"""What names in a description mean: parts of a struct, or variables of the program."""

import re
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from ...errors import MapscopeError
from ...program.target import Target, Variable
from ...program.types import Kind, Type
from .formulas import Place, Scope, at_offset, part_of, parts_of, similar

_HEADER = re.compile(r"\.(?:h|hh|hpp|hxx|inc)$")
_KIND = re.compile(r"^(?:struct|class|union) ")
#: files that are named where a name is that of several variables
_SOME = 4


def completed(target: Target) -> Callable[[Type], Type]:
    """Gives a type as it was defined, where this file's debug information only declares it."""
    known: Dict[str, Type] = {}

    def complete(type: Type) -> Type:
        if type.kind not in (Kind.STRUCT, Kind.OPAQUE) or type.size or type.as_class is None:
            return type
        if type.name not in known:
            name = _KIND.sub("", type.name)
            found = target.find_type(name) or target.find_type(f"struct {name}")
            known[type.name] = found if found is not None and found.size else type
        return known[type.name]

    return complete


def struct_scope(type: Type, target: Target, given: Tuple[str, ...] = ()) -> Scope:
    """Names are parts of a struct."""
    complete = completed(target)
    type = complete(type)

    def find(name: str) -> Optional[Place]:
        part = part_of(type, name)
        return None if part is None else at_offset(part.type, part.offset)

    def near(name: str) -> str:
        names = [part.name for part in parts_of(type) if part.name]
        if not names:
            return f": debug information says nothing of what is in a {type.name}"
        return f" in {type.name}{similar(name, names)}"

    return Scope(find, near, given, complete)


def variables_scope(target: Target, files: Sequence[str], given: Tuple[str, ...] = ()) -> Scope:
    """Names are variables of the program, of no function.

    :param files: where those are that files keep for themselves; none: anywhere
    """
    known: Dict[str, Variable] = {}

    def find(name: str) -> Optional[Place]:
        if name not in known:
            found = variable(target, name, files)
            if found is None:
                return None
            known[name] = found
        one = known[name]
        address = one.address or 0
        return Place(one.type, lambda env: address)

    def near(name: str) -> str:
        where = f" in {' or '.join(files)}" if files else ""
        return f": the program has no such variable{where} that debug information knows"

    return Scope(find, near, given, completed(target))


def variable(target: Target, name: str, files: Sequence[str]) -> Optional[Variable]:
    """The one variable of a name; None: there is none.

    :raises MapscopeError: if there are several
    """
    found: List[Tuple[str, Variable]] = []
    for file, one in target.file_variables(name):
        if one.address is not None and all(one.address != other.address for _, other in found):
            found.append((file, one))
    if files:
        # one that every file knows may be told as its header's
        own = [(file, one) for file, one in found if _is_of(file, files)]
        found = own or [(file, one) for file, one in found if _HEADER.search(file)]
    if len(found) > 1:
        places = ", ".join(sorted({_last(file) or "?" for file, _ in found})[:_SOME])
        raise MapscopeError(
            f"{name} is the name of {len(found)} variables, of {places}: say by `file` which"
        )
    return found[0][1] if found else None


def _last(file: str) -> str:
    return file.replace("\\", "/").rpartition("/")[2]


def _is_of(file: str, files: Sequence[str]) -> bool:
    plain = "/" + file.replace("\\", "/")
    return any(plain.endswith("/" + one) for one in files)
