# SPDX-License-Identifier: MIT
"""What a map's hash function is to those who use it."""

from abc import ABC, abstractmethod
from array import array
from typing import List, Optional, Sequence


#: keys that do not fit their hashes before the hash is taken for another; of fewer, all may be
#: damaged
LEAST = 8
#: what is said then
ANOTHER = "the program hashes keys in another way than these scripts compute"


class KeyHash(ABC):
    """A map's hash function, seed included, computed outside the program.

    :ivar name: for readers, as "memhash64 with AES"
    """

    name: str = ""

    @abstractmethod
    def many(self, keys: Sequence[bytes]) -> List[Optional[int]]:
        """The 64-bit hashes of keys, in their order.

        :param keys: each the bytes of a value of the key type as it lies in memory (of a string:
            its pointer and length, not its text)
        :return: None for a key that has no hash that can be computed: NaN, whose hash is random,
            or one that leads to memory that cannot be read
        """

    def packed(self, keys: bytes, size: int) -> Optional["array[int]"]:
        """The same of many keys that lie one behind the other; None: they are to be asked for one
        by one, for one of them has no hash, or hashes are not computed in bulk.

        :param size: of each, in bytes
        """
        return None

    def kind(self, key: bytes) -> int:
        """A number for the way in which a key is hashed, where there are several; below 0: it is
        not."""
        return 0

    def kind_of_text(self, text: bytes) -> int:
        """The same of a string key that is not in memory."""
        return 0

    def of_rows(
        self, rows: bytes, stride: int, start: int, lengths: Sequence[int]
    ) -> Optional[List[int]]:
        """The hashes of string keys whose texts lie in rows of `stride` bytes, each from `start`
        on; None: they are to be hashed by many()."""
        return None

    def of_text(self, text: bytes) -> Optional[int]:
        """The hash of a string key that is not in memory; None: keys are no strings."""
        return None
