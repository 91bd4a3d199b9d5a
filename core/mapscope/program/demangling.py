# SPDX-License-Identifier: MIT
"""C++ names out of the linker's symbols, by the machine's own C++ library where there is one: a
debugger has a demangler of its own, Python has none.

Facts: the Itanium C++ ABI, "__cxa_demangle".
"""

import ctypes
from functools import lru_cache
from typing import Any, Optional, Tuple

#: of GCC, and of LLVM
_LIBRARIES = ("libstdc++.so.6", "libc++abi.so.1")
#: characters of a symbol that is demangled
_LONGEST = 1 << 16


@lru_cache(maxsize=1)
def _library() -> Optional[Tuple[Any, Any]]:
    """The library's function, and what gives its result back; None: there is none."""
    for name in _LIBRARIES:
        try:
            demangle = ctypes.CDLL(name).__cxa_demangle
            free = ctypes.CDLL(None).free
        except (OSError, AttributeError):
            continue
        demangle.restype = ctypes.c_void_p
        demangle.argtypes = (ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
        free.argtypes = (ctypes.c_void_p,)
        free.restype = None
        return demangle, free
    return None


@lru_cache(maxsize=1 << 16)
def demangled(symbol: str) -> str:
    """A symbol as C++ writes it; as it is where it is no mangled one, or nothing here can tell."""
    library = _library() if symbol.startswith("_Z") and len(symbol) < _LONGEST else None
    if library is None:
        return symbol
    demangle, free = library
    try:
        text = demangle(symbol.encode("ascii"), None, None, None)
    except UnicodeEncodeError:
        return symbol
    if not text:
        return symbol
    try:
        return ctypes.string_at(text).decode("utf-8", "replace")
    finally:
        free(text)
