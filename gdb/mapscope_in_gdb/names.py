# SPDX-License-Identifier: MIT
"""Names by which map types are told in DWARF; imported early, so it is small."""

import gdb


def is_go_header(native: gdb.Type) -> bool:
    """Whether it is hash<K,V> or map<K,V>, the header of a Go map."""
    name = native.strip_typedefs().name or ""
    return name.endswith(">") and (name.startswith("hash<") or name.startswith("map<"))
