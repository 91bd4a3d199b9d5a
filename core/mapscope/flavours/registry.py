# SPDX-License-Identifier: MIT
"""Every kind of map that there is: the one place that names them all."""

from typing import Optional, Tuple

from .absl import absl_tables
from .boost_unordered import boost_tables, flat_tables
from .cpp.runtime_maps import RuntimeMaps
from .flavour import Flavour
from .go.go_classic import GoClassicMaps
from .go.go_swiss import GoSwissMaps
from .go_sync.go_sync_maps import GoReadDirtyMaps, GoTrieMaps
from .libcxx import libcxx_tables
from .redis.redis_dicts import RedisDicts
from .rust import rust_tables
from .std_unordered import std_tables
from .tbb import tbb_tables
from .valkey.valkey_tables import ValkeyTables

#: in the order in which they are asked
FLAVOURS: Tuple[Flavour, ...] = (
    RuntimeMaps(),
    GoReadDirtyMaps(),
    GoTrieMaps(),
    GoClassicMaps(),
    GoSwissMaps(),
    ValkeyTables(),
    RedisDicts(),
    std_tables.StdTables(),
    libcxx_tables.LibcxxTables(),
    absl_tables.AbslTables(),
    boost_tables.BoostTables(),
    flat_tables.BoostFlatTables(),
    rust_tables.RustTables(),
    tbb_tables.TbbTables(),
)
#: those of tables of libraries, by name
LIBRARIES: Tuple[str, ...] = (
    std_tables.NAME,
    libcxx_tables.NAME,
    absl_tables.NAME,
    boost_tables.NAME,
    flat_tables.NAME,
    rust_tables.NAME,
    tbb_tables.NAME,
)


def operation(function: str) -> Optional[str]:
    """What a function does to a map, whichever kind it is; None: it writes to none."""
    return next((found for found in (f.operation(function) for f in FLAVOURS) if found), None)
