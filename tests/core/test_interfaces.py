# SPDX-License-Identifier: MIT
"""Interfaces that are shown together: their JSON is that of each by itself."""

import json
import random
import struct
from typing import List, Optional, Tuple

import pytest
from image import NOWHERE, Image, words

from mapscope.cells.columns import InterfaceColumn
from mapscope.errors import MapscopeError
from mapscope.maps.key_text import parse_key
from mapscope.program.memory import MAX_BYTES, Memory
from mapscope.program.types import Field, Kind, Type
from mapscope.program.values import Decoder, json_text

INT = Type(Kind.INT, "int", 8, direct=False)
ANY = Type(Kind.EMPTY_INTERFACE, "interface {}", 16)
TEXT = Type(Kind.STRING, "string", 16, len_offset=8, direct=False)
POINTER = Type(Kind.POINTER, "*main.T", 8, direct=True)
#: by the addresses of their descriptors
TYPES = {
    0x500000: INT,
    0x500040: Type(Kind.INT, "int16", 2, direct=False),
    0x500080: Type(Kind.FLOAT, "float64", 8, direct=False),
    0x5000C0: Type(Kind.BOOL, "bool", 1, direct=False),
    0x500100: TEXT,
    0x500140: POINTER,
    0x500180: Type(Kind.STRUCT, "struct {}", 0, direct=False),
    0x5001C0: Type(
        Kind.STRUCT, 'main."T"', 24, (Field("error", 0, INT), Field("any", 8, ANY)), direct=False
    ),
    0x500200: Type(Kind.STRUCT, "main.box", 8, (Field("p", 0, POINTER),), direct=True),
    0x500240: Type(Kind.SLICE, "[]int", 24, element=lambda: INT, direct=False),
    0x500280: Type(Kind.ARRAY, "[900]int", 7200, element=lambda: INT, length=900, direct=False),
    0x5002C0: ANY,  # no value can have it: damage
}
UNTYPED = 0x600000


def of(address: int) -> Type:
    if address not in TYPES:
        raise MapscopeError(f"no type at {address:#x}")
    return TYPES[address]


def value_of(image: Image, type: Type, chance: random.Random) -> int:
    """The second word of an interface that holds a value of a type."""
    if type.direct:
        return chance.choice([0, image.allocate(8)])
    if type.kind is Kind.STRING:
        text = chance.choice([b"", b"plain", b'a "quote"', "\u00e9".encode(), b"\xff", b"x" * 5000])
        places = [(image.place(text) if text else 0, len(text)), (NOWHERE, 4), (1, MAX_BYTES + 1)]
        return image.place(words(*chance.choice(places[:1] * 8 + places[1:])))
    if type.kind is Kind.FLOAT:
        numbers = [1.5, -0.0, 1e300, float("inf"), float("nan")]
        return image.place(struct.pack("<d", chance.choice(numbers)))
    if type.kind is Kind.STRUCT and type.size:
        return image.place(words(5, 0x500000, image.place(words(chance.randrange(9)))))
    if type.kind is Kind.SLICE:
        return image.place(words(image.place(words(1, 2)), 2, 2))
    number = chance.choice([5, -1, chance.getrandbits(62)])
    return image.place(number.to_bytes(8, "little", signed=True) * (type.size // 8 + 1))


def column(kind: Kind, seed: int) -> Tuple[Decoder, InterfaceColumn, int]:
    """Interfaces of every sort, and how many."""
    image, chance = Image(), random.Random(seed)
    rows: List[Optional[bytes]] = []
    tables = {address: image.place(words(0, address)) for address in [*TYPES, UNTYPED]}
    for number in range(600):
        address = chance.choice([*TYPES, UNTYPED, 0])
        word = 0
        if address in TYPES and address != 0x5002C0:
            word = NOWHERE if number % 50 == 7 else value_of(image, TYPES[address], chance)
        if kind is Kind.INTERFACE and address:
            address = NOWHERE if number % 70 == 3 else tables[address]
        rows.append(words(address, word))
    decoder = Decoder(Memory(image.read), of)
    return decoder, InterfaceColumn(Type(kind, "any", 16), None, rows, lambda at: 8 * at), len(rows)


@pytest.mark.parametrize("kind", [Kind.EMPTY_INTERFACE, Kind.INTERFACE])
@pytest.mark.parametrize("weighed", [False, True])
def test_json_is_that_of_each(kind: Kind, weighed: bool) -> None:
    decoder, found, count = column(kind, 7)
    for order in (range(count), list(range(0, count, 3)), [], [5]):
        if weighed:
            found.weights(decoder, order)
        expected = [json_text(found.value(index, decoder)) for index in order]
        assert found.json_texts(decoder, order) == expected
        assert all(json.loads(text) is not Ellipsis for text in expected)
    errors = sum('"error": "' in text for text in found.json_texts(decoder, range(count)))
    assert 40 < errors < count // 2


def test_weights_are_those_of_texts() -> None:
    image = Image()
    text = image.place(words(image.place(b"abc"), MAX_BYTES - 1))
    number = image.place(words(1))
    rows = [words(0x500100, text), words(0x500000, number), words(0, 0)] * 2
    decoder = Decoder(Memory(image.read), of)
    found = InterfaceColumn(ANY, None, rows, lambda at: 8 * at)
    size = MAX_BYTES - 1
    assert found.weights(decoder, range(6)) == [size, 0, 0, size, 0, 0]
    assert found.weights(decoder, [1, 2, 4]) is None and found.weights(decoder, [0]) is None


def test_one_that_is_replaced_is_shown_so() -> None:
    image = Image()
    rows = [words(0x500000, image.place(words(number))) for number in range(4)]
    decoder = Decoder(Memory(image.read), of)
    found = InterfaceColumn(ANY, None, rows, lambda at: 8 * at)
    order = range(4)
    found.weights(decoder, order)
    found.put(2, words(0x500100, image.place(words(image.place(b"new"), 3))))
    assert found.json_texts(decoder, order)[2] == '{"type": "string", "value": "new"}'


@pytest.mark.parametrize(
    "key",
    ["5", "-1", "true", "1.5", "nil", '""', "plain", '"\u00e9"', '{"type": "string", "value": ""}']
    + ['{"type": "int", "value": 5}', '{"bytes": "ff"}', "[1, 2]", '{"type": "x", "value": {}}'],
)
def test_none_is_passed_over_that_is_looked_for(key: str) -> None:
    decoder, found, count = column(Kind.EMPTY_INTERFACE, 11)
    test = parse_key(ANY, key)
    for order in (range(count), list(range(1, count, 2))):
        matching = [at for at in order if test.matches(found.value(at, decoder))]
        some = found.written_as(test.forms, decoder, order)
        assert set(matching) <= set(some) and len(some) < len(order)
