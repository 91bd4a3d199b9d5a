# SPDX-License-Identifier: MIT
"""The runtime's hashes as core computes them, against the C++ ones.

The vectors were printed once by a program that includes
runtime/include/mapscope/hash.hpp and calls hash_integer, hash_bytes and
hash_double with these arguments (g++ -std=c++20 -I runtime/include; fastrand64
defined to return 0). The bytes are b[i] = i * 37 + 200.
"""

import struct

import pytest
from codec import Double, Int, StdString
from cppprogram import CppProgram
from looking import one
from mapscope.flavours.cpp.cpp_hash import hash_bytes, hash_integer

BYTES = bytes((i * 37 + 200) & 0xFF for i in range(64))

#: (x, seed, hash)
INTEGERS = [
    (0, 0, 0x7E2358A78107BB63),
    (0x1, 0, 0xC0C4D792BCB185E2),
    (0x2A, 0, 0x2D69BF65E0AB4D1A),
    (0xFF, 0, 0x7FA202FE84485C2A),
    (0x8000000000000000, 0, 0x7499FAA5961F1D84),
    (0xFFFFFFFFFFFFFFFF, 0, 0x4E1AB7237F98E6B3),
    (0x123456789ABCDEF, 0, 0xA9B72CB3DC4F8125),
    (0, 0x1, 0x84E4355F1B399294),
    (0x1, 0x1, 0xB477ACEB6C597970),
    (0x2A, 0x1, 0x8EBB9FA9E5A57CEE),
    (0xFF, 0x1, 0x3796E3D42B38E9F8),
    (0x8000000000000000, 0x1, 0xEEF6E9A2C4F86BD0),
    (0xFFFFFFFFFFFFFFFF, 0x1, 0x920777E4323E455D),
    (0x123456789ABCDEF, 0x1, 0xF82230AE578FBC52),
    (0, 0xDEADBEEF, 0xA2321CDEC9F0974B),
    (0x1, 0xDEADBEEF, 0x07E4F24B516EEBAB),
    (0x2A, 0xDEADBEEF, 0x70848E72AF9F0069),
    (0xFF, 0xDEADBEEF, 0x4078C7D05E1AFBC4),
    (0x8000000000000000, 0xDEADBEEF, 0x54EDF7431BD2113C),
    (0xFFFFFFFFFFFFFFFF, 0xDEADBEEF, 0xB96A49DD4FAD2253),
    (0x123456789ABCDEF, 0xDEADBEEF, 0xBD32B10A1815A576),
    (0, 0xFFFFFFFF, 0xD29BB1B80EAD8818),
    (0x1, 0xFFFFFFFF, 0xFDC2B182F082BD2D),
    (0x2A, 0xFFFFFFFF, 0x7FB0A8B363594160),
    (0xFF, 0xFFFFFFFF, 0x1B477544A1186965),
    (0x8000000000000000, 0xFFFFFFFF, 0xF7A8A91A88FCE332),
    (0xFFFFFFFFFFFFFFFF, 0xFFFFFFFF, 0x96AFEBB562AB792C),
    (0x123456789ABCDEF, 0xFFFFFFFF, 0x3ABE40448A9C3F18),
]

