# SPDX-License-Identifier: MIT
"""SipHash-1-2 as Redis has it (src/siphash.c), of many texts at once.

Texts of as many words are hashed together: a 64-bit word of each stands in a lane of 128 bits of
one long number, so that an addition, a rotation or an exclusive or is done for all of them by one
operation. What a lane spills into its upper half is masked off.
"""

from array import array
from functools import lru_cache
from itertools import compress
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

from ...kernels.rows import siphash as kernel
from ...program.hashing import KeyHash
from ...program.memory import Memory

_MASK = (1 << 64) - 1
#: texts hashed at once: their numbers stay in the processor's cache
_TOGETHER = 2048
#: longest text that is hashed, in bytes, and bytes of texts that are read at once
MAX_TEXT, _TOGETHER_BYTES = 1 << 20, 16 << 20

_START = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
#: by a text's length: its whole words, and which bytes of what is left are its own
_WHOLE = bytes(size >> 3 for size in range(256))
_KEPT = [bytes([0xFF]) * (size & 7) + bytes(16 - (size & 7)) for size in range(256)]
_LOWER = bytes(c + 32 if 65 <= c <= 90 else c for c in range(256))


@lru_cache(maxsize=64)
def _ones(lanes: int) -> int:
    """1 in each lane."""
    return int.from_bytes((b"\1" + bytes(15)) * lanes, "little")


def siphash(texts: Sequence[bytes], seed: bytes, nocase: bool = False) -> List[int]:
    """The 64-bit hash of each.

    :param seed: 16 bytes
    :param nocase: siphash_nocase: as if all letters A to Z were small
    """
    if nocase:
        texts = [text.translate(_LOWER) for text in texts]
    groups: Dict[int, List[int]] = {}
    for at, text in enumerate(texts):
        groups.setdefault(len(text) >> 3, []).append(at)
    result = [0] * len(texts)
    for words, members in groups.items():
        for first in range(0, len(members), _TOGETHER):
            some = members[first : first + _TOGETHER]
            for at, found in zip(some, _hash([texts[at] for at in some], words, seed)):
                result[at] = found
    return result


def siphash_rows(
    rows: bytes, stride: int, start: int, lengths: Sequence[int], seed: bytes, nocase: bool = False
) -> List[int]:
    """The same of texts that lie in rows.

    :param stride: bytes of a row, a multiple of 8
    :param start: where in its row each text begins; all of it lies in the row
    """
    if nocase:
        rows = rows.translate(_LOWER)
    sizes = bytes(lengths)
    if not sizes:
        return []
    done = kernel(rows, stride, start, sizes, seed, (1, 2))
    if done is not None:
        return done
    # words of all texts, one text behind the other; none is looked at behind its text's end
    words = memoryview(rows[start:] + bytes(start)).cast("Q")
    each = stride // 8
    whole = sizes.translate(_WHOLE)
    kinds = set(whole)
    result = [0] * len(sizes)
    for kind in kinds:
        if len(kinds) == 1:
            columns = [array("Q", words[at::each].tobytes()) for at in range(kind + 1)]
            found = _hash_columns(columns, sizes, seed)
            return found
        chosen = whole.translate(bytes(byte == kind for byte in range(256)))
        columns = [array("Q", compress(words[at::each], chosen)) for at in range(kind + 1)]
        found = _hash_columns(columns, bytes(compress(sizes, chosen)), seed)
        for at, number in zip(compress(range(len(sizes)), chosen), found):
            result[at] = number
    return result


def _hash_columns(columns: "Sequence[array[int]]", sizes: bytes, seed: bytes) -> List[int]:
    """Hashes of texts whose n-th words are the n-th column; the last word is not whole.

    :param sizes: of each its bytes, as many as a byte can count
    """
    found: List[int] = []
    for first in range(0, len(sizes), _TOGETHER):
        some = [column[first : first + _TOGETHER] for column in columns]
        ends = sizes[first : first + _TOGETHER]
        last = bytearray(16 * len(ends))
        last[7::16] = ends
        kept = b"".join(map(_KEPT.__getitem__, ends))
        end = _spread(some[-1]) & int.from_bytes(kept, "little") | int.from_bytes(last, "little")
        found += _rounds([_spread(column) for column in some[:-1]], end, len(ends), seed)
    return found


def _spread(words: "array[int]") -> int:
    """A word in each lane."""
    lanes = bytearray(16 * len(words))
    memoryview(lanes).cast("Q")[::2] = memoryview(words)
    return int.from_bytes(lanes, "little")


