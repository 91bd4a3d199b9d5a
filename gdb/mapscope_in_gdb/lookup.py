# SPDX-License-Identifier: MIT
"""Puts our pretty-printers where gdb asks first.

gdb asks the printers of an object file first, in the order of its list (gdb
manual, "Selecting Pretty-Printers"); Go's own script appends to that list. So
ours stands in front of the list of every object file, also of those that are
loaded later.
"""

import sys
from typing import Any

import gdb

from .names import is_go_header

NAME = "mapscope"
#: what names of classes and structs begin with that are maps
_MAPS = ("mapscope::map<", "internal/sync.HashTrieMap[")
#: what names of iterators of maps end with
_ITERATORS = ("::basic_iterator<false>", "::basic_iterator<true>")


class Lookup:
    """gdb's way to ask for a printer; `enabled` obeys "disable pretty-printer"."""

    name = NAME
    enabled = True
    subprinters = None

    def __call__(self, value: gdb.Value) -> Any:
        if not self.enabled:
            return None
        type = value.type
        code = type.code
        if code == gdb.TYPE_CODE_TYPEDEF:
            target = type.strip_typedefs()
            if target.code == gdb.TYPE_CODE_PTR:
                if is_go_header(target.target()):
                    return _map_printer(value)
                return None
        elif code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
            type = type.target()
        type = type.strip_typedefs()
        if type.code != gdb.TYPE_CODE_STRUCT:
            return None
        tag = type.name or ""
        if tag.endswith(_ITERATORS) and tag.startswith("mapscope::map<"):
            return _iterator_printers().IteratorPrinter(value)
        if tag.startswith(_MAPS) or tag in ("mapscope::hmap", "runtime.hmap", "sync.Map"):
            return _map_printer(value)
        if tag in ("mapscope::bmap", "runtime.bmap") or tag.startswith("bucket<"):
            return _printers().BucketPrinter(value)
        if tag == "string" or tag.startswith("[]") or ("." in tag and "::" not in tag):
            return _slice_printers().printer_of(value)
        return None


def _map_printer(value: gdb.Value) -> Any:
    if "gdb.dap" in sys.modules:  # gdb is an adapter of an IDE, and an IDE asks page by page
        from . import dap_printers

        return dap_printers.MapPages(value)
    return _printers().MapPrinter(value)


def _printers() -> Any:
    from . import printers

    return printers


def _iterator_printers() -> Any:
    from . import iterator_printers

    return iterator_printers


def _slice_printers() -> Any:
    from . import slice_printers

    return slice_printers


def claim(owner: Any, lookup: Lookup) -> None:
    """Put ours in front of the printers of an object file, a program space or gdb."""
    others = [p for p in owner.pretty_printers if getattr(p, "name", None) != NAME]
    owner.pretty_printers = [lookup] + others


def register(lookup: Lookup) -> None:
    """In front of all printers that there are now."""
    claim(gdb, lookup)
    for space in gdb.progspaces():
        claim(space, lookup)
        for objfile in space.objfiles():
            claim(objfile, lookup)
