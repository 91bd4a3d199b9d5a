# SPDX-License-Identifier: MIT
"""runtime.growslice and what stands beside it: arguments and results, in registers.

Facts: runtime/slice.go and cmd/compile/abi-internal.md of Go 1.17 to 1.27. Until 1.19 it is
growslice(et, old slice, cap), since 1.20 growslice(oldPtr, newLen, oldCap, num, et); since 1.26
growsliceBuf(..., bufPtr, bufLen) puts what fits into a buffer on the stack, and calls growslice for
what does not. All give a slice.
"""

import re
from typing import List, NamedTuple

from ...stops.host import Hit

GROWSLICE, GROWSLICE_BUF = "growslice", "growsliceBuf"
#: the end of a function (cmd/internal/obj/x86): add N, rsp; pop rbp, where it is not restored
#: before; ret
_END = re.compile(rb"(?:\x48\x83\xc4.|\x48\x81\xc4....|\x48\x83\xec\x80)\x5d?\xc3", re.DOTALL)
#: lengths that no slice has: a register that holds something else
_MOST = 1 << 47


class Call(NamedTuple):
    """What it is called with.

    :ivar wanted: the length that is to have room
    :ivar element: descriptor of the elements' type
    """

    array: int
    length: int
    capacity: int
    wanted: int
    element: int


class Given(NamedTuple):
    """What it returns."""

    array: int
    capacity: int


def call_of(hit: Hit, minor: int) -> Call:
    """The arguments, at the beginning of the function.

    :raises MapscopeError: if they cannot be read
    """
    a, b, c, d, e = (hit.register(name) for name in ("rax", "rbx", "rcx", "rdi", "rsi"))
    if minor < 20:
        return Call(array=b, length=c, capacity=d, wanted=e, element=a)
    return Call(array=a, length=(b - d) % (1 << 64), capacity=c, wanted=b, element=e)


def fits_buffer(hit: Hit) -> bool:
    """Of growsliceBuf: whether it uses the buffer."""
    return hit.register("rbx") <= hit.register("r9")


def is_possible(call: Call) -> bool:
    """Whether these can be a slice's."""
    return call.length <= call.capacity < _MOST and call.length <= call.wanted < _MOST


def given_by(hit: Hit) -> Given:
    """The results, where the function has returned to.

    :raises MapscopeError: if they cannot be read
    """
    return Given(hit.register("rax"), hit.register("rcx"))


def ends_of(code: bytes) -> List[int]:
    """Offsets of the instructions by which a function of Go's returns.

    :param code: its own
    """
    return [match.end() - 1 for match in _END.finditer(code)]
