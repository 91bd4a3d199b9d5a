# SPDX-License-Identifier: MIT
"""Go's hashes as core computes them, against those of Go's runtime.

recorded.jsonl was printed by go_hashes/main.go, which says how.
"""

import json
import random
import struct
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest
from image import Image

from mapscope.go.aes_planes import aesenc, constant_rows, low_words, rows_of
from mapscope.errors import MapscopeError
from mapscope.go.key_hash import (
    C0,
    C1,
    EMPTY_INTERFACE,
    FLOAT,
    INTERFACE,
    MAX_TEXT,
    MEMORY,
    MOST_STEPS,
    TEXT,
    WORD,
    CannotHash,
    Dynamic,
    GoKeyHash,
    Step,
    Steps,
    compiled_steps,
    runtime_steps,
    signature,
    signature_text,
)
from mapscope.go.memhash import AesHash, FallbackHash, MemoryHash
from mapscope.program.memory import Memory
from mapscope.program.types import Field, Kind, Type

RECORDED = [
    json.loads(line)
    for line in (Path(__file__).parent / "go_hashes" / "recorded.jsonl").read_text().splitlines()
]
BYTES = bytes((i * 37 + 200) & 0xFF for i in range(512))
SEED = 0xFEDCBA9876543210

INT8, INT16, INT32, INT64 = (Type(Kind.INT, f"int{8 * n}", n) for n in (1, 2, 4, 8))
FLOAT32, FLOAT64 = Type(Kind.FLOAT, "float32", 4), Type(Kind.FLOAT, "float64", 8)
COMPLEX128 = Type(Kind.COMPLEX, "complex128", 16)
STRING = Type(Kind.STRING, "string", 16, data_offset=0, len_offset=8)
ANY = Type(Kind.EMPTY_INTERFACE, "interface {}", 16)
ERROR = Type(Kind.INTERFACE, "error", 16)
SLICE = Type(Kind.SLICE, "[]int", 24)


