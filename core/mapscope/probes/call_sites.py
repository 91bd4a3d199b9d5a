# SPDX-License-Identifier: MIT
"""Where machine code of x86-64 calls a function: E8 and the distance to it.

A byte E8 within another instruction is taken for a call only if the four bytes behind it happen to
be the distance, which for a few functions is seen once in some ten thousand programs.
"""

import re
from typing import Collection, Dict, List

from ..errors import MemoryUnreadable
from ..program.memory import Memory

#: call rel32, at any byte
_CALL = re.compile(rb"(?=\xe8(.{4}))", re.DOTALL)
_CALL_BYTES = 5
#: bytes that are looked at, and at once
_MOST, _PIECE = 1 << 28, 1 << 22


def returns(memory: Memory, start: int, end: int, callees: Collection[int]) -> Dict[int, List[int]]:
    """Addresses of the instructions behind the calls of each function, in code from `start` to
    `end`; what cannot be read has none."""
    wanted = set(callees)
    found: Dict[int, List[int]] = {callee: [] for callee in callees}
    end = min(end, start + _MOST)
    for piece in range(start, end, _PIECE):
        try:
            # a call may lie across the border
            code = memory.read(piece, min(_PIECE + _CALL_BYTES - 1, end - piece))
        except MemoryUnreadable:
            continue
        for match in _CALL.finditer(bytes(code)):
            behind = piece + match.start() + _CALL_BYTES
            callee = behind + int.from_bytes(match[1], "little", signed=True)
            if callee in wanted:
                found[callee].append(behind)
    return found
