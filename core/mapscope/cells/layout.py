# SPDX-License-Identifier: MIT
"""Where the keys, elements and marks of a group of cells lie."""


from ..errors import Corrupt
from ..records import dataclass
from .marks import CELLS


@dataclass(frozen=True)
class BucketLayout:
    """Where the parts of a bucket are, in bytes."""

    size: int
    keys: int
    elems: int
    overflow: int
    keysize: int  # of a key slot
    elemsize: int  # of an element slot
    indirect_key: bool = False
    indirect_elem: bool = False

    def key_offset(self, cell: int) -> int:
        """Of a key slot in its bucket."""
        return self.keys + cell * self.keysize

    def elem_offset(self, cell: int) -> int:
        """Of an element slot in its bucket."""
        return self.elems + cell * self.elemsize

    def validate(self) -> None:
        """:raises Corrupt: if no bucket can look like that"""
        keys_end = self.keys + CELLS * self.keysize
        elems_end = self.elems + CELLS * self.elemsize
        if not (
            CELLS <= self.keys
            and keys_end <= self.elems
            and elems_end <= self.overflow
            and self.overflow + 8 <= self.size <= 1 << 20
            and self.size % 8 == 0
            and self.overflow % 8 == 0
        ):
            raise Corrupt(f"impossible bucket layout ({self.size} bytes a bucket)")
