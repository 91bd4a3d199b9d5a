# SPDX-License-Identifier: MIT
"""`map find` by the hash of Go's maps, and what it says of entries where no lookup sees them."""

import re
import struct
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import pytest
from codec import Int, Text, Value
from goprogram import GoProgram
from image import FakeTarget, Image, words
from looking import Json, Watcher, one, text
from model import CELLS, GoMap
from test_swiss import LAYOUT, MAP, NUMBER, Program

from mapscope.errors import Corrupt
from mapscope.maps.search import Finder
from mapscope.program.hashing import KeyHash
from mapscope.program.memory import Memory
from mapscope.go.functions import Function
from mapscope.session import Session
from mapscope.swiss.swiss_reader import SwissHeader
from mapscope.swiss.swiss_map import SwissMap
from mapscope.maps.found import Found, KeyTest

HASH0 = 0x5EED


def number_map(aes: bool = True, version: str = "go1.22.1") -> Tuple[GoProgram, GoMap]:
    """A program with one map[uint64]uint64 called m, hashed as Go does."""
    program = GoProgram(version)
    hashes = program.hash_with(aes)

    def hasher(key: Value, seed: int) -> int:
        return hashes.words(int(key).to_bytes(8, "little"), 8, [seed])[0]

    number = Int(8, name="uint64")
    model = program.map("m", number, number, "_fast64", hasher)
    program.set_hasher(model, "runtime.memhash64")
    return program, model


def filled(count: int, aes: bool = True) -> Tuple[FakeTarget, GoMap]:
    program, model = number_map(aes)
    model.fill({key: 10 * key for key in range(count)})
    return program.finish(), model


@pytest.mark.parametrize("aes", [True, False])
def test_every_key_is_found_by_its_hash(aes: bool) -> None:
    target, model = filled(55, aes)
    assert model.growing()
    for key in range(55):
        form = one(target, "find", f"m {key}")
        assert form["found"] and form["method"] == "hash" and form["entry"]["value"] == 10 * key
        assert form["hash"] == hex(model.hash(key))
        assert form["tophash"] == model.top(model.hash(key))
        assert form["cells_compared"] < 4 and "unseen" not in form
    form = one(target, "find", "m 55")
    assert not form["found"] and form["method"] == "hash" and form["note"] is None
    assert "unseen" not in form


def test_text_keys_are_found_by_their_hash() -> None:
    program = GoProgram("go1.22.1")
    hashes = program.hash_with()

    def hasher(key: Value, seed: int) -> int:
        return hashes.memory([str(key).encode()], [seed])[0]

    model = program.map("m", Text(), Int(8, name="uint64"), "_faststr", hasher)
    program.set_hasher(model, "runtime.strhash")
    keys = ["", "a", "caf\u00e9", "x" * 40, "y" * 200]
    model.fill({key: at for at, key in enumerate(keys)})
    target = program.finish()
    for at, key in enumerate(keys):
        form = one(target, "find", f"m '{key}'")
        assert form["method"] == "hash" and form["entry"]["value"] == at
        assert form["hash"] == hex(model.hash(key))


def test_a_struct_key_is_found_and_then_hashed() -> None:
    program = GoProgram("go1.22.1")
    hashes = program.hash_with()

    def hasher(key: Value, seed: int) -> int:
        return hashes.words(int(key).to_bytes(8, "little"), 8, [seed])[0]

    number = Int(8, name="uint64")
    model = program.map("m", number, number, "", hasher)
    # the same bytes as a struct of one field
    field = program.basic("uint64")
    struct_type = program.struct_type("main.K", [("N", 0, field)], 8)
    program.image.write_word(model.maptype + 48, struct_type.address)
    program.set_hasher(model, "runtime.memhash64")
    model.fill({key: key for key in range(20)})
    target = program.finish()
    form = one(target, "find", 'm {"N":7}')
    assert form["found"] and form["method"] == "hash" and form["hash"] == hex(model.hash(7))
    assert "found by looking at all entries" in form["note"]
    form = one(target, "find", 'm {"N":70}')
    assert not form["found"] and form["method"] == "scan" and form["hash"] is None
    assert "no entry has" in form["note"]


# --- hash functions that are not the expected ones ---