#: (n, seed, hash of the first n of BYTES)
STRINGS = [
    (0, 0, 0x732D2E5F2CBC8F9C),
    (1, 0, 0x6B7AC6FE8FCC3245),
    (2, 0, 0x94D0EF2C2F4DF71A),
    (3, 0, 0x4BF191990B4D39FD),
    (4, 0, 0x9E84EC012C0AB8C2),
    (5, 0, 0x976561DA7A6041F4),
    (7, 0, 0x0A4C9A324AED5922),
    (8, 0, 0x7C316216C86B9270),
    (9, 0, 0xA2FFE64B2B3B941D),
    (15, 0, 0xFA130D5C4697EE20),
    (16, 0, 0x940B6B2902847523),
    (17, 0, 0x0DE64F46449FBF36),
    (24, 0, 0x80A12BC39DCA6DAE),
    (31, 0, 0x5B2A350FA0C0E85C),
    (32, 0, 0x039639BE6BE1C3B9),
    (33, 0, 0x4386935F81079A23),
    (48, 0, 0x68B0288365A8BF67),
    (64, 0, 0xFF8E79A241FF1D4C),
    (0, 0xDEADBEEF, 0x2A6209348B1B5875),
    (1, 0xDEADBEEF, 0x77979B776C28C3DE),
    (2, 0xDEADBEEF, 0xE20ED52297F4280E),
    (3, 0xDEADBEEF, 0x489CC57575D98CAC),
    (4, 0xDEADBEEF, 0x2F2839072D24DAB7),
    (5, 0xDEADBEEF, 0x1E6BE3969AA64B32),
    (7, 0xDEADBEEF, 0x677594B97CF61676),
    (8, 0xDEADBEEF, 0xE9283528D5139EAC),
    (9, 0xDEADBEEF, 0x54BF31D781D7AAB5),
    (15, 0xDEADBEEF, 0xADBE7A4B78A8FED6),
    (16, 0xDEADBEEF, 0x00D9120FB3106901),
    (17, 0xDEADBEEF, 0x04A1671F2BC8AB1A),
    (24, 0xDEADBEEF, 0x3E65594897CCBFAF),
    (31, 0xDEADBEEF, 0x9F294F0EC8536ADC),
    (32, 0xDEADBEEF, 0xD8FA98049BB59FAB),
    (33, 0xDEADBEEF, 0x690C71251FDC8370),
    (48, 0xDEADBEEF, 0xABC2C0AD3D6CC8A8),
    (64, 0xDEADBEEF, 0x796EFE989A19A6D7),
]

#: (value, seed, hash)
DOUBLES = [
    (0.0, 0xDEADBEEF, 0xA2321CDEC9F0974B),
    (-0.0, 0xDEADBEEF, 0xA2321CDEC9F0974B),
    (1.0, 0xDEADBEEF, 0x06BDFB85DDDE2F7A),
    (-1.5, 0xDEADBEEF, 0xD7B7B685DB20F93B),
    (1.0000000000000001e300, 0xDEADBEEF, 0xCD60BB25FD75A69D),
    (4.9406564584124654e-324, 0xDEADBEEF, 0x07E4F24B516EEBAB),
]


@pytest.mark.parametrize("x, seed, expected", INTEGERS)
def test_hash_integer(x: int, seed: int, expected: int) -> None:
    assert hash_integer(x, seed) == expected


def test_integers_are_extended_by_their_sign() -> None:
    assert hash_integer(-1, 7) == hash_integer((1 << 64) - 1, 7)


@pytest.mark.parametrize("n, seed, expected", STRINGS)
def test_hash_bytes(n: int, seed: int, expected: int) -> None:
    assert hash_bytes(BYTES[:n], seed) == expected


@pytest.mark.parametrize("value, seed, expected", DOUBLES)
def test_hash_double(value: float, seed: int, expected: int) -> None:
    program = CppProgram()
    model = program.map("m", Double(), Int(8), hash0=seed)
    model.fill({1.0: 1})
    assert one(program.target, "find", f"m -- {value!r}")["hash"] == hex(expected)
    assert hash_integer(struct.unpack("<Q", struct.pack("<d", value + 0.0))[0], seed) == expected


@pytest.mark.parametrize(
    "key, size, x",
    [("255", 1, 255), ("-1", -1, -1), ("-2", -4, -2), ("65535", 2, 65535), ("7", 8, 7)],
)
def test_find_shows_the_hash_of_small_integers(key: str, size: int, x: int) -> None:
    program = CppProgram()
    model = program.map("m", Int(abs(size), size < 0), Int(8))
    model.fill({x: 5})
    form = one(program.target, "find", f"m {key}")
    expected = hash_integer(x, 0xC0FFEE)
    assert form["method"] == "hash" and form["found"]
    assert form["hash"] == hex(expected)
    top = expected >> 56
    assert form["tophash"] == (top if top >= 5 else top + 5)


def test_find_shows_the_hash_of_text() -> None:
    program = CppProgram()
    model = program.map("m", StdString(), Int(8))
    model.fill({"caf\u00e9": 5})
    form = one(program.target, "find", "m caf\u00e9")
    assert form["hash"] == hex(hash_bytes("caf\u00e9".encode(), 0xC0FFEE)) and form["found"]
