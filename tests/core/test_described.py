# SPDX-License-Identifier: MIT
"""Described tables: what is wrong with a description is told in a line, and what is wrong with a
table ends."""

import random
import struct
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

import pytest
from image import FakeTarget, Image, frame
from looking import lines, one, text

from mapscope.errors import MapscopeError
from mapscope.flavours.described import described_tables
from mapscope.flavours.described.description import DescriptionError, read_description
from mapscope.flavours.described.formulas import (
    Env,
    FormulaError,
    check_syntax,
    compile_formula,
)
from mapscope.flavours.described.named_hashes import HASHES
from mapscope.flavours.described.scopes import struct_scope
from mapscope.program.memory import Memory
from mapscope.program.target import Variable
from mapscope.program.types import CppClass, Kind, Part, Type

UINT = Type(Kind.UINT, "unsigned int", 4)
ULONG = Type(Kind.UINT, "unsigned long", 8)
INT = Type(Kind.INT, "int", 4)
BYTE = Type(Kind.UINT, "unsigned char", 1)
DOUBLE = Type(Kind.FLOAT, "double", 8)


def struct_of(tag: str, size: int, *parts: Tuple[str, int, Type]) -> Type:
    """A struct, as debug information has it."""
    made = CppClass(tag, tuple(Part(*part) for part in parts), lambda index: None)
    return Type(Kind.STRUCT, tag, size, as_class=lambda: made)


def pointer_to(type: Type) -> Type:
    """A pointer."""
    return Type(Kind.POINTER, f"{type.name} *", 8, element=lambda: type)


def _node() -> Type:
    return NODE


_ITSELF = Type(Kind.POINTER, "node *", 8, element=_node)
NODE: Type = struct_of("node", 24, ("next", 0, _ITSELF), ("key", 8, ULONG), ("value", 16, INT))
TABLE = struct_of(
    "table",
    48,
    ("array", 0, pointer_to(_ITSELF)),
    ("bits", 8, UINT),
    ("count", 12, UINT),
    ("old", 16, pointer_to(_ITSELF)),
    ("done", 24, ULONG),
    ("pair", 32, Type(Kind.ARRAY, "unsigned int[2]", 8, element=lambda: UINT, length=2)),
    ("load", 40, DOUBLE),
)
GOOD = """
[table]
name = mine
type = table
array = array
size = 1 << bits
count = count
[old]
when = old
array = old
size = 1 << (bits - 1)
done = done
busy = grow
[node]
next = next
[key]
at = key
[value]
at = value
[lookup]
hash = identity
[moving]
function = step
locals = rest
[stops]
assign = put table=t key=key
"""


@pytest.fixture(autouse=True)
def nothing_loaded() -> Iterator[None]:
    """What one test loads is of no other's concern."""
    yield
    for one_loaded in described_tables.loaded():
        described_tables.forget(one_loaded.name)


class Target(FakeTarget):
    """A program with variables of files."""

    def __init__(self, image: Image) -> None:
        super().__init__(image)
        self.types = {"table": TABLE, "node": NODE}
        self.of_files: Dict[str, List[Tuple[str, Variable]]] = {}

    def file_variables(self, name: str) -> List[Tuple[str, Variable]]:
        return self.of_files.get(name, [])


class Table:
    """A table of 8 buckets that is emptied into one of 16, three buckets of which are done."""

    def __init__(self, keys: int = 40) -> None:
        self.image = Image()
        self.target = Target(self.image)
        self.old, self.new = self.image.allocate(64), self.image.allocate(128)
        self.address = self.image.place(
            struct.pack("<QIIQQII8x", self.new, 4, keys, self.old, 3, 5, 7)
        )
        self.nodes: Dict[int, int] = {}
        for key in range(keys):
            self.hang(key, *((self.old, 8) if key % 8 >= 3 else (self.new, 16)))
        self.target.variables["t"] = Variable(TABLE, self.address)

    def hang(self, key: int, array: int, size: int) -> None:
        """One more entry."""
        head = array + 8 * (key % size)
        node = self.image.place(struct.pack("<QQq", self.image.word(head), key, -key))
        self.nodes[key] = node
        self.image.write_word(head, node)