def scanned(target: FakeTarget) -> str:
    """The note of a search that cannot go by the hash, and finds its key all the same."""
    form = one(target, "find", "m 3")
    assert form["found"] and form["method"] == "scan" and form["hash"] is None
    note: str = form["note"]
    assert note.endswith(": all entries were looked at") and "\n" not in note
    return note


@pytest.mark.parametrize(
    "name, note",
    [
        ("runtime.strhash", "is runtime.strhash of 8 bytes, runtime.memhash64 of 8 expected"),
        ("runtime.memhash64.abi0", ""),
        ("runtime.memhash32", "is runtime.memhash32 of 8 bytes"),
        ("type:.hash.main.T", "is type:.hash.main.T of 8"),
        ("main.evil\n\x1b[31m", r"is main.evil\n\x1b[31m of 8 bytes"),
    ],
)
def test_another_hash_function(name: str, note: str) -> None:
    program, model = number_map()
    program.set_hasher(model, name)
    model.fill({key: key for key in range(5)})
    target = program.finish()
    if not note:
        assert one(target, "find", "m 3")["method"] == "hash"
        return
    assert note in one(target, "find", "m 3")["note"].replace("\x1b", r"\x1b")
    assert "\x1b" not in text(target, "find", "m 3")
    scanned(target)


def test_a_hash_function_that_is_nowhere() -> None:
    for closure in (0, 1, (1 << 64) - 1, 0x5000):
        program, model = number_map()
        model.fill({key: key for key in range(5)})
        program.image.write_word(model.maptype + 72, closure)
        assert "cannot be read" in scanned(program.finish())
    program, model = number_map()
    model.fill({key: key for key in range(5)})
    program.image.write_word(model.maptype + 72, program.image.place(words(0x1234)))
    assert "none that has a name" in scanned(program.finish())


def test_a_memhash_of_another_size() -> None:
    program, model = number_map()
    program.set_hasher(model, "runtime.memhash_varlen", 9)
    model.fill({key: key for key in range(5)})
    assert "memhash_varlen of 9 bytes" in scanned(program.finish())


@pytest.mark.parametrize("variable", ["useAeshash", "aeskeysched", "hashkey"])
def test_variables_that_are_not_found(variable: str) -> None:
    program, model = number_map(aes=variable != "hashkey")
    model.fill({key: key for key in range(5)})
    del program.target.symbol_table[f"runtime.{variable}"]
    assert "not found" in scanned(program.finish())


@pytest.mark.parametrize("variable", ["useAeshash", "aeskeysched", "hashkey"])
def test_variables_that_cannot_be_read(variable: str) -> None:
    program, model = number_map(aes=variable != "hashkey")
    model.fill({key: key for key in range(5)})
    program.target.symbol_table[f"runtime.{variable}"] = [0xFFFFFFFFFFFFFFF0]
    assert "cannot read" in scanned(program.finish())


def test_variables_that_hold_nonsense() -> None:
    program, model = number_map()
    model.fill({key: key for key in range(12)})
    target = program.finish()
    (use,) = target.symbol_table["runtime.useAeshash"]
    (schedule,) = target.symbol_table["runtime.aeskeysched"]
    program.image.write(schedule, bytes(range(128)))
    assert "hashes keys in another way" in scanned(target)
    program.image.write(use, b"\7")
    assert re.search(r"useAeshash at 0x\w+ is 7, 0 or 1 expected", scanned(target))


# --- entries where lookups do not see them, in classic maps ---


