# SPDX-License-Identifier: MIT
"""Hash tables of C++ libraries: which types are such, and how many entries one has that lies
inside of another value."""

import re
from typing import Optional

from .types import Type

#: full names of class templates that are tables
TABLE = re.compile(
    r"^(?:std::(?:__\w+::)*unordered_(?:multi)?(?:map|set)<"
    r"|std::_Hashtable<"
    r"|absl::(?:\w+::)*(?:(?:flat|node)_hash_(?:map|set)|container_internal::raw_hash_set)<"
    r"|tbb::(?:\w+::)*concurrent_hash_map<"
    r"|boost::unordered::unordered_(?:multi|flat_|node_)?(?:map|set)<"
    r"|(?:std::collections::hash::|hashbrown::)(?:map::HashMap|set::HashSet)<)"
)
#: Rust's strings: members that lead to the pointer and to the length (Rust 1.84 and later)
RUST_TEXTS = {
    "&str": (("data_ptr",), ("length",)),
    "alloc::string::String": (
        ("vec", "buf", "inner", "ptr", "pointer", "pointer"),
        ("vec", "len"),
    ),
}
#: members that lead to the number of entries, in Abseil's tables since 2024, and
_COMMON = ("settings_", "value", "size_")
#: of one library or another
_COUNTS = (
    ("_M_h", "_M_element_count"),
    ("__table_", "__p2_"),
    ("my_size",),
    ("table_", "size_ctrl", "size"),
    ("table_", "size_"),
    _COMMON,
    ("size_",),
    ("base", "table", "table", "items"),
)


def entries_in(type: Type, data: bytes) -> Optional[int]:
    """How many entries a table has, by its bytes; None: the type is no table, or not known."""
    if type.as_class is None:
        return None
    own = type.as_class()
    if not TABLE.match(own.tag):
        return None
    for path in _COUNTS:
        place, inner = 0, type
        for name in path:
            part = inner.as_class().find(name) if inner.as_class is not None else None
            if part is None:
                break
            place, inner = place + part.offset, part.type
        else:
            count = int.from_bytes(data[place : place + 8], "little")
            # Abseil's since 2024 have a bit of their own below it
            return count >> 1 if path == _COMMON else count
    return None
