# SPDX-License-Identifier: MIT
"""Hash functions over many words or texts, by the library of kernels alone: what each is in Python
stands with those who know whose it is."""

from array import array
from itertools import accumulate
from typing import Optional, Sequence, Union

from ..records import dataclass
from .native import Kernels, kernels_for
from .scanning import inside

#: kinds of functions
AES, MIXED, FOLDED = range(3)


@dataclass(frozen=True)
class HashFunction:
    """A hash function.

    :ivar kind: AES, of rounds; MIXED or FOLDED, of multiplications
    :ivar keys: AES: 128 bytes; MIXED: five words; FOLDED: three words
    """

    kind: int
    keys: bytes

    def available(self, size: int) -> bool:
        """Whether a kernel computes it, of keys of so many bytes."""
        return self._kernels(size) is not None

    def words(
        self, data: Union[bytes, memoryview], width: int, seeds: Sequence[int]
    ) -> Optional["array[int]"]:
        """The hashes of words that lie one behind the other; None: no kernel computes them.

        :param width: of each; 4 or 8, FOLDED: 8
        :param seeds: of each
        """
        kernels = self._kernels(len(data))
        if kernels is None or not seeds:
            return None
        hashes = array("Q", bytes(8 * len(seeds)))
        of_each = _words(seeds)
        kernels.call("hash_words", self.kind, self.keys, data, width, len(seeds), of_each, hashes)
        return hashes

    def pieces(self, pieces: Sequence[bytes], seeds: Sequence[int]) -> Optional["array[int]"]:
        """The hashes of texts that were read; None: no kernel computes them."""
        lengths = array("Q", map(len, pieces))
        kernels = self._kernels(8 * len(pieces))
        if kernels is None or not pieces:
            return None
        starts = array("Q", accumulate(lengths, initial=0))
        return self.texts(b"".join(pieces) or b"\0", 0, starts, lengths, _words(seeds))

    def texts(
        self,
        data: Union[bytes, memoryview],
        base: int,
        starts: "array[int]",
        lengths: "array[int]",
        seeds: "array[int]",
    ) -> Optional["array[int]"]:
        """The same of texts in a piece of memory that begins at `base`.

        :raises IndexError: if one of them is not in it
        """
        kernels = self._kernels(len(data) + 8 * len(lengths))
        if kernels is None:
            return None
        hashes = array("Q", bytes(8 * len(lengths)))
        where = (data, len(data), base, starts, lengths, seeds, len(lengths))
        inside(kernels.call("hash_texts", self.kind, self.keys, *where, hashes))
        return hashes

    def _kernels(self, size: int) -> Optional[Kernels]:
        kernels = kernels_for(size)
        if kernels is None or (self.kind == AES and not kernels.has_aes):
            return None
        return kernels


def _words(numbers: Sequence[int]) -> "array[int]":
    return numbers if isinstance(numbers, array) else array("Q", numbers)
