# SPDX-License-Identifier: MIT
"""The AES round of x86's AESENC, on many states at once.

A state has four rows of four bytes (FIPS 197, figure 3: byte i is in row i % 4, column i // 4).
Here a row is one Python integer that holds that row of all states: its byte column * width + n
is of state n, width being how many there are. So SubBytes is one bytes.translate for a row,
ShiftRows turns a row round, and MixColumns is the exclusive or of a few long integers: what
Python does for a round does not depend on how many states there are.

A key may have several states, its lanes; state lane * count + n is then of key n.
"""

from typing import List, Sequence, Tuple

#: the four rows of some states
Rows = Tuple[int, int, int, int]

#: 16 bytes for each of some states: (bytes, where the first one's begin, from one to the next)
Blocks = Tuple[bytes, int, int]


def _double(x: int) -> int:
    """Two times x in AES's field (FIPS 197, 4.2.1)."""
    return x << 1 ^ (0x11B if x & 0x80 else 0)


def _sbox() -> bytes:
    """SubBytes as a table (FIPS 197, 5.1.1): the inverse of a byte, then an affine map."""
    powers = [1]  # of 3, which has all 255 of them
    while len(powers) < 255:
        powers.append(powers[-1] ^ _double(powers[-1]))
    box = bytearray(256)
    for exponent, byte in enumerate(powers):
        inverse = powers[-exponent % 255]
        turned = inverse | inverse << 8
        turns = turned ^ turned >> 4 ^ turned >> 5 ^ turned >> 6 ^ turned >> 7
        box[byte] = turns & 0xFF ^ 0x63
    box[0] = 0x63
    return bytes(box)


_SBOX = _sbox()
_SBOX_TWICE = bytes(map(_double, _SBOX))


def rows_of(lanes: Sequence[Blocks]) -> Rows:
    """States from their bytes."""
    return _rows(
        [
            [
                blocks[start + 4 * column + row :: step]
                for column in range(4)
                for blocks, start, step in lanes
            ]
            for row in range(4)
        ]
    )


def rows_of_words(first: bytes, second: Sequence[bytes], lanes: int = 1) -> Rows:
    """States that begin with 8 bytes of their own.

    :param first: these of each, one behind the other
    :param second: byte 8 of each, byte 9 of each, ... byte 15 of each
    :param lanes: how many of each there are to be
    """
    columns = [first[at::8] for at in range(8)] + list(second)
    return _rows([[columns[4 * c + row] * lanes for c in range(4)] for row in range(4)])


def constant_rows(blocks: bytes, count: int) -> Rows:
    """The same lanes for `count` keys.

    :param blocks: 16 bytes for each lane
    """
    lanes = range(0, len(blocks), 16)
    return _rows(
        [
            [blocks[lane + 4 * c + row :][:1] * count for c in range(4) for lane in lanes]
            for row in range(4)
        ]
    )


def picked_rows(some: Rows, kinds: Sequence[int], of: bytes, lanes: int) -> Rows:
    """States that are each one of a few.

    :param some: those few, of each kind, with as many lanes
    :param kinds: a byte for each of them
    :param of: which each state is
    """
    width = lanes * len(kinds)
    planes: List[List[bytes]] = []
    for row in some:
        raw = row.to_bytes(4 * width, "little")
        planes.append([])
        for start in range(0, 4 * width, len(kinds)):
            table = bytearray(256)
            for kind, byte in zip(kinds, raw[start : start + len(kinds)]):
                table[kind] = byte
            planes[-1].append(of.translate(table))
    return _rows(planes)


def _rows(planes: List[List[bytes]]) -> Rows:
    """Rows of which the planes are given in order."""
    first, second, third, fourth = (int.from_bytes(b"".join(row), "little") for row in planes)
    return first, second, third, fourth


def xor(a: Rows, b: Rows) -> Rows:
    """The exclusive or of each two states."""
    return a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2], a[3] ^ b[3]


def aesenc(state: Rows, key: Rows, width: int) -> Rows:
    """One round of each state: ShiftRows, SubBytes, MixColumns, then its round key.

    :param width: how many states there are
    """
    once: List[int] = []
    twice: List[int] = []
    for row in range(4):
        raw = state[row].to_bytes(4 * width, "little")
        if row:
            raw = raw[row * width :] + raw[: row * width]
        once.append(int.from_bytes(raw.translate(_SBOX), "little"))
        twice.append(int.from_bytes(raw.translate(_SBOX_TWICE), "little"))
    # 2a + 3b + c + d is a + b + c + d and a + 2a + 2b
    total = once[0] ^ once[1] ^ once[2] ^ once[3]
    return (
        total ^ once[0] ^ twice[0] ^ twice[1] ^ key[0],
        total ^ once[1] ^ twice[1] ^ twice[2] ^ key[1],
        total ^ once[2] ^ twice[2] ^ twice[3] ^ key[2],
        total ^ once[3] ^ twice[3] ^ twice[0] ^ key[3],
    )


def low_words(state: Rows, count: int, lanes: int = 1) -> List[int]:
    """The first 8 bytes of each key's state, as little-endian numbers; of several lanes, the
    exclusive or."""
    width = lanes * count
    found = bytearray(8 * count)
    for row in range(4):
        raw = state[row].to_bytes(4 * width, "little")
        for column in range(2):
            mixed = 0
            for lane in range(lanes):
                start = column * width + lane * count
                mixed ^= int.from_bytes(raw[start : start + count], "little")
            found[4 * column + row :: 8] = mixed.to_bytes(count, "little")
    return memoryview(found).cast("Q").tolist()