class Damage:
    """Moves the cells of a map about."""

    def __init__(self, target: FakeTarget, model: GoMap) -> None:
        self.target = target
        self.model = model
        self.image: Image = model.image

    def place(self, key: int) -> Tuple[int, int]:
        """(bucket, cell) of a key."""
        where = one(self.target, "find", f"m {key}")["entry"]["where"]
        array = self.model.get("buckets" if where["array"] == "new" else "oldbuckets")
        chain = self.model.chain(array, where["bucket"])
        return chain[where["chain"]], where["cell"]

    def move(self, key: int, bucket: int, cell: int) -> None:
        """An entry, with its tophash, to another cell."""
        source, at = self.place(key)
        model = self.model
        for slot_at, size in ((model.key_at, 8), (model.elem_at, 8)):
            self.image.write(slot_at(bucket, cell), self.image.read(slot_at(source, at), size))
        self.image.write(bucket + cell, self.image.read(source + at, 1))
        self.image.write(source + at, b"\1")

    def free(self, bucket: int) -> int:
        """A free cell of a bucket."""
        return next(cell for cell in range(CELLS) if self.model.tops(bucket)[cell] <= 1)

    def unseen(self, key: int) -> Json:
        """What is said of a key that lookups do not find."""
        form = one(self.target, "find", f"m {key}")
        assert not form["found"] and form["method"] == "hash" and form["entry"] is None
        unseen: Json = form["unseen"]
        assert unseen["key"] == key and unseen["value"] == 10 * key
        shown = text(self.target, "find", f"m {key}")
        assert "  absent\n" in shown and f"because {unseen['reason']}\n" in shown
        return unseen


def damaged(count: int) -> Damage:
    return Damage(*filled(count))


def test_in_another_bucket() -> None:
    made = damaged(60)
    model = made.model
    assert not model.growing()
    key = 7
    home = model.hash(key) & (1 << model.get("B")) - 1
    other = model.get("buckets") + (home ^ 1) * model.shape.size
    cell = made.free(other)
    made.move(key, other, cell)
    unseen = made.unseen(key)
    assert unseen["reason"] == f"its hash belongs to new bucket {home}"
    assert unseen["where"] == {"array": "new", "bucket": home ^ 1, "chain": 0, "cell": cell}
    shown = text(made.target, "find", f"m {key}")
    expected = (
        f"[{key}] = {10 * key}  found by a scan in new bucket {home ^ 1}, chain 0, cell {cell}"
    )
    assert f"{expected}: lookups do not see it there, because its hash" in shown


def test_with_another_tophash() -> None:
    made = damaged(100)
    bucket, cell = made.place(7)
    top = made.model.tops(bucket)[cell]
    made.image.write(bucket + cell, bytes([top ^ 0x10 or 0x77]))
    reason = made.unseen(7)["reason"]
    assert reason.startswith(
        f"its tophash is {top ^ 0x10:#04x}, and that of its hash is {top:#04x}"
    )
    assert reason.endswith("; only mapaccess_fast64 compares keys alone")


def test_behind_the_last_cell() -> None:
    made = damaged(100)
    key = next(key for key in range(100) if made.place(key)[1] > 2)
    bucket, cell = made.place(key)
    made.image.write(bucket + 1, b"\0")
    reason = made.unseen(key)["reason"]
    assert reason.startswith("it is behind emptyRest (chain 0, cell 1)")
    assert reason.endswith("; only mapaccess_fast64 goes on there")


def test_behind_the_last_cell_of_an_earlier_bucket() -> None:
    """The program's search ends for good there; so does ours."""
    program, model = number_map()
    chance = [key for key in range(4000) if model.hash(key) & 7 == 3][:12]
    model.fill({key: 10 * key for key in chance})
    made = Damage(program.finish(), model)
    array = model.get("buckets")
    index = next(i for i in range(1 << model.get("B")) if len(model.chain(array, i)) > 1)
    first, second = model.chain(array, index)[:2]
    key = int(model.key_of((second, 0)))
    assert one(made.target, "find", f"m {key}")["found"]
    made.image.write(first + 5, b"\0")
    assert made.unseen(key)["reason"].startswith("it is behind emptyRest (chain 0, cell 5)")


def growing() -> Tuple[Damage, Dict[int, List[int]]]:
    """A map in the middle of a doubling; the keys of the old buckets not yet evacuated."""
    made = damaged(54)
    model = made.model
    assert model.growing() and not model.get("flags") & 4
    waiting: Dict[int, List[int]] = {}
    for key in range(54):
        index = model.hash(key) & model.old_count() - 1
        if not model.evacuated(index):
            waiting.setdefault(index, []).append(key)
    return made, {index: keys for index, keys in waiting.items() if len(keys) > 2}