def load(target: FakeTarget, folder: Path, description: str = GOOD) -> str:
    """`map describe` of it."""
    path = folder / "mine.table"
    path.write_text(description, encoding="utf-8")
    return text(target, "describe", str(path))


def shown(target: FakeTarget) -> Dict[int, int]:
    """All entries of t, each once."""
    _, *entries, last = lines(target, "entries", "t")
    found = {entry["key"]: entry["value"] for entry in entries}
    assert len(found) == len(entries) == last["entries"]
    return found


TRUTH = {key: -key for key in range(40)}


def test_a_table_in_mid_migration(tmp_path: Path) -> None:
    table = Table()
    assert load(table.target, tmp_path).startswith("loaded mine (")
    assert shown(table.target) == TRUTH
    facts = one(table.target, "inspect", "t")
    assert (facts["type"], facts["count"], facts["sizes"]) == ("mine", 40, [8, 16])
    assert facts["growth"]["nevacuate"] == 3 and facts["growth"]["entries_moved"] is None
    for key in (0, 1, 13, 39):
        found = one(table.target, "find", f"t {key}")
        assert found["method"] == "hash" and found["entry"]["value"] == -key
    assert one(table.target, "find", "t 40")["found"] is False
    assert one(table.target, "check", "t")["ok"] is True
    assert one(table.target, "stats", "t")["entries"] == 40
    assert "key +8  elem +16" in text(table.target, "bucket", "t 4 --old")
    assert one(table.target, "describe")["descriptions"][0]["name"] == "mine"


def test_parts_of_the_table_in_what_is_said_of_its_nodes(tmp_path: Path) -> None:
    table = Table()
    table.target.types["unsigned long"] = ULONG
    # bits is 4: the key is 8 bytes behind the beginning of its node
    by_table = GOOD.replace("at = key", "at = $node + $table->bits * 2\ntype = unsigned long")
    load(table.target, tmp_path, by_table)
    assert shown(table.target) == TRUTH
    assert one(table.target, "find", "t 13")["entry"]["value"] == -13
    with pytest.raises(MapscopeError, match="table has no bite; did you mean bits"):
        load(table.target, tmp_path, GOOD.replace("at = key", "at = $table->bite"))
    with pytest.raises(MapscopeError, match=r"\$table has no value here"):
        load(table.target, tmp_path, GOOD.replace("count = count", "count = $table->count"))


def test_what_hangs_on_a_local_alone(tmp_path: Path) -> None:
    table = Table()
    load(table.target, tmp_path)
    # the step has moved the first entry of bucket 3, and holds the others
    first = table.image.word(table.old + 24)
    rest = table.image.word(first)
    key = table.image.word(first + 8)
    head = table.new + 8 * (key % 16)
    table.image.write_word(first, table.image.word(head))
    table.image.write_word(head, first)
    table.target.frames = [frame("step", 1, rest=rest)]
    assert shown(table.target) == TRUTH
    rows = lines(table.target, "entries", "t")[1:-1]
    flying = [row["key"] for row in rows if row.get("in_flight")]
    assert flying and all(key % 8 == 3 for key in flying) and len(flying) == 4
    table.target.frames = []
    last = lines(table.target, "entries", "t")[-1]
    assert not last["complete"] and last["error"].startswith("cannot tell: 4 entries may be")
    assert one(table.target, "find", f"t {key}")["found"] is True


