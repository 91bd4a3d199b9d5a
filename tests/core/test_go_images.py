# SPDX-License-Identifier: MIT
"""Which kind of Go program it is: by its table of functions, wherever that is, and by its types;
what is not known is said."""

import struct
from typing import Sequence

import pytest
from goprogram import GoProgram, number_map
from image import FakeTarget
from looking import one
from mapscope.errors import LayoutUnknown
from mapscope.go import descriptors
from mapscope.go.images import find_images
from mapscope.go.layouts import CLASSIC_SIGN, SWISS_SIGN, VERSION_SIGNS
from mapscope.program.memory import Memory
from mapscope.program.target import Section
from mapscope.session import Session

TABLE = 0x700000


def with_table(target: FakeTarget, names: Sequence[str], magic: int, where: str) -> None:
    """Give a program a table of functions with these names, in a section of its own, or after
    others' data in one of the C linker's."""
    text = b"\0" + b"".join(name.encode() + b"\0" for name in names)
    head = struct.pack(
        "<IHBB8Q", magic, 0, 1, 8, len(names), 1, 0x1000, *[72] + [72 + len(text)] * 4
    )
    before = bytes(0 if where == ".gopclntab" else 160)
    target.image.map_region(TABLE, before + head[:72] + text + bytes(64))
    end = TABLE + len(before) + 72 + len(text) + 64
    target.section_list = [Section(where, TABLE, end), Section(".go.buildinfo", 0x10, 0x20)]


def program_of(target: FakeTarget) -> descriptors.GoProgram:
    return descriptors.GoProgram(target, Memory(target.read_memory))


@pytest.mark.parametrize("where", [".gopclntab", ".data.rel.ro"])
@pytest.mark.parametrize("kind, swiss", [(CLASSIC_SIGN, False), (SWISS_SIGN, True)])
@pytest.mark.parametrize("told", ["unknown", "go1.19.8", "go1.26.1", ""])
def test_functions_tell_the_kind_whatever_the_text_says(
    where: str, kind: str, swiss: bool, told: str
) -> None:
    target = FakeTarget(GoProgram().image)
    since = [first for minor, first, _ in VERSION_SIGNS if minor <= 24]
    with_table(target, [*since, kind], 0xFFFFFFF1, where)
    if told:
        text = target.image.place(told.encode())
        place = target.image.place(struct.pack("<QQ", text, len(told)))
        target.symbol_table["runtime.buildVersion"] = [place]
    program = program_of(target)
    assert Session(target).is_go()
    assert program.has_swiss_maps == swiss
    # go1.26 would be told by nothing that is missing
    assert program.minor == (26 if told == "go1.26.1" else 24)
    assert bool(program.doubts()) == (told != "go1.26.1")


def test_a_section_of_that_name_is_not_go() -> None:
    target = FakeTarget(GoProgram().image)
    target.image.map_region(TABLE, b"none of Go's" + bytes(200))
    target.section_list = [Section(".gopclntab", TABLE, TABLE + 200)]
    assert not Session(target).is_go()


@pytest.mark.parametrize("magic", [0, 0xFFFFFFFB, 0xFFFFFF00])
def test_other_data_is_no_table(magic: int) -> None:
    target = FakeTarget(GoProgram().image)
    with_table(target, [CLASSIC_SIGN], magic, ".data.rel.ro")
    assert find_images(target, Memory(target.read_memory)) == []


def test_types_tell_the_kind_where_functions_do_not() -> None:
    target, model = number_map(version="")
    model.fill({n: n for n in range(13)})
    program = program_of(target)
    assert not program.has_swiss_maps and program.doubts()
    assert one(target, "inspect", "m")["flavor"] == "go-classic"


def test_nothing_tells_the_kind() -> None:
    program = GoProgram("")
    program.basic("int")
    with pytest.raises(LayoutUnknown, match="cannot tell whether"):
        _ = program_of(program.finish()).has_swiss_maps


def test_what_is_not_read_of_one_runtime_is_told_by_the_command() -> None:
    """Where a process has two, each is looked at by a session of its own."""
    target, _ = number_map()
    session = Session(target)
    first, second = program_of(target), program_of(target)
    session._runtimes, session._go = [first, second], first
    other = session.for_runtime(second)
    assert other.go is second and session.go is first
    other.unread.append(("main.Table", "cannot read 8 bytes"))
    other.parked_unknown.append("goroutines that no thread runs")
    assert len(session.unread) == len(session.parked_unknown) == 1
