# SPDX-License-Identifier: MIT
"""Text of the program that a terminal, or a reader of JSON, would act on, everywhere that it can
stand: keys, values, names of types, functions, files and maps, messages, lines of stops."""

import struct
from typing import Callable, Dict, Iterator, List

import goprogram
import pytest
from codec import Int, StdString, Text
from cppprogram import CppProgram
from fuzz import Arena, Fuzzer, Look, look, looks
from goprogram import GoProgram
from host import FakeHost
from image import FakeTarget, Image, words
from looking import lines, some, text
from mapscope import shell
from mapscope.commands import SUMMARIES
from mapscope.errors import MapscopeError
from mapscope.program.target import Variable
from mapscope.program.types import Field, Kind, Type
from mapscope.program.values import escape
from model import mixed
from scenes import Scene, classic_scene, runtime_scene, swiss_scene

HOSTILE: Dict[str, str] = {
    "colour": "\x1b[31mred",
    "title": "\x1b]0;title\x07",
    "C1 control": "\x9b2J",
    "lines": "one\ntwo\r\nthree",
    "line separators": "one\u2028two\u2029three",
    "right to left": "safe\u202eexe.txt",
    "isolates": "\u2066ab\u2069",
    "no width": "a\u200bb\ufeffc",
    "tags": "a\U000e0041b",
    "delete": "a\x7f\x08\x08b",
    "quotes": "\"';--\\",
    "braces": "{%s}{0}%n",
    "not UTF-8": "a\udcff\udcfeb",
    "half a surrogate": "a\udced\udca0\udc80b",
    "long": "\x1b[1m" + "x" * 300,
}
#: those that a C string and a text of the linker can be
NAMES = {name: value for name, value in HOSTILE.items() if value.isascii() or name != "not UTF-8"}


def raw(value: str) -> bytes:
    """The bytes that the program has."""
    return value.encode("utf-8", "surrogateescape")


class RawString(StdString):
    """std::string of any bytes."""

    def encode(self, image: Image, value: object, address: int) -> bytes:
        data = raw(str(value))
        if len(data) <= 15:
            return struct.pack("<QQ16s", address + 16, len(data), data)
        return struct.pack("<QQQQ", image.place(data + b"\0", 1), len(data), len(data), 0)

    def decode(self, image: Image, data: bytes) -> str:
        start, length = struct.unpack_from("<QQ", data)
        return image.read(start, length).decode("utf-8", "surrogateescape")


class RawText(Text):
    """Go's string of any bytes."""

    def encode(self, image: Image, value: object, address: int) -> bytes:
        data = raw(str(value))
        return words(image.place(data, 1) if data else 0, len(data))

    def decode(self, image: Image, data: bytes) -> str:
        start, length = struct.unpack_from("<QQ", data)
        return image.read(start, length).decode("utf-8", "surrogateescape") if length else ""


def shown(scene: Scene) -> Iterator[str]:
    """What all commands print of a program, all lines of them; each is checked by look()."""
    arena = Arena(scene)
    for of_command in looks(scene):
        for it in of_command:
            look(arena, it)
            arena.reset()
            if not it.args.json and it.name not in ("break", "trace"):
                try:
                    yield text(scene.target, it.name, it.line)
                except MapscopeError as error:
                    yield str(error)


def all_of(scene: Scene) -> str:
    """The same in one piece."""
    return "".join(shown(scene))


KEYED: Dict[str, Callable[[], Scene]] = {
    "runtime": lambda: runtime_scene("texts", RawString(), RawString(), 9),
    "go-classic": lambda: classic_scene("texts", RawText(), RawText(), 9, "_faststr"),
}