def test_a_count_that_is_ahead_of_its_entry(tmp_path: Path) -> None:
    table = Table()
    load(table.target, tmp_path, GOOD.replace("assign =", "adding = link\nassign ="))
    table.image.write_word(table.address + 12, 41, 4)
    last = lines(table.target, "entries", "t")[-1]
    assert not last["complete"] and last["error"].startswith("cannot tell: 1 entry may be")
    table.target.frames = [frame("insert", 2), frame("link", 2, t=table.address)]
    assert lines(table.target, "entries", "t")[-1]["complete"] is True
    table.target.frames = [frame("main", 2)]
    table.image.write_word(table.address + 16, 0)  # not migrating: nothing is on its way
    for key in range(40):
        if key % 8 >= 3:
            table.hang(key, table.new, 16)
    assert lines(table.target, "entries", "t")[-1]["complete"] is False
    table.target.frames = [frame("insert", 2), frame("link", 2, t=table.address)]
    assert lines(table.target, "entries", "t")[-1]["complete"] is True
    assert shown(table.target) == TRUTH


def test_a_function_without_a_name_may_be_moving_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table()
    held: Dict[str, int] = {}
    monkeypatch.setattr("image._Running.registers", lambda thread: held)
    load(table.target, tmp_path)
    first = table.image.word(table.old + 24)
    rest = table.image.word(first)
    table.image.write_word(first, 0)
    writer = frame("put", 1)
    table.target.frames = [frame("??", 1), writer]
    # a writer that debug information describes would show what it calls: it adds one, at most
    assert not lines(table.target, "entries", "t")[-1]["complete"]
    # of one without, it is not known: what it has in its hands is tried
    writer.has_variables = False
    last = lines(table.target, "entries", "t")[-1]
    assert not last["complete"] and "nothing says whether that moves entries" in last["error"]
    held["rdi"] = rest
    assert shown(table.target) == TRUTH
    # nor is one entry believed to be counted alone, which else it would
    held.clear()
    table.image.write_word(first, rest)
    table.image.write_word(table.address + 12, 41, 4)
    assert not lines(table.target, "entries", "t")[-1]["complete"]
    writer.has_variables = True
    assert lines(table.target, "entries", "t")[-1]["complete"]
    # where the function has a name, it is not it
    writer.has_variables = False
    table.target.symbol_table["step"] = [0x40]
    assert not lines(table.target, "entries", "t")[-1]["complete"], "nothing is there"
    table.target.symbol_table["step"] = [table.image.allocate(16)]
    assert lines(table.target, "entries", "t")[-1]["complete"]


def test_a_thread_that_sets_the_table_up(tmp_path: Path) -> None:
    table = Table()
    load(table.target, tmp_path)
    table.image.write_word(table.address + 16, 0)  # the old array is not noted yet
    last = lines(table.target, "entries", "t")[-1]
    assert last["error"] == "the header counts 40 entries, and 15 were found"
    table.target.frames = [frame("grow.part.0", 3)]
    last = lines(table.target, "entries", "t")[-1]
    assert last["error"].startswith("cannot tell which entries there are: thread 3 is in grow")


def test_a_migration_that_stands_still(tmp_path: Path) -> None:
    table = Table()
    waits = "locals = rest\nwaits = usleep nap\nwaits_for = a lock is held"
    load(table.target, tmp_path, GOOD.replace("locals = rest", waits))
    assert one(table.target, "inspect", "t")["notes"] == []
    table.target.frames = [frame("nanosleep", 2), frame("usleep", 2), frame("step", 2)]
    said = "stalled: thread 2, which moves entries, is in usleep at old bucket 3: a lock is held"
    assert one(table.target, "inspect", "t")["notes"] == [said]
    assert f"note       {said}" in text(table.target, "inspect", "t")
    table.target.frames = [frame("usleep", 2), frame("serve", 2), frame("step", 3)]
    assert one(table.target, "inspect", "t")["notes"] == []


def test_writers_of_a_table_that_may_be_locked_are_no_race(tmp_path: Path) -> None:
    table = Table()
    load(table.target, tmp_path)
    assert text(table.target, "writers") == "no thread is inside a map write\n"
    table.target.frames = [frame("put", at, t=table.address) for at in (1, 2)]
    for one_frame in table.target.frames:
        one_frame.variables["t"] = Variable(
            pointer_to(TABLE), None, struct.pack("<Q", table.address)
        )
    said = text(table.target, "writers")
    assert said.count(f"assign, mine {table.address:#x}") == 2
    assert f"cannot tell: whether the 2 writers of mine {table.address:#x} race" in said
    assert "RACE" not in said


