# SPDX-License-Identifier: MIT
"""Every kind of map that there is: the one place that names them all."""

from typing import Optional, Tuple

from .cpp.runtime_maps import RuntimeMaps
from .flavour import Flavour
from .go.go_classic import GoClassicMaps
from .go.go_swiss import GoSwissMaps
from .redis.redis_dicts import RedisDicts
from .valkey.valkey_tables import ValkeyTables

#: in the order in which they are asked
FLAVOURS: Tuple[Flavour, ...] = (
    *(RuntimeMaps(), GoClassicMaps(), GoSwissMaps()),
    *(ValkeyTables(), RedisDicts()),
)


def operation(function: str) -> Optional[str]:
    """What a function does to a map, whichever kind it is; None: it writes to none."""
    return next((found for found in (f.operation(function) for f in FLAVOURS) if found), None)
