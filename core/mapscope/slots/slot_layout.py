# SPDX-License-Identifier: MIT
"""What a table of slots looks like, as its flavour has found out.

Entries lie in an array of slots, or are nodes that the slots point at. For each slot there is a
control byte: empty, deleted, or some bits of the entry's hash. A lookup begins with the group of
slots that the other bits choose and goes on until a group says that there is no further one.
"""

from typing import Callable, Dict, Optional

from ..errors import Corrupt
from ..program.memory import ADDRESS_LIMIT
from ..records import dataclass

#: largest slot or node, in bytes
_LARGEST = 1 << 30


@dataclass(frozen=True)
class SlotLayout:
    """Where the parts of an entry are, in bytes.

    :ivar size: of the entry
    :ivar stride: from a slot to the next one; below 0: they lie in front of the control bytes
    :ivar indirect: whether a slot is a pointer to the entry
    """

    size: int
    stride: int
    key: int
    elem: int
    indirect: bool

    def validate(self, key: int, elem: int) -> None:
        """:raises Corrupt: if no entry can look like that

        :param key: bytes of a key
        :param elem: bytes of an element
        """
        slot = abs(self.stride)
        whole = max(self.key + key, self.elem + elem)
        fits = slot == 8 if self.indirect else self.size <= slot
        if not 0 < slot <= _LARGEST or whole > self.size or not fits:
            raise Corrupt(f"impossible layout of a slot ({slot} bytes)")


@dataclass(frozen=True)
class Control:
    """What control bytes mean.

    :ivar live: for bytes.translate: 1 for that of an entry, else 0
    :ivar names: of those that are none
    :ivar group: slots of a group
    :ivar group_bytes: control bytes of a group; more than slots where some are of the group
    :ivar hash_bits: which bits of a hash control bytes have
    :ivar place_shift: below which bit of a hash those are that choose where a lookup begins
    :ivar ways: of a group whose last byte is its own: so many of its bits say, one of each class of
        hashes, that lookups go on behind it, by one, two, three groups and so on
    :ivar mark: gives the control byte of a hash; None: hashes are not known here. A lookup
        looks at `group` slots from the one that the hash names, cyclically, and goes on by one,
        two, three groups and so on until there is an empty one
    :ivar home: gives the slot that a hash names; None: it is what is left of it by the number of
        slots
    :ivar more: slots that lookups count behind those that there are
    """

    live: bytes
    names: Dict[int, str]
    group: int
    group_bytes: int
    mark: Optional[Callable[[int], int]] = None
    hash_bits: int = 0x7F
    place_shift: int = 7
    ways: int = 0
    home: Optional[Callable[[int], int]] = None
    more: int = 0

    @property
    def deleted(self) -> Optional[int]:
        """The byte of a slot whose entry was deleted; None: there is no such."""
        return next((byte for byte, name in self.names.items() if name == "deleted"), None)


@dataclass(frozen=True)
class SlotHeader:
    """What a table's header says.

    :ivar size: bytes of the table itself
    :ivar slots: how many there are; 0: nothing is allocated
    :ivar control: address of the control bytes
    :ivar first: address of the first slot
    :ivar growth_left: entries until it grows; None: not known
    :ivar array_bytes: of all that it has allocated, without nodes
    :ivar marks: the control bytes of a table that has none in memory
    """

    size: int
    count: int
    slots: int
    control: int
    first: int
    growth_left: Optional[int]
    array_bytes: int
    marks: Optional[bytes] = None

    def doubt(self) -> str:
        """Why no table can look like that; "": one can."""
        if self.slots >= ADDRESS_LIMIT:
            return f"{self.slots} slots"
        if self.count > self.slots:
            return f"{self.count} entries in {self.slots} slots"
        if self.slots and not (0 < self.control < ADDRESS_LIMIT):
            return f"control bytes at {self.control:#x}"
        if self.slots and not (0 < self.first < ADDRESS_LIMIT):
            return f"slots at {self.first:#x}"
        return ""
