# SPDX-License-Identifier: MIT
"""Which hash function a table of Boost's has, and how it mixes what that gives."""

from typing import Callable, Iterable, Optional, Sequence, Tuple

from ...maps.proved_hash import ENOUGH
from ...maps.view import MapView
from ...program.hashing import KeyHash
from ...program.types import Kind
from ...program.values import escape
from ..library_hashes import boost_hashes, same
from ..std_unordered.std_hash import StdKeyHash, has_std_hash

_INTEGERS = (Kind.INT, Kind.UINT, Kind.BOOL)


def boost_hashing(
    view: MapView,
    name: str,
    ways: Sequence[Callable[[int], int]],
    proved: Callable[[Iterable[KeyHash]], Optional[KeyHash]],
) -> Tuple[Optional[KeyHash], str]:
    """The hash function of a table, or why it is not known.

    :param name: of the function
    :param ways: in which the table may mix a hash
    :param proved: gives the one of some that the table's entries agree with
    """
    shown, key = escape(name) or "its hash", view.types()[0]
    if tuple(ways) == (same,) and key.kind in _INTEGERS and name.startswith("boost::hash<"):
        return StdKeyHash(view.memory, key), ""
    candidates = list(boost_hashes(view.memory, key, name, ways)) if has_std_hash(key) else []
    if not candidates:
        return None, f"{shown} is not computed here"
    if view.count < ENOUGH:
        if len(ways) > 1:
            few = f"whether {shown} is mixed, and how, fewer than {ENOUGH} entries do not prove"
        else:
            few = f"{shown} differs between releases, and fewer than {ENOUGH} entries prove none"
        return None, few
    found = proved(candidates)
    if found is None:
        return None, f"{shown}, as it is computed here, is not that of the table's entries"
    return found, ""
