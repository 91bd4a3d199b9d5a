# SPDX-License-Identifier: MIT
"""For LLDB to import: a breakpoint callback as people write them, which goes on
unless a register holds the address of a map."""

from typing import Any


def first_argument(frame: Any, location: Any, extra: Any) -> bool:
    """C++: the map is the first argument."""
    return int(frame.FindRegister("rdi").GetValueAsUnsigned()) == 1


def second_argument(frame: Any, location: Any, extra: Any) -> bool:
    """Go: the hmap is the second one."""
    return int(frame.FindRegister("rbx").GetValueAsUnsigned()) == 1
