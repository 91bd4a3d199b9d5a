# SPDX-License-Identifier: MIT
"""The linker's symbols of an ELF file: addresses of names, and names of addresses, as linked.

Facts: elf(5), "String and symbol tables". What is read may be damaged: it is bounded, and what is
not there is left out.
"""

import struct
from bisect import bisect_right
from typing import Dict, List, NamedTuple, Optional

from .elf_sections import ElfSections

_SYMBOL = struct.Struct("<IBBHQQ")
#: types of symbols: of nothing that lies in memory for every thread
_SECTION, _FILE, _THREAD_LOCAL = 3, 4, 6
_FUNCTIONS = (2, 10)
#: the section of what has only a value
_ABSOLUTE = 0xFFF1
#: symbols of one file, at most
_MOST = 1 << 23


class Symbol(NamedTuple):
    """A symbol of a function or of a variable.

    :ivar address: as linked
    """

    address: int
    name: str
    size: int
    is_function: bool
    is_local: bool


class ElfSymbols:
    """The symbols of a file: of its whole table, or of what it shows to others where that is all
    that it has."""

    def __init__(self, file: ElfSections) -> None:
        self._by_name: Dict[str, List[Symbol]] = {}
        self._by_address: Dict[int, Symbol] = {}
        self._functions: List[Symbol] = []
        for table, names in ((".symtab", ".strtab"), (".dynsym", ".dynstr")):
            self._read(file.section(table), file.section(names))
            if self._by_name:
                break
        self._functions.sort()
        self._starts = [symbol.address for symbol in self._functions]

    def _read(self, raw: bytes, names: bytes) -> None:
        whole = min(len(raw) // _SYMBOL.size, _MOST) * _SYMBOL.size
        for at, info, _, section, address, size in _SYMBOL.iter_unpack(raw[:whole]):
            kind = info & 15
            if not section or section == _ABSOLUTE or kind in (_SECTION, _FILE, _THREAD_LOCAL):
                continue
            end = names.find(b"\0", at)
            name = names[at : end if end >= 0 else None].decode("utf-8", "replace")
            name = name.partition("@")[0] if "@" in name[1:] else name  # without its version
            if not name:
                continue
            symbol = Symbol(address, name, size, kind in _FUNCTIONS, info >> 4 == 0)
            self._by_name.setdefault(name, []).append(symbol)
            known = self._by_address.get(address)
            if known is None or (known.is_local and not symbol.is_local):
                self._by_address[address] = symbol
            if symbol.is_function:
                self._functions.append(symbol)

    def named(self, name: str) -> List[Symbol]:
        """Those of a name, what other files see of them first."""
        return sorted(self._by_name.get(name, ()), key=lambda symbol: symbol.is_local)

    def at(self, address: int) -> Optional[Symbol]:
        """The one of exactly an address."""
        return self._by_address.get(address)

    def function_at(self, address: int) -> Optional[Symbol]:
        """The function that has the instruction at an address; None: none that is known."""
        at = bisect_right(self._starts, address) - 1
        # aliases and parts of functions may begin between it and the address
        for symbol in reversed(self._functions[max(0, at - 7) : at + 1]):
            if address < symbol.address + symbol.size or address == symbol.address:
                return symbol
        return None

    def names(self) -> List[str]:
        """All names."""
        return list(self._by_name)