def test_in_an_old_bucket_that_is_evacuated() -> None:
    made, waiting = growing()
    index, keys = next(iter(waiting.items()))
    bucket = made.model.get("oldbuckets") + index * made.model.shape.size
    key = next(key for key in keys if made.place(key)[1] > 0)
    made.image.write(bucket, b"\4")
    unseen = made.unseen(key)
    assert unseen["where"]["array"] == "old" and unseen["where"]["bucket"] == index
    assert unseen["reason"] == f"old bucket {index} is evacuated, and no longer looked in"


def test_in_the_new_array_too_early() -> None:
    made, waiting = growing()
    model = made.model
    index, keys = next(iter(waiting.items()))
    key = keys[0]
    home = model.hash(key) & (1 << model.get("B")) - 1
    made.move(key, model.get("buckets") + home * model.shape.size, 0)
    unseen = made.unseen(key)
    assert unseen["where"] == {"array": "new", "bucket": home, "chain": 0, "cell": 0}
    assert unseen["reason"] == f"old bucket {index} is not evacuated, and looked in instead"


def test_in_an_old_bucket_of_others() -> None:
    made, waiting = growing()
    (index, keys), (other, _) = list(waiting.items())[:2]
    bucket = made.model.get("oldbuckets") + other * made.model.shape.size
    made.move(keys[0], bucket, made.free(bucket))
    assert made.unseen(keys[0])["reason"] == f"its hash belongs to old bucket {index}"


# --- Swiss maps ---


class Given(KeyHash):
    """Hashes of numbers that a test chooses."""

    name = "given"

    def __init__(self, hashes: Callable[[int], int]) -> None:
        self.hashes = hashes

    def many(self, keys: Sequence[bytes]) -> List[Optional[int]]:
        return [self.hashes(int.from_bytes(key, "little")) for key in keys]


def swiss(program: Program, hashes: Callable[[int], int], *header: int) -> SwissMap:
    """:param header: used, dirPtr, dirLen, globalDepth, writing"""
    used, pointer, length, depth, writing = header
    program.memory[MAP] = struct.pack(
        "<QQQqBBBBQ", used, 7, pointer, length, depth, 64 - depth & 63, writing, 0, 0
    )
    memory = Memory(program.read)
    view = SwissMap(
        memory,
        MAP,
        "map[uint64]uint64",
        NUMBER,
        NUMBER,
        SwissHeader.read(memory, MAP),
        LAYOUT,
        lambda size: size,
        hashing=lambda: (Given(hashes), ""),
    )
    view.fast = "_fast64"
    return view


def wanted(key: int) -> KeyTest:
    return KeyTest(lambda found: found == key, key.to_bytes(8, "little"))


def table(program: Program, groups: List[List[Optional[Tuple[int, int]]]], depth: int) -> int:
    """A table of some groups; the control byte of key k is k & 0x7f."""
    raw = program.put(b"".join(program.group(group) for group in groups))
    used = sum(slot is not None for group in groups for slot in group)
    count = len(groups)
    head = struct.pack("<HHHBxqQQ", used, 8 * count, 7 * count - used, depth, 0, raw, count - 1)
    return program.put(head)


FULL: List[Optional[Tuple[int, int]]] = [(key, key) for key in range(100, 108)]


def test_a_search_goes_from_group_to_group() -> None:
    program = Program()
    more = [[(key + 8 * at, 0) for key, _ in filter(None, FULL)] for at in range(1, 3)]
    groups: List[List[Optional[Tuple[int, int]]]] = [FULL, [(5, 50)], [*more[0]], [*more[1]]]
    pointer = program.directory([table(program, groups, 0)])
    # triangular: groups 2, 3, 1
    view = swiss(program, lambda key: key & 0x7F | 2 << 7, 25, pointer, 1, 0, 0)
    found = view.find(wanted(5))
    assert found.value == 50 and found.method == "hash" and found.tophash == 5
    assert [candidate.place() for candidate in found.candidates] == [
        {"table": 0, "group": group} for group in (2, 3, 1)
    ]
    assert found.chain_hops == 2 and found.cells_compared == 1
    assert [c.reason for c in found.candidates[:2]] == [
        "no control byte is 0x05, and it has no empty slot"
    ] * 2
    absent = view.find(wanted(6))
    assert absent.where is None and absent.unseen is None
    assert absent.candidates[-1].reason == (
        "no control byte is 0x06, and it has an empty slot: the search ends"
    )