@pytest.mark.parametrize(
    "change, error",
    [
        (("array = array", "arrax = array"), ":5: [table] has no 'arrax'; did you mean array?"),
        (("array = array", "array = arrax"), ":5: array: 'arrax': there is no arrax in table; did"),
        (("array = array", "array = pair[2"), ":5: array: 'pair[2': ']' is expected at its end"),
        (("array = array", "array = bits"), ":5: array: a bucket is no pointer to nodes"),
        (("array = array", "array = array = 1"), ":5: array: 'array = 1': '=' means nothing here"),
        (("array = array", "array ="), ":5: array has no value"),
        (("size = 1 << bits", "size = $hash"), ":6: size: '$hash': $hash has no value here"),
        (
            ("size = 1 << bits", "size = bits.low"),
            ":6: size: 'bits.low': unsigned int has no parts",
        ),
        (("size = 1 << bits", "size = bits bits"), ":6: size: 'bits bits': 'bits' is one too many"),
        (("count = count", "count = count\ncount = 1"), ":8: count stands in line 7 already"),
        (("type = table", "type = tablet"), ":4: type: the program has no type tablet"),
        (("type = table", "type = table\nfile = a.c"), ":5: file: it is of a table of variables"),
        (("[old]", "[olt]"), ":8: no section [olt]; did you mean old or slot?"),
        (("name = mine", "name = a b"), ":3: name: 'a b': a name has letters"),
        (("next = next", "nxt = next"), ":15: [node] has no 'nxt'; did you mean next?"),
        (("done = done", ""), "[old] lacks done"),
        (("at = key", "at = key\nas = txt"), ":18: as: no form 'txt'; did you mean text?"),
        (("at = key", "at = key\nas = text"), ":18: as: `as = text` and `length` go together"),
        (("at = key", "at = key + 1"), ":17: at: of which type? Name one (type = TYPE)"),
        (("identity", "murmur"), ":21: hash: no hash function 'murmur'; did you mean murmur3-32?"),
        (("identity", "stored"), ":21: hash: [node] lacks hash, where it is stored"),
        (("table=t", "tabel=t"), ":26: assign: 'tabel=t' is none of table=PARAMETER"),
        (("table=t ", ""), ":26: assign: table=PARAMETER is to say which table"),
        (
            ("[node]", "[slot]\nlive = 1\n[node]"),
            "either [node], of chains, or [slot] is to be there",
        ),
        (("[table]", "[table"), "neither [section] nor NAME = VALUE"),
        (("[table]\n", ""), "a value before the first [section]"),
        (("1 << bits", "(" * 30 + "1" + ")" * 30), "is nested too deep"),
        (("1 << bits", "1+" * 300 + "1"), "an expression of 601 characters: 400 are allowed"),
        (("1 << bits", "1" * 30), "has more than 64 bits"),
        (("1 << bits", "1?" * 60 + "1" + ":1" * 60), "is nested too deep"),
        (
            ("1 << bits", "1 << bits\nsegment = 4"),
            ":7: segment: segments are of one table of chains",
        ),
        (("assign = ", "grow = put tabel=t\nassign = "), ":26: grow: 'tabel=t' is none of table"),
    ],
)
def test_what_is_wrong_with_a_description(
    tmp_path: Path, change: Tuple[str, str], error: str
) -> None:
    table = Table()
    assert GOOD.count(change[0]) >= 1
    with pytest.raises(MapscopeError) as raised:
        load(table.target, tmp_path, GOOD.replace(*change, 1))
    assert error in str(raised.value), str(raised.value)
    assert "\n" not in str(raised.value)
    assert not described_tables.loaded(), "a wrong file was loaded"


