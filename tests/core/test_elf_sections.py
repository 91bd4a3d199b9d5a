# SPDX-License-Identifier: MIT
"""Sections of ELF files, plain and compressed, and of files that are damaged."""

import random
import struct
import zlib
from pathlib import Path
from typing import Dict, Tuple

import pytest

from mapscope.program.elf_sections import ElfSections

_COMPRESSED = 0x800
_TEXT = bytes(range(256)) * 40


def elf(sections: Dict[str, Tuple[int, int, bytes]]) -> bytes:
    """A file with these sections: name -> (flags, address, bytes in the file)."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in sections) + b".shstrtab\0"
    body, rows = b"", [bytes(64)]
    for name, (flags, address, raw) in sections.items():
        at = names.index(b"\0" + name.encode() + b"\0") + 1
        where = (64 + len(body), len(raw))
        rows.append(struct.pack("<IIQQQQIIQQ", at, 1, flags, address, *where, 0, 0, 1, 0))
        body += raw
    at = names.index(b"\0.shstrtab\0") + 1
    rows.append(struct.pack("<IIQQQQIIQQ", at, 3, 0, 0, 64 + len(body), len(names), 0, 0, 1, 0))
    body += names
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    head = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(ident, 2, 62, 1, 0, 0, 64 + len(body), 0, 64, 56, 0, 64, len(rows), len(rows) - 1),
    )
    return head + body + b"".join(rows)


def compressed(raw: bytes, kind: int = 1) -> bytes:
    return struct.pack("<IIQQ", kind, 0, len(raw), 1) + zlib.compress(raw)


def whole() -> bytes:
    return elf(
        {
            ".text": (0, 0x401000, b"\x90" * 16),
            ".debug_info": (_COMPRESSED, 0, compressed(_TEXT)),
            ".zdebug_line": (0, 0, b"ZLIB" + len(_TEXT).to_bytes(8, "big") + zlib.compress(_TEXT)),
            ".debug_loc": (_COMPRESSED, 0, compressed(_TEXT, 2)),  # zstd
            ".debug_str": (_COMPRESSED, 0, compressed(_TEXT)[:60]),
        }
    )


def test_sections_are_found_and_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(whole())
    found = ElfSections(str(path))
    assert found.addresses[".text"] == 0x401000
    assert found.section(".text") == b"\x90" * 16
    assert found.section(".debug_info") == found.section(".debug_line") == _TEXT
    assert found.section(".debug_abbrev") == b""


def test_what_cannot_be_unpacked_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(whole())
    found = ElfSections(str(path))
    assert found.section(".debug_loc") == found.section(".debug_str") == b""
    path.write_bytes(b"#!/bin/sh\n")
    assert ElfSections(str(path)).addresses == {}
    with pytest.raises(OSError):
        ElfSections(str(tmp_path / "none"))


def test_damaged_files_end(tmp_path: Path) -> None:
    """Whatever is changed in a file, what is read is no more than it says it has."""
    path, chance, original = tmp_path / "program", random.Random(7), whole()
    for _ in range(300):
        raw = bytearray(original)
        for _ in range(chance.randrange(1, 6)):
            raw[
                chance.choice((chance.randrange(64), chance.randrange(len(raw))))
            ] = chance.randrange(256)
        path.write_bytes(
            bytes(raw[: chance.randrange(len(raw)) if chance.random() < 0.2 else None])
        )
        found = ElfSections(str(path))
        for name in (".text", ".debug_info", ".debug_line", ".debug_str"):
            assert len(found.section(name)) <= 1 << 20