def test_a_small_swiss_map() -> None:
    program = Program()
    group = program.put(program.group([(1, 10), (2, 20)]))
    view = swiss(program, lambda key: key & 0x7F, 2, group, 0, 0, 0)
    assert view.find(wanted(2)).value == 20
    absent = view.find(wanted(3))
    assert absent.candidates[0].reason == "no control byte is 0x03, and the map has no other"
    control = bytearray(program.memory[group])
    control[1] = 9
    program.memory[group] = bytes(control)
    unseen = swiss(program, lambda key: key & 0x7F, 2, group, 0, 0, 0).find(wanted(2)).unseen
    assert unseen is not None and unseen.reason == (
        "its control byte is 0x09, and that of its hash is 0x02; "
        "only mapaccess_fast64 compares keys alone in so small a map"
    )


def two_tables(hashes: Callable[[int], int], writing: int = 0) -> SwissMap:
    """Keys 1 and 2 in group 0 of table 0, 3 and 4 in group 1 of table 1."""
    program = Program()
    first = table(program, [[(1, 10), (2, 20)], []], 1)
    second = table(program, [[], [(3, 30), (4, 40)]], 1)
    return swiss(program, hashes, 4, program.directory([first, second]), 2, 1, writing)


def right(key: int) -> int:
    return key & 0x7F | (1 << 63 | 1 << 7 if key > 2 else 0)


def test_tables_by_the_upper_bits() -> None:
    for key in (1, 2, 3, 4):
        found = two_tables(right).find(wanted(key))
        assert found.value == 10 * key and found.method == "hash" and found.unseen is None
        assert found.where is not None and found.where.array == str(int(key > 2))


@pytest.mark.parametrize(
    "key, wrong, reason",
    [
        (4, 4 | 1 << 7, "its hash belongs to table 0"),
        (2, 2 | 1 << 63, "its hash belongs to table 1"),
        (4, 5 | 1 << 63 | 1 << 7, "its control byte is 0x04, and that of its hash is 0x05"),
        (
            4,
            4 | 1 << 63,
            "the search from group 0 ends at group 0, which has an empty slot",
        ),
    ],
)
def test_where_a_search_does_not_come_by(key: int, wrong: int, reason: str) -> None:
    view = two_tables(lambda k: wrong if k == key else right(k))
    found = view.find(wanted(key))
    assert found.where is None and found.method == "hash"
    assert found.unseen is not None and found.unseen.reason == reason
    assert found.unseen.value == 10 * key


def test_while_it_is_written_to() -> None:
    found = two_tables(right, writing=1).find(wanted(3))
    assert found.value == 30 and found.method == "scan" and found.hash is None
    assert found.note == "the map is being written to: all entries were looked at"


def test_hashes_that_are_not_the_program_s(monkeypatch: pytest.MonkeyPatch) -> None:
    # so few entries may all be damaged
    assert two_tables(lambda key: 99 | right(key)).find(wanted(3)).method == "hash"
    monkeypatch.setattr("mapscope.maps.search.LEAST", 2)
    found = two_tables(lambda key: 99 | right(key)).find(wanted(3))
    assert found.value == 30 and found.method == "scan"
    assert "hashes keys in another way" in found.note


def test_a_directory_that_leads_nowhere() -> None:
    program = Program()
    first = table(program, [[(1, 10)], []], 1)
    second = table(program, [[(2, 20)], []], 1)
    view = swiss(program, right, 2, program.directory([first, second]), 2, 1, 0)
    assert view.header is not None
    program.memory[view.header.dirPtr] = struct.pack("<QQ", first, 0x1001)
    with pytest.raises(Corrupt, match="the key belongs to cannot be read"):
        view.find(wanted(3))


# --- programs without symbols: the machine code of memhash64 ---


class FakeFunctions:
    """A table of functions, by their names."""

    def __init__(self, functions: Dict[str, int]) -> None:
        self.functions = functions

    def address_of(self, name: str) -> Optional[int]:
        return self.functions.get(name)

    def at(self, pc: int) -> Optional[Function]:
        starts = [start for start in self.functions.values() if start <= pc]
        name = {start: name for name, start in self.functions.items()}
        return Function(name[max(starts)], max(starts), 0, 0, 0, 0) if starts else None


