# SPDX-License-Identifier: MIT
"""Files that gdb has loaded, as core's: their debug information as bytes, which gdb's API does not
give."""

import os
from typing import Dict, List, Optional, Tuple

import gdb

from mapscope.program.elf_sections import ElfSections
from mapscope.program.target import CodeFile, Section
from . import core_dump

_TEXT, _INFO = ".text", ".debug_info"
#: files whose headers are kept
_MOST = 64
_files: Dict[Tuple[str, int, int], ElfSections] = {}


class GdbCodeFile(CodeFile):
    """One file.

    :param info: the file that has its debug information: itself, or one that belongs to it
    """

    def __init__(self, name: str, file: ElfSections, info: ElfSections, text: int) -> None:
        self.name = name
        self.identity = _identity(info.path)
        self.bias = text - file.addresses.get(_TEXT, text)
        self._file = file
        self._info = info

    def section(self, name: str) -> bytes:
        return (self._info if name.startswith(".debug") else self._file).section(name)

    def linked(self, name: str) -> Optional[int]:
        return self._file.addresses.get(name)


def code_file(address: int, sections: List[Section]) -> Optional[CodeFile]:
    """The file that has the code at an address; None: none that can be read here."""
    found = next((s for s in sections if s.start <= address < s.end), None)
    if found is None:
        return None
    text = next((s.start for s in sections if s.file == found.file and s.name == _TEXT), None)
    path = found.file or core_dump.program()
    file = _opened(path)
    if text is None or file is None:
        return None
    info = file
    if not file.section(_INFO):
        separate = next((one for one in _separate(path) if one.section(_INFO)), None)
        info = separate or file
    return GdbCodeFile(path, file, info, text)


def _separate(path: str) -> List[ElfSections]:
    """Files that gdb has loaded for another one's debug information."""
    found = []
    for objfile in gdb.objfiles():
        owner = objfile.owner
        if owner is not None and str(owner.filename) == path:
            file = _opened(str(objfile.filename))
            if file is not None:
                found.append(file)
    return found


def _identity(path: str) -> Tuple[str, int, int]:
    state = os.stat(path)
    return path, state.st_mtime_ns, state.st_size


def _opened(path: str) -> Optional[ElfSections]:
    try:
        identity = _identity(path)
        if identity not in _files:
            while len(_files) >= _MOST:
                _files.pop(next(iter(_files)))
            _files[identity] = ElfSections(path)
        return _files[identity]
    except (OSError, ValueError):
        return None