def test_files_that_are_none(tmp_path: Path) -> None:
    target = Table().target
    for word in (str(tmp_path / "none"), str(tmp_path), "/dev/null", "memcache"):
        with pytest.raises(MapscopeError):
            text(target, "describe", f"'{word}'")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe[table]")
    with pytest.raises(MapscopeError, match="no text in UTF-8"):
        text(target, "describe", str(tmp_path / "bytes"))
    (tmp_path / "long").write_text("#" * (1 << 17), encoding="utf-8")
    with pytest.raises(MapscopeError, match="no description is so long"):
        text(target, "describe", str(tmp_path / "long"))
    with pytest.raises(MapscopeError, match="no description mine is loaded"):
        text(target, "describe", "--forget mine")


def test_the_descriptions_that_come_with_mapscope() -> None:
    names = described_tables.bundled()
    assert names == ["dynahash", "isc_ht", "memcached"]
    for name in names:
        path = described_tables.BUNDLED / f"{name}.table"
        assert read_description(path.read_text(encoding="utf-8"), path.name).name == name


def test_variables_of_one_name(tmp_path: Path) -> None:
    image = Image()
    target = Target(image)
    array = image.allocate(64)
    places = [image.place(struct.pack("<Q", array)) for _ in range(2)]
    size = Variable(UINT, image.place(struct.pack("<I", 8)))
    kind = pointer_to(_ITSELF)
    target.of_files = {
        "heads": [("/src/a.c", Variable(kind, places[0])), ("/src/b.c", Variable(kind, places[1]))],
        "size": [("/src/size.h", size)],
    }
    start = "[table]\nname = heads\narray = heads\nsize = size\n"
    rest = "[node]\nnext = next\n[key]\nat = key\n"
    with pytest.raises(MapscopeError, match="heads is the name of 2 variables, of a.c, b.c: say"):
        load(target, tmp_path, start + rest)
    with pytest.raises(MapscopeError, match="no such variable in c.c"):
        load(target, tmp_path, start + "file = c.c\n" + rest)
    load(target, tmp_path, start + "file = b.c\n" + rest)
    assert one(target, "inspect", "heads")["address"] == hex(places[1])
    assert one(target, "list")["maps"][0]["count"] == 0
    image.write_word(places[1], 0x10)
    assert one(target, "list")["unread"], "a table that cannot be read is none without entries"
    with pytest.raises(MapscopeError, match="cannot tell how many entries heads has: new buckets"):
        text(target, "entries", "heads")
    assert one(target, "check", "heads")["ok"] is False


@pytest.mark.parametrize(
    "formula, value",
    [
        ("1 + 2 * 3", 7),
        ("pair[1] - pair[0]", 2),
        ("(1 << bits) - 1 & 0xf7", 7),
        ("array->next", None),
        ("!count", 0),
        ("~0 >> 60", 15),
        ("-(3 - 5)", 2),
        ("bits == 4 | 8", 9),
        ("7 % bits", 3),
        ("count >= 40 ^ 1", 0),
        ("count > 39 ? bits + 1 : 1 % 0", 5),
        ("bits == 5 ? 1 : count == 40 ? pair[0 ? 1 : 0] : 2", 5),
        ("(count ? 0 : 1) ? 2 : 3", 3),
        ("count ? 1", None),
        ("count : 1", None),
    ],
)
def test_expressions(formula: str, value: Optional[int]) -> None:
    table = Table()
    scope = struct_scope(TABLE, table.target)
    if value is None:
        with pytest.raises(FormulaError):
            compile_formula(formula, scope)
        return
    env = Env(Memory(table.target.read_memory), table.address)
    assert compile_formula(formula, scope).value(env) == value


@pytest.mark.parametrize(
    "formula", ["pair[2]", "pair[0 - 1]", "1 << 64", "1 >> count * 2", "1 % 0"]
)
def test_expressions_that_a_damaged_table_makes_senseless(formula: str) -> None:
    table = Table()
    env = Env(Memory(table.target.read_memory), table.address)
    with pytest.raises(MapscopeError):
        compile_formula(formula, struct_scope(TABLE, table.target)).value(env)