def memhash64(start: int, use: int, schedule: int, step: int = 16) -> bytes:
    """As Go's assembler writes it: which hash to take, then three rounds."""
    code = b""
    parts = [(b"\x80\x3d", use, b"\0")]
    parts += [(b"\x66\x0f\x38\xdc\x05", schedule + step * i, b"") for i in range(3)]
    for head, place, tail in parts:
        end = start + len(code) + len(head) + 4 + len(tail)
        code += head + struct.pack("<i", place - end) + tail
    return code + b"\xc3"


def fallback(start: int, keys: List[int]) -> bytes:
    """Words that are loaded and xored."""
    code = b"\x48\x8b\x00"
    for place in keys:
        code += b"\x48\x33\x05" + struct.pack("<i", place - (start + len(code) + 7))
    return code + b"\xc3"


@pytest.mark.parametrize("aes", [True, False])
def test_the_keys_from_machine_code(monkeypatch: pytest.MonkeyPatch, aes: bool) -> None:
    for version, order in (("go1.22.1", [0]), ("go1.23.0", [8, 0])):
        program, model = number_map(aes, version)
        model.fill({key: key for key in range(5)})
        use, schedule, keys = _take_symbols(program)
        first, second = program.image.allocate(256), program.image.allocate(256)
        table = FakeFunctions({"runtime.memhash64": first, "runtime.memhash64Fallback": second})
        monkeypatch.setattr(Session, "functions", table)
        program.image.write(first, memhash64(first, use, schedule))
        program.image.write(second, fallback(second, [keys + at for at in order]))
        form = one(program.finish(), "find", "m 3")
        assert form["found"] and form["method"] == "hash"


@pytest.mark.parametrize("aes", [True, False])
def test_machine_code_that_is_another(monkeypatch: pytest.MonkeyPatch, aes: bool) -> None:
    """Words that are not side by side, or none at all: nothing is guessed."""
    cases: List[Tuple[int, List[int]]] = [(8, [0, 16]), (16, [])]
    for step, order in cases:
        program, model = number_map(aes, "go1.23.0")
        model.fill({key: key for key in range(5)})
        use, schedule, keys = _take_symbols(program)
        first, second = program.image.allocate(256), program.image.allocate(256)
        table = FakeFunctions({"runtime.memhash64": first, "runtime.memhash64Fallback": second})
        monkeypatch.setattr(Session, "functions", table)
        program.image.write(first, memhash64(first, use, schedule, step))
        program.image.write(second, fallback(second, [keys + at for at in order]))
        if aes and step == 16:
            assert one(program.finish(), "find", "m 3")["method"] == "hash"
        else:
            assert "was not found" in scanned(program.finish())


def _take_symbols(program: GoProgram) -> Tuple[int, int, int]:
    """The places of useAeshash, aeskeysched and hashkey, which have no symbols any more."""
    names = ("useAeshash", "aeskeysched", "hashkey")
    use, schedule, keys = [program.target.symbol_table.pop(f"runtime.{n}")[0] for n in names]
    return use, schedule, keys


def test_ctrl_c_while_an_absent_key_is_looked_for_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target, _ = filled(60)
    usual = Finder._scanned

    def interrupted(self: Finder, test: KeyTest, note: str) -> Tuple[Found, Optional[bytes]]:
        usual(self, test, note)
        raise KeyboardInterrupt

    monkeypatch.setattr(Finder, "_scanned", interrupted)
    form = one(target, "find", "m 4711")
    assert not form["found"] and form["method"] == "hash"
    assert form["note"] == "interrupted while it was looked for elsewhere"


def test_an_entry_that_is_being_copied_is_found_with_its_value() -> None:
    """Go marks the new cell live, writes its key, then its element: at every store of that."""
    program, model = number_map()
    model.fill({key: key + 1000 for key in range(26)})
    target = program.finish()
    assert one(target, "find", "m 7")["method"] == "hash"
    with Watcher(target, model, find=True) as watcher:
        for key in range(26, 30):
            model.assign(key, key + 1000)
    assert watcher.growths["double"] > 50 and watcher.in_flight > 10
