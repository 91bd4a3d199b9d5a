# SPDX-License-Identifier: MIT
"""Scripts for tracers: what stands in them of a program's file, whatever that file is."""

import os
import random
import struct
from pathlib import Path
from typing import Dict, List, Tuple

import pytest
from image import FakeTarget, Image
from looking import text
from mapscope.errors import MapscopeError, MemoryUnreadable, UsageError
from mapscope.probes.call_sites import returns
from mapscope.probes.program_file import ProgramFile
from mapscope.probes.script import path_of, text_of
from mapscope.probes.usdt_script import own_probes
from mapscope.program.memory import Memory

CODE = 0x401000


def test_texts() -> None:
    assert text_of("map[string]int") == '"map[string]int"'
    assert text_of('a"b\\c') == '"a\\"b\\\\c"'
    assert text_of("x\n\x1b") == '"x\\\\n\\\\x1b"'
    for hostile in ("é" * 100, '"' * 100, "\\" * 100, 'x";} kprobe:f { exit(); //'):
        inside = text_of(hostile)[1:-1]
        bare = inside.replace("\\\\", "").replace('\\"', "")
        assert '"' not in bare and "\\" not in bare and inside.isascii() and inside.isprintable()
        assert len(inside.replace('\\"', '"').replace("\\\\", "\\")) < 64


def test_paths() -> None:
    assert path_of("/usr/bin/a-b_c.1+d@e") == "/usr/bin/a-b_c.1+d@e"
    assert path_of("x") == os.path.abspath("x")
    for wrong in ("/a b", "/a:b", '/a"b', "/a*", "/a?", "/a{b}", "/a\nb", "/é", "/a,b", "/a$b"):
        with pytest.raises(UsageError, match="make a link"):
            path_of(wrong)


def test_calls_of_a_function() -> None:
    """Also one across the border of two pieces, none of another function, none that is no call."""
    image = Image()
    size = (1 << 22) + 100
    code = bytearray(b"\x90" * size)
    callee, other = CODE + 50, CODE + 70
    for place, target in ((0, callee), (20, other), ((1 << 22) - 2, callee)):
        code[place] = 0xE8
        struct.pack_into("<i", code, place + 1, target - (CODE + place + 5))
    image.map_region(CODE, bytes(code))
    memory = Memory(FakeTarget(image).read_memory)
    found = returns(memory, CODE, CODE + size, [callee])
    assert found == {callee: [CODE + 5, CODE + (1 << 22) + 3]}
    assert returns(memory, 0x10, 0x1000, [callee]) == {callee: []}


def elf(sections: Dict[str, bytes], segment: bytes = b"\0" * 64, kind: int = 2) -> bytes:
    """A small ELF file: one loaded segment at CODE, and sections."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (*sections, ".shstrtab"))
    at = 64 + 56
    body = segment
    headers: List[Tuple[int, int, int]] = []
    for name, raw in (*sections.items(), (".shstrtab", names)):
        headers.append((names.index(name.encode() + b"\0"), at + len(body), len(raw)))
        body += raw
    table = at + len(body)
    count = len(headers) + 1
    head = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(b"\x7fELF\x02\x01\x01".ljust(16, b"\0"), kind, 62, 1, CODE, 64, table, 0),
        *(64, 56, 1, 64, count, count - 1),
    )
    load = struct.pack("<IIQQQQQQ", 1, 5, at, CODE, CODE, len(segment), len(segment) + 32, 1)
    rows = bytes(64) + b"".join(
        struct.pack("<IIQQQQIIQQ", name, 1, 0, 0, place, size, 0, 0, 1, 0)
        for name, place, size in headers
    )
    return head + load + body + rows


def note(provider: bytes, name: bytes) -> bytes:
    contents = struct.pack("<3Q", CODE, 0, 0) + provider + b"\0" + name + b"\0" + b"8@%rdi\0"
    padded = contents + b"\0" * (-len(contents) % 4)
    return struct.pack("<III", 8, len(contents), 3) + b"stapsdt\0" + padded


def test_probes_of_the_runtime(tmp_path: Path) -> None:
    path = tmp_path / "program"
    notes = note(b"mapscope", b"grow") + note(b"other", b"clear") + note(b"mapscope", b"done")
    path.write_bytes(elf({".note.stapsdt": notes}))
    assert own_probes(ProgramFile(str(path))) == {"grow", "done"}
    shown = text(FakeTarget(Image()), "probes", f"'{path}'")
    assert f"usdt:{path}:mapscope:grow\n" in shown and "mapscope:clear" not in shown
    missing = shown.partition("not seen")[2].partition("BEGIN")[0]
    assert "evacuate" in missing and "grow" not in missing
    path.write_bytes(elf({".note.stapsdt": note(b"other", b"grow")}))
    with pytest.raises(UsageError, match="is no Go program, and has no probes"):
        text(FakeTarget(Image()), "probes", f"'{path}'")


def test_pointers_of_a_program_that_moves(tmp_path: Path) -> None:
    """As the loader fills them in; beyond the file are zeros, and elsewhere nothing."""
    path = tmp_path / "program"
    relations = struct.pack("<QQq", CODE + 8, 8, 0x1234) + struct.pack("<QQq", CODE + 16, 6, 9)
    relations += struct.pack("<QQq", CODE + 60, 8, 0x5678) + struct.pack("<QQq", 8, 8, 1)
    path.write_bytes(elf({".rela.dyn": relations}, kind=3))
    file = ProgramFile(str(path))
    assert file.moves and bytes(file.read_memory(CODE, 24)) == struct.pack("<QQQ", 0, 0x1234, 0)
    assert bytes(file.read_memory(CODE + 56, 32)) == bytes(32)
    for address, size in ((CODE + 90, 8), (CODE - 1, 2), (0, 1)):
        with pytest.raises(MemoryUnreadable):
            file.read_memory(address, size)


def test_damaged_files(tmp_path: Path) -> None:
    """A line, or a script of what is there; never anything else."""
    whole = elf({".note.stapsdt": note(b"mapscope", b"grow"), ".gopclntab": bytes(100)})
    chance = random.Random(4)
    path = tmp_path / "program"
    for number in range(150):
        raw = bytearray(whole[: chance.randrange(len(whole))] if number % 3 == 0 else whole)
        for _ in range(chance.randrange(1, 6) if raw else 0):
            raw[chance.randrange(len(raw))] = chance.choice((0, 1, 0xFF, chance.randrange(256)))
        path.write_bytes(bytes(raw))
        try:
            shown = text(FakeTarget(Image()), "probes", str(path))
        except MapscopeError as error:
            assert "internal error" not in str(error), str(error)
        else:
            assert "usdt:" in shown


def test_words() -> None:
    for line, said in (("", "PROGRAM"), ("/nonexistent", "cannot read"), ("/dev/null", "no ELF")):
        with pytest.raises(MapscopeError, match=said):
            text(FakeTarget(Image()), "probes", line)