def test_syntax_never_ends_in_anything_but_a_line() -> None:
    draw = random.Random(5)
    pieces = [
        "a",
        "b.c",
        "->",
        "[",
        "]",
        "(",
        ")",
        "1",
        "0x",
        "<<",
        "$hash",
        "!",
        "-",
        "é",
        '"',
        ".",
    ]
    meant = 0
    for _ in range(2000):
        formula = "".join(draw.choice(pieces) for _ in range(draw.randrange(1, 9)))
        try:
            check_syntax(formula)
            meant += 1
        except FormulaError as error:
            assert str(error).isprintable()
    assert meant > 20


def test_descriptions_of_noise_are_told_in_a_line() -> None:
    draw = random.Random(6)
    rows = GOOD.splitlines()
    for _ in range(400):
        some = [row for row in rows if draw.random() < 0.9]
        at = draw.randrange(len(some))
        some[at] = "".join(draw.sample(some[at], len(some[at])))
        try:
            read_description("\n".join(some), "noise")
        except DescriptionError as error:
            assert str(error).startswith("noise:") and str(error).isprintable()


SEGMENTED = """
[table]
name = mine
type = split
array = directory
segment = each
size = buckets
count = count
bucket = ($hash & 7) >= $size ? $hash & 3 : $hash & 7
[node]
next = next
[key]
at = $node + 8
type = unsigned long
[value]
at = value
[lookup]
hash = identity
"""
SPLIT = struct_of(
    "split",
    32,
    ("directory", 0, pointer_to(pointer_to(_ITSELF))),
    ("each", 8, UINT),
    ("buckets", 12, UINT),
    ("count", 16, UINT),
)


