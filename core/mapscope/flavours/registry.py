# SPDX-License-Identifier: MIT
"""Every kind of map that there is: the one place that names them all, with the signs by which
they are loaded (deferred.py)."""

import re
from typing import Callable, Optional, Tuple

from ..program.types import Kind
from ..session import Session
from .cpp.abi import abi_addresses
from .deferred import Deferred
from .described.loaded import LOADED


def _has_runtime(session: Session) -> bool:
    # where there is no Go, an hmap is known by what it leads to, also without the program's file
    return not session.is_go() or next(abi_addresses(session), None) is not None


def _exports(name: str) -> Callable[[Session], bool]:
    return lambda session: bool(session.target.symbols(name))


_MAPSCOPE = re.compile(r"mapscope::").match
_SYNC = re.compile(r"(?:internal/)?sync\.").match
_RUNTIME = re.compile(r"(?:internal/)?runtime[./]").match
_GO = (Kind.GO_MAP, Kind.GO_HMAP)
_HASHTABLE = re.compile(r"(?:struct )?hashtable").match
_DICT = re.compile(r"(?:struct )?_?dict").match
_STD = re.compile(r"std::").match
_LIBCXX = re.compile(r"std::__").match
_ABSL = re.compile(r"absl::").match
_BOOST = re.compile(r"boost::unordered::").match
_RUST = re.compile(r"std::collections::hash::|hashbrown::").match
_TBB = re.compile(r"tbb::").match

#: in the order in which they are asked
FLAVOURS: Tuple[Deferred, ...] = (
    Deferred(
        *("described", "described.described_tables.DescribedTables", lambda name: bool(LOADED)),
        present=lambda session: bool(LOADED),
    ),
    Deferred(
        *("runtime", "cpp.runtime_maps.RuntimeMaps", _MAPSCOPE),
        kinds=(Kind.RUNTIME_MAP, Kind.RUNTIME_HMAP),
        present=_has_runtime,
    ),
    Deferred("go-sync-map", "go_sync.go_sync_maps.GoReadDirtyMaps", _SYNC, present=Session.is_go),
    Deferred("go-sync-trie", "go_sync.go_sync_maps.GoTrieMaps", _SYNC, present=Session.is_go),
    Deferred("go-classic", "go.go_classic.GoClassicMaps", _RUNTIME, _GO, Session.is_go),
    Deferred("go-swiss", "go.go_swiss.GoSwissMaps", _RUNTIME, _GO, Session.is_go),
    Deferred(
        *("valkey-hashtable", "valkey.valkey_tables.ValkeyTables", _HASHTABLE),
        present=_exports("hashtableFind"),
    ),
    Deferred(
        *("redis-dict", "redis.redis_dicts.RedisDicts", _DICT), present=_exports("dictRehash")
    ),
    Deferred("std-unordered", "std_unordered.std_tables.StdTables", _STD, library=True),
    Deferred("libc++-unordered", "libcxx.libcxx_tables.LibcxxTables", _LIBCXX, library=True),
    Deferred("absl-swiss", "absl.absl_tables.AbslTables", _ABSL, library=True),
    Deferred("boost-unordered", "boost_unordered.boost_tables.BoostTables", _BOOST, library=True),
    Deferred("boost-flat", "boost_unordered.flat_tables.BoostFlatTables", _BOOST, library=True),
    Deferred("rust-hashbrown", "rust.rust_tables.RustTables", _RUST, library=True),
    Deferred("tbb-concurrent", "tbb.tbb_tables.TbbTables", _TBB, library=True),
)
#: those of tables of libraries, by name
LIBRARIES: Tuple[str, ...] = tuple(one.name for one in FLAVOURS if one.library)


def operation(function: str) -> Optional[str]:
    """What a function does to a map, whichever kind it is; None: it writes to none."""
    return next((found for found in (f.operation(function) for f in FLAVOURS) if found), None)
