# SPDX-License-Identifier: MIT
"""What run.py lets gdb do by itself, without mapscope: a stop at an assignment to
one map, by a condition and by a stop method. gdb sources this file, and run.py
calls one of its functions when the program stands at its checkpoint.

Arguments of a function are in registers there. C++ (System V ABI): `this`, or the
first one, in rdi. Go (its internal ABI, since 1.17): the second one in rbx, in
runtime.mapassign* the address of the hmap.
"""

from typing import Any

import gdb

CPP = ("assign_to_map", "rdi")
GO = ("runtime.mapassign_fast64", "rbx")


class _StopAt(gdb.Breakpoint):
    """Stops at `function` where its register has the value."""

    def __init__(self, function: str, register: str, value: int) -> None:
        super().__init__(function)
        self._register = register
        self._value = value

    def stop(self) -> bool:
        """Compares; nothing is evaluated."""
        return int(gdb.newest_frame().read_register(self._register)) == self._value


def _is_go() -> bool:
    return gdb.lookup_global_symbol("main.watched") is not None


def _watched() -> int:
    """The address that the register has when `watched` is assigned to."""
    if _is_go():
        value: Any = gdb.lookup_global_symbol("main.watched").value()
        return int(value)
    return int(gdb.parse_and_eval("&watched"))


def by_condition() -> None:
    """A breakpoint with a condition of gdb's own, as a user would write it."""
    if _is_go():
        function, register = GO
        # Go's expressions know no casts; of a register and a number none is needed.
        gdb.Breakpoint(function).condition = f"${register} == {_watched()}"
    else:
        gdb.Breakpoint(CPP[0]).condition = "&m == &watched"


def by_register_condition() -> None:
    """The same with the cheapest condition there is: a register and a number."""
    function, register = GO if _is_go() else CPP
    gdb.Breakpoint(function).condition = f"${register} == {_watched()}"


def by_method() -> None:
    """A breakpoint with a stop method in Python."""
    function, register = GO if _is_go() else CPP
    _StopAt(function, register, _watched())