@pytest.mark.parametrize("flavour", KEYED)
def test_keys_and_values(flavour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = list(HOSTILE.values())
    monkeypatch.setattr("scenes._value", lambda codec, n: texts[n])
    scene = KEYED[flavour]()
    printed = all_of(scene)
    for value in texts[:9]:
        assert value not in printed or value.isprintable()
    assert "\\x1b[31mred" in printed and "\\u202e" in printed
    found = [entry["key"] for entry in lines(scene.target, "entries", "m")[1:-1]]
    expected = [_json(value) for value in texts[:9]]
    assert sorted(map(str, found)) == sorted(map(str, expected))


def _json(value: str) -> object:
    """docs/commands.md, "Values": strings that are not UTF-8."""
    return value if value.isprintable() or _is_utf8(value) else {"bytes": raw(value).hex()}


def _is_utf8(value: str) -> bool:
    try:
        raw(value).decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("kind", HOSTILE)
def test_every_key_as_text_and_as_json(kind: str) -> None:
    program = CppProgram()
    model = program.map("m", RawString(), RawString(), mixed)
    model.fill({HOSTILE[kind]: HOSTILE[kind]})
    (line,) = [row for row in text(program.target, "entries", "m").split("\n") if "] = " in row]
    assert line.isprintable()
    (entry,) = lines(program.target, "entries", "m")[1:-1]
    assert entry["key"] == entry["value"] == _json(HOSTILE[kind])
    assert text(program.target, "entries", "m --json").isascii()


@pytest.mark.parametrize("kind", some([n for n in HOSTILE if _is_utf8(HOSTILE[n])], 4))
def test_names_of_types(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = HOSTILE[kind]
    cpp = runtime_scene("types", Int(8, name=name), Int(8, name="int"), 9)
    assert escape(name)[:40] in all_of(cpp)
    monkeypatch.setitem(goprogram.BASIC, name, (goprogram.UINT64, 8))
    number = Int(8, name=name)
    scenes = [classic_scene("types", number, number, 9, "_fast64", found) for found in (0, 7)]
    for scene in scenes:
        scene.type = ""
        assert escape(name)[:40] in all_of(scene)


def test_names_of_go_types_in_errors() -> None:
    """Near matches are names of the program."""
    program = GoProgram()
    for name in HOSTILE.values():
        if _is_utf8(name):
            uint64 = program.basic("uint64")
            program.map_type(f"map[{name}]uint64", uint64, uint64)
    model = program.map("m", Int(8, name="uint64"), Int(8, name="uint64"), "_fast64")
    target = program.finish()
    target.frames.clear()
    for wanted in (
        "map[red]uint64",
        "map[exe.txt]uint64",
        "map[one]uint64",
        "\x1b[31m",
        "x" * 9999,
    ):
        with pytest.raises(MapscopeError) as caught:
            text(target, "inspect", f"{model.address:#x} --type '{wanted}'")
        assert str(caught.value).isprintable() and len(str(caught.value)) <= 1000


def test_names_of_functions_and_files() -> None:
    """Of Go's own table, in a program without any other."""
    for name in HOSTILE.values():
        scene = classic_scene("functions", Int(8, name="uint64"), Text(), 9, "", 5, bare=True)
        heap = scene.image.read(goprogram.MODULE, 4096)
        names, size = struct.unpack_from("<QQ", heap, 8)
        files = struct.unpack_from("<Q", heap, 56)[0]
        table = scene.image.read(names, size)
        at = table.index(b"main.(*Application).work")
        piece = raw(name)[:24]
        scene.image.write(names + at, piece.ljust(24, b"\0"))
        scene.image.write(files, raw(name)[:30].ljust(30, b"\0"))
        printed = text(scene.target, "writers")
        assert all(line.isprintable() for line in printed.split("\n"))
        expected = escape(piece.split(b"\0")[0].decode("utf-8", "replace"))
        assert expected[:8] in printed and "hashGrow" in printed
        assert text(scene.target, "writers", "--json").isascii()


@pytest.mark.parametrize("kind", NAMES)
def test_messages(kind: str) -> None:
    """Of a race: in the history, and in the line of the stop."""
    message = raw(HOSTILE[kind]) + b"\0"
    scene = runtime_scene("messages", Int(8), Int(8), 9)
    places = [address for label, address, _ in scene.places if label == "message"]
    assert places and len(message) <= 512
    there = scene.image.allocate(1024)
    scene.image.write(there, message)
    records = [place for place in scene.places if place[0] == "records"]
    for _, start, size in records:
        found = scene.image.read(start, size).find(words(places[0]))
        if found >= 0:
            scene.image.write_word(start + found, there)
    scene.image.write_word(scene.event, 1 << 7, 4)
    scene.image.write_word(scene.event + 88, there)
    expected = escape(message[:-1].decode("utf-8", "replace"))[:40]
    assert expected in text(scene.target, "history")
    host = FakeHost(scene.target, set())
    host.functions = dict(scene.functions)
    text(scene.target, "break", "race")
    host.hook(host.functions["mapscope_debug_stop"], scene.event)
    (line,) = host.stopped
    assert line.isprintable() and expected in line
    assert text(scene.target, "break", "list").count("\n") == 1
    all_of(scene)


@pytest.mark.parametrize("kind", HOSTILE)
def test_reasons_for_which_stops_end(kind: str) -> None:
    """Memory that was a map is a function's now, whose name the program says."""
    scene = runtime_scene("reasons", Int(8), Int(8), 9)
    host = FakeHost(scene.target, set())
    host.functions = dict(scene.functions)
    text(scene.target, "break", "grow m")
    (stop,) = host.stops
    stop.retire(f"its map is gone, its memory is reused by {HOSTILE[kind]}")
    assert host.said[-1].isprintable() and escape(HOSTILE[kind])[:40] in host.said[-1]
    assert list(host.stops) == []


@pytest.mark.parametrize("flavour", ["go-classic", "go-swiss"])
def test_names_of_maps(flavour: str) -> None:
    scene = (
        classic_scene("names", Int(8, name="uint64"), Text(), 9, "_fast64")
        if flavour == "go-classic"
        else swiss_scene("names", 6, 0)
    )
    for name in HOSTILE.values():
        scene.target.globals = [(name, scene.target.variables["m"])]
        printed = text(scene.target, "list")
        # a head, a row, and which maps are not listed
        assert printed.count("\n") == 3 and all(row.isprintable() for row in printed.split("\n"))
        assert text(scene.target, "list", "--json").isascii()


@pytest.mark.parametrize("name", SUMMARIES)
def test_words_of_the_user(name: str) -> None:
    """What is typed comes back in errors; help and completion have nothing of the program."""
    target, _ = goprogram.number_map()
    for hostile in HOSTILE.values():
        quoted = "'" + hostile.replace("'", "") + "'"
        for line in (
            quoted,
            f"m {quoted}",
            f"{quoted} 0",
            f"--type {quoted} 0x1",
            f"-o {quoted}/x m",
        ):
            for words_ in (line, f"race {line}", f"on {line}"):
                FakeHost(target, set())
                try:
                    printed = text(target, name, words_)
                except MapscopeError as error:
                    printed = str(error)
                assert all(row.isprintable() for row in printed.split("\n")), (name, words_)
        assert shell.complete(name, hostile) == []
    assert all(row.isprintable() for row in text(target, name, "--help").split("\n"))


def test_fields_and_dynamic_types() -> None:
    """Names within a value."""
    number = Type(Kind.UINT, "n", 8)
    for name in HOSTILE.values():
        nested = Type(Kind.STRUCT, name, 8, (Field(name, 0, number),))
        program = CppProgram()
        model = program.map("m", Int(8), Int(8), typed=True)
        model.fill({1: 2})
        described = Type(
            Kind.RUNTIME_MAP,
            f"mapscope::map<uint64, {name}>",
            8,
            key=lambda: number,
            element=lambda nested=nested: nested,  # type: ignore[misc]
        )
        program.target.variables["m"] = Variable(described, None, words(model.address))
        for command in ("inspect m", "entries m", "bucket m 0", "find m 1", "stats m"):
            word, _, line = command.partition(" ")
            assert all(row.isprintable() for row in text(program.target, word, line).split("\n"))
            assert text(program.target, word, "--json " + line).isascii()


def test_a_value_of_ten_megabytes() -> None:
    program = CppProgram()
    model = program.map("m", RawString(), RawString(), mixed)
    long = "\x1b[31m" + "y" * (10 << 20)
    model.fill({"k": long})
    shown_ = text(program.target, "entries", "m")
    assert len(shown_) < 1000 and "\\x1b[31myyy" in shown_ and '"...' in shown_
    (entry,) = lines(program.target, "entries", "m")[1:-1]
    assert entry["value"] == long
    for command in ("find m k", "bucket m 0"):
        word, _, line = command.partition(" ")
        assert len(text(program.target, word, line)) < 4000


def test_a_name_of_ten_megabytes() -> None:
    cpp = CppProgram()
    model = cpp.map("m", Int(8, name="z" * (10 << 20)), Int(8))
    model.fill({1: 1})
    assert len(text(cpp.target, "inspect", "m")) < 20_000
    program = GoProgram()
    go = program.map("m", Int(8, name="uint64"), Int(8, name="uint64"), "_fast64")
    target = program.finish()
    # a length of three bytes, as much as it can say, and memory for all of it
    at = goprogram.TYPES + struct.unpack("<i", program.image.read(go.maptype + 40, 4))[0]
    program.image.write(at, b"\0\xff\xff\x7f")
    with pytest.raises(MapscopeError, match="no name at .*: it would have 2097151 bytes"):
        text(target, "inspect", "m")


def test_all_looks_have_lines() -> None:
    """So that the loops above cannot be empty."""
    fuzzer = Fuzzer("runtime, numbers")
    every: List[Look] = [it for of_command in fuzzer.looks[0] for it in of_command]
    assert {it.name for it in every} == set(SUMMARIES)
    assert isinstance(fuzzer.arenas[0].scene.target, FakeTarget)
