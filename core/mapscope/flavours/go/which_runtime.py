# SPDX-License-Identifier: MIT
"""Which Go runtime a map belongs to, where a process has several: each library that was built for
use by programs of other languages brings its own."""

from typing import Optional

from ...errors import MapscopeError, NotAMap
from ...go.descriptors import GoProgram
from ...program.target import Frame, Variable
from ...program.values import escape
from ...session import Session


def of_frame(session: Session, frame: Frame) -> Session:
    """The session at the runtime whose code a frame is in."""
    several = len(session.runtimes()) > 1
    return session.for_runtime(session.runtime_at(frame.pc()) if several else None)


def of_variable(session: Session, variable: Variable) -> Session:
    """The session at the runtime that has a variable's type, or the variable itself; a local
    variable's is that of the selected frame."""
    if len(session.runtimes()) < 2:
        return session
    for address in (variable.type.go_type, variable.address):
        owner = session.runtime_at(address) if address else None
        if owner is not None:
            return session.for_runtime(owner)
    swiss = variable.type.swiss
    if session.go.has_swiss_maps != swiss:
        same = [one for one in session.runtimes() if one.has_swiss_maps == swiss]
        return session.for_runtime(same[0]) if len(same) == 1 else session
    return session


def of_address(session: Session, address: int, type: Optional[str]) -> Session:
    """The session at the runtime that a map at an address is of.

    :param type: its name, if it is told
    :raises NotAMap: if nothing tells, and they differ
    """
    runtimes = session.runtimes()
    if len(runtimes) < 2:
        return session
    having = [one for one in runtimes if type is None or _has(one, type)] or runtimes
    if len({(one.minor, one.has_swiss_maps) for one in having}) == 1:
        return session.for_runtime(session.go if session.go in having else having[0])
    selected = session.selected_runtime()
    if selected in having:
        return session.for_runtime(selected)
    names = " and ".join(
        f"go1.{one.minor} in {escape(one.file) or 'the program'}" for one in having
    )
    raise NotAMap(
        f"there are {len(runtimes)} Go runtimes in this process, and nothing tells whose map is at "
        f"{address:#x}, that of {names}: select a frame that is its code"
    )


def _has(program: GoProgram, type: str) -> bool:
    try:
        program.find(type)
    except MapscopeError:
        return False
    return True