def struct_of(*types: Any, size: int = 0) -> Type:
    """A struct of these types, each aligned to its size or to 8; a name "_" makes the next field
    a blank one."""
    fields: List[Field] = []
    offset, name = 0, ""
    for part in types:
        if part == "_":
            name = "_"
            continue
        align = min(8, part.size) if part.kind is not Kind.STRUCT and part.size else 8
        align = 8 if part.kind in (Kind.STRING, Kind.ARRAY) else align
        offset = -(-offset // align) * align
        fields.append(Field(name or f"f{len(fields)}", offset, part))
        offset, name = offset + part.size, ""
    return Type(Kind.STRUCT, "main.T", size or offset, tuple(fields))


def array_of(element: Type, length: int) -> Type:
    name = f"[{length}]{element.name}"
    size = length * element.size
    return Type(Kind.ARRAY, name, size, element=lambda: element, length=length)


def memory_hash(record: Dict[str, Any]) -> MemoryHash:
    """The hash with the keys of a recorded process."""
    if record["aes"]:
        return AesHash(bytes.fromhex(record["schedule"]))
    minor = int(record["go"].split(".")[1])
    return FallbackHash([int(key, 16) for key in record["hashkey"]], minor)


def no_types(address: int) -> Dynamic:
    raise MapscopeError(f"no type at {address:#x}")


def hash_of(
    hashes: MemoryHash,
    steps: Steps,
    size: int,
    image: Optional[Image] = None,
    types: Any = no_types,
) -> GoKeyHash:
    image = image or Image()
    return GoKeyHash("a test's", Memory(image.read), hashes, types, steps, size, SEED)


@pytest.fixture(params=RECORDED, ids=lambda r: f"{r['go']} {'AES' if r['aes'] else 'fallback'}")
def record(request: Any) -> Dict[str, Any]:
    found: Dict[str, Any] = request.param
    return found


# --- memory ---


def test_memhash_of_every_length(record: Dict[str, Any]) -> None:
    hashes = memory_hash(record)
    expected = [int(number, 16) for number in record["memhash"]]
    pieces = [BYTES[:size] for size in range(301)]
    assert hashes.memory(pieces, [SEED] * 301) == expected
    assert [hashes.memory([piece], [SEED])[0] for piece in pieces] == expected
    shuffled = random.Random(1).sample(range(301), 301) * 3
    found = hashes.memory([pieces[at] for at in shuffled], [SEED] * len(shuffled))
    assert found == [expected[at] for at in shuffled]


def test_memhash32_and_memhash64(record: Dict[str, Any]) -> None:
    hashes = memory_hash(record)
    assert hashes.words(BYTES[:4] * 5, 4, [SEED] * 5) == [int(record["memhash32"], 16)] * 5
    assert hashes.words(BYTES[:8], 8, [SEED]) == [int(record["memhash64"], 16)]


def test_each_key_has_its_own_seed(record: Dict[str, Any]) -> None:
    hashes = memory_hash(record)
    pieces = [BYTES[:size] for size in (3, 8, 16, 20, 40, 100, 200, 0)]
    seeds = [SEED ^ at for at in range(8)]
    alone = [hashes.memory([piece], [seed])[0] for piece, seed in zip(pieces, seeds)]
    assert hashes.memory(pieces, seeds) == alone
    words = [
        hashes.words(BYTES[8 * at : 8 * at + 8], 8, [seed])[0] for at, seed in enumerate(seeds)
    ]
    assert hashes.words(BYTES[:64], 8, seeds) == words


def plain_aesenc(state: bytes, key: bytes) -> bytes:
    """AESENC as FIPS 197 has its parts, one byte at a time."""

    def double(x: int) -> int:
        return (x << 1) ^ (0x11B if x & 0x80 else 0)

    def product(a: int, b: int) -> int:
        found = 0
        while b:
            found ^= a if b & 1 else 0
            a, b = double(a), b >> 1
        return found

    def substitute(x: int) -> int:
        inverse = next((y for y in range(256) if product(x, y) == 1), 0)
        found = 0x63
        for turn in range(5):
            found ^= (inverse << turn | inverse >> 8 - turn) & 0xFF
        return found

    out = bytearray(16)
    for column in range(4):
        a = [substitute(state[4 * ((column + row) % 4) + row]) for row in range(4)]
        for row in range(4):
            mixed = double(a[row]) ^ double(a[(row + 1) % 4]) ^ a[(row + 1) % 4]
            mixed ^= a[(row + 2) % 4] ^ a[(row + 3) % 4]
            out[4 * column + row] = mixed ^ key[4 * column + row]
    return bytes(out)


def test_a_round_on_planes_is_a_round_of_each_state() -> None:
    chance = random.Random(2)
    states = [bytes(chance.randrange(256) for _ in range(16)) for _ in range(19)]
    states.append(bytes(range(240, 256)))
    key = bytes(chance.randrange(256) for _ in range(16))
    count = len(states)
    rows = aesenc(rows_of([(b"".join(states), 0, 16)]), constant_rows(key, count), count)
    expected = [plain_aesenc(state, key) for state in states]
    assert low_words(rows, count) == [int.from_bytes(e[:8], "little") for e in expected]


def test_the_substitution_is_that_of_every_byte() -> None:
    states = [bytes([byte] * 16) for byte in range(256)]
    key = bytes(16)
    rows = aesenc(rows_of([(b"".join(states), 0, 16)]), constant_rows(key, 256), 256)
    expected = [int.from_bytes(plain_aesenc(state, key)[:8], "little") for state in states]
    assert low_words(rows, 256) == expected


# --- floats, strings, interfaces ---

FLOATS = {"zero": 0.0, "minus zero": -0.0, "1.5": 1.5, "-2.25": -2.25, "infinity": float("inf")}


@pytest.mark.parametrize("name", FLOATS)
def test_floats(record: Dict[str, Any], name: str) -> None:
    for type, letter, code in ((FLOAT32, "f32", "<f"), (FLOAT64, "f64", "<d")):
        made = hash_of(memory_hash(record), compiled_steps(type, 24), type.size)
        data = struct.pack(code, FLOATS[name])
        assert made.many([data, data]) == [int(record[f"{letter} {name}"], 16)] * 2
    made = hash_of(memory_hash(record), compiled_steps(COMPLEX128, 24), 16)
    data = struct.pack("<dd", FLOATS[name], 1.5)
    assert made.many([data]) == [int(record[f"c128 {name}"], 16)]


def test_a_nan_has_no_hash(record: Dict[str, Any]) -> None:
    made = hash_of(memory_hash(record), compiled_steps(FLOAT64, 24), 8)
    keys = [struct.pack("<d", number) for number in (1.5, float("nan"), 1.5)]
    expected = int(record["f64 1.5"], 16)
    assert made.many(keys) == [expected, None, expected]


def test_strings(record: Dict[str, Any]) -> None:
    image = Image()
    made = hash_of(memory_hash(record), compiled_steps(STRING, 24), 16, image)
    start = image.place(BYTES)
    keys = [struct.pack("<QQ", start if size else 0x1234567, size) for size in range(301)]
    expected = [int(number, 16) for number in record["memhash"]]
    assert made.many(keys) == expected
    assert [made.of_text(BYTES[:size]) for size in (0, 1, 300)] == [
        expected[size] for size in (0, 1, 300)
    ]
    assert made.many([]) == []


class Types:
    """Types of values in interfaces, by made-up addresses."""

    def __init__(self, *types: Tuple[Type, bool]) -> None:
        self.known = {
            0x1000 + at: Dynamic(type, runtime_steps(type, regular), direct)
            for at, (type, direct) in enumerate(types)
        }

    def __call__(self, address: int) -> Dynamic:
        if address not in self.known:
            raise MapscopeError("none")
        return self.known[address]


def regular(type: Type) -> bool:
    """As the compiler sets TFlagRegularMemory on the types of these tests."""
    if type.kind is Kind.ARRAY:
        return regular(type.target())
    if type.kind is Kind.STRUCT:
        return all(regular(f.type) and f.name != "_" for f in type.fields)
    return type.kind in (Kind.INT, Kind.UINT, Kind.BOOL, Kind.POINTER)


PAIR = struct_of(INT32, INT32, STRING, FLOAT64)


def test_interfaces(record: Dict[str, Any]) -> None:
    image = Image()
    types = Types(
        *((type, False) for type in (INT64, INT8, STRING, FLOAT64)),
        *((type, False) for type in (struct_of(), array_of(INT16, 3), PAIR, array_of(STRING, 2))),
    )
    text = image.place("caf\u00e9".encode()), image.place(b"seven"), image.place(b"a")
    values = {
        "int 5": struct.pack("<q", 5),
        "int8 -1": b"\xff",
        "string": struct.pack("<QQ", text[0], 5),
        "float64 0": bytes(8),
        "empty struct": b"",
        "array": struct.pack("<hhh", 1, 2, 3),
        "pair": struct.pack("<iiQQd", 1, 2, text[1], 5, 0.5),
        "strings": struct.pack("<QQQQ", text[2], 1, 0, 0),
    }
    keys = [
        struct.pack("<QQ", 0x1000 + at, image.place(value) if value else 0x1234)
        for at, value in enumerate(values.values())
    ]
    names = list(values) + ["nil", "int 5"]
    keys += [bytes(16), keys[0]]
    made = hash_of(memory_hash(record), compiled_steps(ANY, 24), 16, image, types)
    assert made.many(keys) == [int(record[f"any {name}"], 16) for name in names]
    # an interface with methods leads to its type by its itab
    tables = {0: 0}
    for key in keys:
        address = int.from_bytes(key[:8], "little")
        tables[address] = image.place(struct.pack("<QQ", 0, address)) if address else 0
    keys = [struct.pack("<Q", tables[int.from_bytes(key[:8], "little")]) + key[8:] for key in keys]
    made = hash_of(memory_hash(record), compiled_steps(ERROR, 24), 16, image, types)
    assert made.many(keys) == [int(record[f"any {name}"], 16) for name in names]


def test_a_value_in_the_interface_itself(record: Dict[str, Any]) -> None:
    """A pointer is the interface's data word: it is hashed as such."""
    pointer = Type(Kind.POINTER, "*int", 8)
    hashes = memory_hash(record)
    made = hash_of(hashes, compiled_steps(ANY, 24), 16, None, Types((pointer, True)))
    word = struct.pack("<Q", 0xC000012340)
    expected = C1 * hashes.words(word, 8, [SEED ^ C0])[0] & (1 << 64) - 1
    assert made.many([struct.pack("<Q", 0x1000) + word]) == [expected]


# --- what the compiler makes of a key type ---


def steps_text(steps: Steps) -> str:
    """Steps as one reads them: "M8@0"."""
    letters = {MEMORY: "M", WORD: "W", FLOAT: "F", TEXT: "S", INTERFACE: "I", EMPTY_INTERFACE: "E"}
    return " ".join(f"{letters[step.kind]}{step.size}@{step.offset}" for step in steps)


@pytest.mark.parametrize(
    "type, old, new",
    [
        (INT64, "W8@0", "M8"),
        (INT32, "W4@0", "M4"),
        (INT16, "M2@0", "M2"),
        (struct_of(), "", ""),
        (STRING, "S16@0", "S"),
        (struct_of(STRING), "S16@0", "S"),
        (array_of(FLOAT64, 1), "F8@0", "G"),
        (COMPLEX128, "F8@0 F8@8", "GG"),
        (ANY, "E16@0", "E"),
        (struct_of(ERROR), "I16@0", "I"),
        # neighbouring memory is one run; a run of 8 bytes is a word only since 1.27
        (struct_of(INT32, INT32), "W8@0", "M8"),
        (struct_of(INT32, INT32, STRING), "M8@0 S16@8", "M8S"),
        (struct_of(INT64, STRING, INT64, INT64), "M8@0 S16@8 M16@24", "M8SM16"),
        # padding and blank fields end a run
        (struct_of(INT8, INT64, INT16, size=24), "M1@0 M10@8", "M1K7M10"),
        (struct_of(INT32, "_", INT32, INT8, "_", INT8, size=12), "M4@0 M1@8", "M4K4M1"),
        (struct_of("_", INT32, INT32), "M4@4", "K4M4"),
        # since 1.27 runs go across structs
        (
            struct_of(struct_of(INT64, STRING), INT64, INT64),
            "M8@0 S16@8 M16@24",
            "M8SM16",
        ),
        (
            struct_of(INT64, struct_of(INT64, STRING)),
            "M8@0 M8@8 S16@16",
            "M16S",
        ),
        (array_of(STRING, 2), "S16@0 S16@16", "SS"),
        (array_of(STRING, 5), " ".join(f"S16@{16 * i}" for i in range(5)), "S[2SS]"),
        (
            array_of(struct_of(INT32, FLOAT32), 9),
            " ".join(f"M4@{8 * i} F4@{8 * i + 4}" for i in range(9)),
            "M4F[2M4FM4FM4FM4F]",
        ),
        (array_of(struct_of("_", INT64), 3), "", ""),
    ],
)
def test_steps(type: Type, old: str, new: str) -> None:
    assert steps_text(compiled_steps(type, 26)) == old
    assert signature_text(signature(type)) == new
    # the same parts are hashed in both, but for the size of runs
    covered = [
        {offset for step in compiled_steps(type, minor) for offset in _bytes_of(step)}
        for minor in (26, 27)
    ]
    assert covered[0] == covered[1]


def _bytes_of(step: Step) -> range:
    return range(step.offset, step.offset + step.size)


def test_a_word_is_hashed_as_one_since_1_27() -> None:
    type = struct_of(INT32, INT32, STRING)
    assert steps_text(compiled_steps(type, 27)) == "W8@0 S16@8"


def test_typehash_goes_field_by_field() -> None:
    assert steps_text(runtime_steps(PAIR, regular)) == "W4@0 W4@4 S16@8 F8@24"
    assert steps_text(runtime_steps(struct_of(), regular)) == "M0@0"
    blank = struct_of(INT8, "_", INT8, array_of(FLOAT64, 2))
    assert steps_text(runtime_steps(blank, regular)) == "M1@0 F8@8 F8@16"


@pytest.mark.parametrize("minor", [24, 27])
def test_types_without_a_hash(minor: int) -> None:
    for type in (SLICE, struct_of(INT64, SLICE), array_of(SLICE, 2)):
        with pytest.raises(CannotHash, match="slice"):
            compiled_steps(type, minor)
        with pytest.raises(CannotHash, match="slice"):
            runtime_steps(type, regular)


def steps_of(type: Type, minor: int) -> List[Callable[[], Steps]]:
    """Both kinds, of a type that is not plain memory."""
    return [
        lambda: compiled_steps(type, minor),
        lambda: runtime_steps(type, lambda _: False),
    ]


@pytest.mark.parametrize("minor", [24, 27])
def test_types_that_would_take_for_ever(minor: int) -> None:
    wide = struct_of("_", INT64)
    for _ in range(30):
        wide = struct_of(wide, "_", INT64, wide)
    nothing = array_of(struct_of("_", struct_of()), 1 << 40)
    long = Type(Kind.ARRAY, "[n]string", 1 << 40, element=lambda: STRING, length=1 << 36)
    blank = array_of(struct_of("_", INT64), 1 << 36)
    for type in (wide, nothing, long, blank):
        for steps in steps_of(type, minor):
            try:
                assert len(steps()) <= MOST_STEPS
            except CannotHash as error:
                assert "steps" in str(error)


# --- hostile input ---


@pytest.mark.parametrize("minor", [24, 27])
def test_types_that_contradict_themselves(minor: int) -> None:
    odd = [
        Type(Kind.STRING, "string", 8, len_offset=8),
        Type(Kind.FLOAT, "float24", 3),
        Type(Kind.EMPTY_INTERFACE, "any", 8),
        Type(Kind.ARRAY, "a\x1b", 8, element=lambda: STRING, length=3),
        Type(Kind.STRUCT, "s", 8, (Field("a", 0, STRING), Field("b", 4, INT64))),
    ]
    for type in odd:
        for steps in steps_of(type, minor):
            with pytest.raises(CannotHash) as caught:
                steps()
            assert str(caught.value).isprintable()


def test_absurd_strings(record: Dict[str, Any]) -> None:
    image = Image()
    made = hash_of(memory_hash(record), compiled_steps(STRING, 24), 16, image)
    good = struct.pack("<QQ", image.place(BYTES), 3)
    absurd = [
        (0, 5),
        (1, 1 << 63),
        ((1 << 64) - 1, 16),
        (0xB000000000, MAX_TEXT),
        (0xB000000000, MAX_TEXT + 1),
        ((1 << 64) - 1, (1 << 64) - 1),
        (8, 0),
    ]
    keys = [good] + [struct.pack("<QQ", *pair) for pair in absurd] + [good]
    found = made.many(keys)
    expected = int(record["memhash"][3], 16)
    assert found[0] == found[-1] == expected
    assert found[1:-2] == [None] * 6
    assert found[-2] == int(record["memhash"][0], 16)  # nothing is read of no bytes
    assert made.many([good[:15], b"", good, good + b"x"]) == [None, None, expected, None]
    assert made.of_text(bytes(MAX_TEXT + 1)) is None


def test_absurd_interfaces(record: Dict[str, Any]) -> None:
    image = Image()
    # one that holds itself, without end
    loop = image.allocate(16)
    image.write(loop, struct.pack("<QQ", 0x1001, loop))
    huge = Type(Kind.INT, "huge", 1 << 40)
    types = Types((INT64, False), (ANY, False), (huge, False))
    good = struct.pack("<QQ", 0x1000, image.place(struct.pack("<q", 5)))
    keys = [
        good,
        struct.pack("<QQ", 0x1001, loop),
        struct.pack("<QQ", 0x1002, loop),
        struct.pack("<QQ", 0x1000, 1),
        struct.pack("<QQ", 1, 1),
        struct.pack("<QQ", (1 << 64) - 1, 1),
    ]
    made = hash_of(memory_hash(record), compiled_steps(ANY, 24), 16, image, types)
    assert made.many(keys) == [int(record["any int 5"], 16)] + [None] * 5
    made = hash_of(memory_hash(record), compiled_steps(ERROR, 24), 16, image, types)
    absurd = (1, 8, (1 << 64) - 8, 1 << 47)
    assert made.many([struct.pack("<QQ", word, 1) for word in absurd]) == [None] * 4