def _hash(texts: List[bytes], words: int, seed: bytes) -> List[int]:
    """Hashes of texts that have so many whole words."""
    gap = bytes(8)
    whole = [
        int.from_bytes(b"".join([text[at : at + 8] + gap for text in texts]), "little")
        for at in range(0, 8 * words, 8)
    ]
    at = 8 * words
    last = b"".join(
        [text[at:].ljust(7, b"\0") + bytes((len(text) & 0xFF,)) + gap for text in texts]
    )
    return _rounds(whole, int.from_bytes(last, "little"), len(texts), seed)


def _rounds(words: Iterable[int], last: int, lanes: int, seed: bytes) -> List[int]:
    """Hashes of so many texts.

    :param words: a number for each whole word, which has that of each text in its lane
    :param last: the last word of each, with its length
    """
    one = _ones(lanes)
    mask = one * _MASK
    k0, k1 = int.from_bytes(seed[:8], "little"), int.from_bytes(seed[8:16], "little")
    v0, v1, v2, v3 = (one * (word ^ key) for word, key in zip(_START, (k0, k1, k0, k1)))
    for word in words:
        v0, v1, v2, v3 = _round(v0, v1, v2, v3 ^ word, mask)
        v0 ^= word
    v0, v1, v2, v3 = _round(v0, v1, v2, v3 ^ last, mask)
    v0, v1, v2, v3 = _round(v0 ^ last, v1, v2 ^ one * 0xFF, v3, mask)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3, mask)
    found = (v0 ^ v1 ^ v2 ^ v3).to_bytes(16 * lanes, "little")
    return memoryview(found).cast("Q").tolist()[::2]


def _round(v0: int, v1: int, v2: int, v3: int, mask: int) -> Tuple[int, int, int, int]:
    """SIPROUND of siphash.c, in every lane."""
    v0 = v0 + v1 & mask
    v1 = (v1 << 13 | v1 >> 51) & mask ^ v0
    v0 = (v0 << 32 | v0 >> 32) & mask
    v2 = v2 + v3 & mask
    v3 = (v3 << 16 | v3 >> 48) & mask ^ v2
    v0 = v0 + v3 & mask
    v3 = (v3 << 21 | v3 >> 43) & mask ^ v0
    v2 = v2 + v1 & mask
    v1 = (v1 << 17 | v1 >> 47) & mask ^ v2
    v2 = (v2 << 32 | v2 >> 32) & mask
    return v0, v1, v2, v3


class SipKeyHash(KeyHash):
    """SipHash of keys that are texts, with the process's seed.

    :param seed: 16 bytes
    """

    def __init__(self, memory: Memory, seed: bytes, nocase: bool = False) -> None:
        self.name = "SipHash-1-2" + (" of small letters" if nocase else "")
        self._memory = memory
        self._seed = seed
        self._nocase = nocase

    def many(self, keys: Sequence[bytes]) -> List[Optional[int]]:
        """Of keys that are each (pointer, length), 16 bytes."""
        result: List[Optional[int]] = [None] * len(keys)
        group: List[int] = []
        starts: List[int] = []
        lengths: List[int] = []
        total = 0
        for at, key in enumerate(keys):
            length = int.from_bytes(key[8:16], "little")
            if len(key) != 16 or length > MAX_TEXT:
                continue
            if total + length > _TOGETHER_BYTES:
                self._texts(group, starts, lengths, result)
                group, starts, lengths, total = [], [], [], 0
            group.append(at)
            starts.append(int.from_bytes(key[:8], "little"))
            lengths.append(length)
            total += length
        self._texts(group, starts, lengths, result)
        return result

    def _texts(
        self,
        group: List[int],
        starts: List[int],
        lengths: List[int],
        result: List[Optional[int]],
    ) -> None:
        pieces = self._memory.gather_ranges(starts, lengths)
        good = [at for at, piece in enumerate(pieces) if piece is not None]
        texts = [piece for piece in pieces if piece is not None]
        for at, number in zip(good, siphash(texts, self._seed, self._nocase)):
            result[group[at]] = number

    def of_rows(
        self, rows: bytes, stride: int, start: int, lengths: Sequence[int]
    ) -> Optional[List[int]]:
        return siphash_rows(rows, stride, start, lengths, self._seed, self._nocase)

    def of_text(self, text: bytes) -> Optional[int]:
        return siphash([text], self._seed, self._nocase)[0]
