# SPDX-License-Identifier: MIT
"""What the files of modules hold; kept from command to command, as files do not change."""

from typing import Dict, List, Tuple

import lldb

from mapscope.go.images import HEADER, is_header
from .data import bytes_of_data

#: of Go's linker, the second in position-independent programs
_FUNCTION_TABLES = (".gopclntab", ".data.rel.ro.gopclntab")
#: of Go's linker too, where another one has put the table elsewhere
_HINTS = (".go.buildinfo", ".note.go.buildid", ".noptrdata")


def is_go_module(module: lldb.SBModule) -> bool:
    """Whether it is a Go program, a Go plugin or a library that Go is in: by its table of
    functions, in whichever section it is."""
    if any(module.FindSection(name).IsValid() for name in _FUNCTION_TABLES):
        return True
    if not any(module.FindSection(name).IsValid() for name in _HINTS):
        return False
    raw = section_bytes(module, ".data.rel.ro")
    return any(is_header(raw[at.start() : at.start() + 128]) for at in HEADER.finditer(raw))


def section_bytes(module: lldb.SBModule, name: str) -> bytes:
    """What a section of a module's file holds; nothing where there is none."""
    return bytes_of_data(module.FindSection(name).GetSectionData()) or b""


_template_names: Dict[Tuple[str, str, str], Tuple[str, ...]] = {}


def template_names(module: lldb.SBModule, base: str) -> Tuple[str, ...]:
    """All instances of templates of a name, as the module's debug information spells them."""
    key = (str(module.GetFileSpec()), str(module.GetUUIDString()), base)
    if key not in _template_names:
        # linkers let a string be the end of another one
        raw, head = section_bytes(module, ".debug_str"), base.encode() + b"<"
        found: List[str] = []
        at = raw.find(head)
        while at >= 0:
            found.append(raw[at : raw.find(b"\0", at)].decode("utf-8", "replace"))
            at = raw.find(head, at + 1)
        _template_names[key] = tuple(dict.fromkeys(found))
    return _template_names[key]
