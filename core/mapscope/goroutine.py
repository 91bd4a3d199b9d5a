# SPDX-License-Identifier: MIT
"""Which goroutine a thread runs.

Facts: runtime/runtime2.go (struct g: stack.lo, stack.hi first), runtime/tls_amd64.s and
cmd/internal/obj/x86 (g lies at fs:-8 on linux/amd64, and in R14 in Go code).
"""

from typing import Callable, Optional

from . import go_layouts

Word = Callable[[int], Optional[int]]
Register = Callable[[str], Optional[int]]


def find_g(word: Word, register: Register) -> Optional[int]:
    """The runtime.g of a thread.

    :param word: reads 8 bytes of memory; None: unreadable
    :param register: reads a register of the thread's innermost frame
    """
    fs_base = register("fs_base")
    for g in (word(fs_base - 8) if fs_base else None, register("r14")):
        if g and g % 8 == 0 and word(g) is not None:
            return g
    return None


def goid(word: Word, register: Register, minor: int) -> Optional[int]:
    """The id of the goroutine that a thread runs; None: none, or not known."""
    g = find_g(word, register)
    found = None if g is None else word(g + go_layouts.g(minor).at("goid"))
    return found if found is not None and 0 < found < 1 << 48 else None