def test_a_table_in_segments(tmp_path: Path) -> None:
    """Six buckets in segments of four, of which the last two were split from others."""
    image = Image()
    target = Target(image)
    target.types.update(split=SPLIT, **{"unsigned long": ULONG})
    segments = [image.allocate(32), image.allocate(32)]
    directory = image.place(struct.pack("<QQ", *segments))
    address = image.place(struct.pack("<QIII12x", directory, 4, 6, 40))
    target.variables["t"] = Variable(SPLIT, address)
    for key in range(40):
        bucket = key & 3 if key & 7 >= 6 else key & 7
        head = segments[bucket // 4] + 8 * (bucket % 4)
        image.write_word(head, image.place(struct.pack("<QQq", image.word(head), key, -key)))
    load(target, tmp_path, SEGMENTED)
    assert shown(target) == TRUTH
    assert one(target, "check", "t")["ok"] is True
    assert one(target, "find", "t 15")["entry"]["where"]["bucket"] == 3
    assert one(target, "find", "t 13")["entry"]["where"]["bucket"] == 5
    assert "[5] = -5" in text(target, "bucket", "t 5")
    assert one(target, "stats", "t")["uniformity"] is None
    image.write_word(directory + 8, 0x10)
    rows = lines(target, "entries", "t")
    assert rows[-1]["complete"] is False and "new buckets 4 to 5: " in rows[-1]["error"]
    assert len(rows) - 2 == 30
    for each, error in ((0, "segments of 0 buckets"), (1, "new buckets")):
        image.write_word(address + 8, 6 << 32 | each)
        try:
            assert error in text(target, "entries", "t")
        except MapscopeError as refused:
            assert error in str(refused)


def test_hostile_tables_end(tmp_path: Path) -> None:
    """Words of a table, of its arrays and nodes overwritten: an answer or a line, and no more."""
    draw = random.Random(7)
    table = Table()
    load(table.target, tmp_path)
    places = [table.address + 8 * at for at in range(6)]
    places += [table.old + 8 * at for at in range(8)] + [table.new + 8 * at for at in range(16)]
    places += list(table.nodes.values())
    saved = table.image.save()
    told = 0
    for _ in range(150):
        for _ in range(draw.randrange(1, 4)):
            value = draw.choice([0, 1, 64, 1 << 40, (1 << 64) - 1, *table.nodes.values()])
            table.image.write_word(draw.choice(places), value)
        for command in ("inspect t", "entries t", "check t", "find t 5", "stats t", "bucket t 3"):
            name, _, line = command.partition(" ")
            try:
                rows = lines(table.target, name, line)
            except MapscopeError as error:
                told += 1
                assert "internal error" not in str(error), f"{command}: {error}"
                continue
            if name == "entries" and rows[-1]["complete"]:
                assert len(rows) - 2 == rows[0]["count"]
        table.image.restore(saved)
    assert told
    assert shown(table.target) == TRUTH


def test_slots_that_lookups_do_not_come_to(tmp_path: Path) -> None:
    image = Image()
    target = Target(image)
    slot = struct_of("slot", 16, ("state", 0, BYTE), ("key", 4, UINT), ("value", 8, ULONG))
    array = image.allocate(16 * 8)
    places = {key: at for at, key in ((3, 3), (4, 11), (5, 19), (7, 7), (0, 15))}
    for key, at in places.items():
        image.write(array + 16 * at, struct.pack("<BxxxIQ", 2, key, 10 * key))
    target.of_files = {
        "slots": [("/a.c", Variable(pointer_to(slot), image.place(struct.pack("<Q", array))))],
        "size": [("/a.c", Variable(UINT, image.place(struct.pack("<I", 8))))],
    }
    description = (
        "[table]\nname = slots\narray = slots\nsize = size\n[slot]\nlive = state == 2\n"
        "deleted = state == 1\n[key]\nat = key\n[value]\nat = value\n[lookup]\nhash = identity\n"
    )
    load(target, tmp_path, description)
    rows = lines(target, "entries", "slots")[1:-1]
    assert {row["key"]: row["value"] for row in rows} == {key: 10 * key for key in places}
    for key in places:
        assert one(target, "find", f"slots {key}")["entry"]["value"] == 10 * key
    assert one(target, "find", "slots 27")["found"] is False
    assert one(target, "check", "slots")["ok"] is True
    image.write(array + 16 * 4, b"\1")  # deleted: lookups go on
    assert one(target, "find", "slots 19")["entry"]["value"] == 190
    assert one(target, "check", "slots")["ok"] is True
    image.write(array + 16 * 4, b"\0")  # emptied: lookups end there
    (finding,) = one(target, "check", "slots")["findings"]
    assert finding["code"] == "wrong-bucket" and finding["bucket"] == 5
    assert "begin at slot 3, and end at slot 4, which is empty" in finding["message"]
    found = one(target, "find", "slots 19")
    assert found["found"] is not True and found["entry"] is None


def test_a_chain_that_bites_its_tail_is_told(tmp_path: Path) -> None:
    table = Table()
    load(table.target, tmp_path)
    table.image.write_word(table.nodes[5], table.nodes[37])
    last = lines(table.target, "entries", "t")[-1]
    assert not last["complete"] and "its chain leads to the entry at" in last["error"]
    report = one(table.target, "check", "t")
    assert [finding["code"] for finding in report["findings"]].count("overflow-loop") == 1


@pytest.mark.parametrize(
    "name, key, expected",
    [
        ("murmur3-32", b"", 0),
        ("murmur3-32", b"hello", 0x248BFA47),
        ("murmur3-32", b"hello, world", 0x149BBB7F),
        ("fnv1a-32", b"a", 0xE40C292C),
        ("fnv1a-64", b"a", 0xAF63DC4C8601EC8C),
        ("djb2", b"a", 177670),
        ("identity", b"\x05\x01\0\0", 261),
    ],
)
def test_hash_functions(name: str, key: bytes, expected: int) -> None:
    assert HASHES[name](key, 0) == expected
