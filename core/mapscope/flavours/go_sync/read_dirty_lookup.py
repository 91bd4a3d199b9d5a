# SPDX-License-Identifier: MIT
"""The path of a lookup in a sync.Map of two maps: the read map, then perhaps the dirty one."""

from typing import Dict, Optional

from ...maps.found import Candidate, Found, KeyTest, Unseen
from ...maps.view import MapView
from ...program.values import Address
from .two_maps import VALUE_SIZE, State, TwoMaps, where_of


class HalfCandidate(Candidate):
    """One of the two maps."""

    def place(self) -> Dict[str, object]:
        return {"map": self.array}

    def text(self) -> str:
        return f"{self.array} map"


def find_in(view: MapView, maps: TwoMaps, test: KeyTest) -> Found:
    """Looks a key up as Load does."""
    result = Found(None, None, "hash", "", [], 0, 0)
    if maps.read is None:
        reason = "it could not be read" if "read" in maps.unread else "there is none yet"
        result.candidates.append(HalfCandidate("read", 0, True, reason))
    elif _look_in("read", maps.read, view, maps, test, result):
        if maps.dirty is not None and not maps.same:
            reason = "the read map has the key: lookups do not come to the dirty one"
            result.candidates.append(HalfCandidate("dirty", 0, False, reason))
        return result
    if maps.dirty is None or maps.same:
        if "dirty" in maps.unread:
            looked, reason = maps.looks_in_dirty, "it could not be read"
            result.candidates.append(HalfCandidate("dirty", 0, looked, reason))
        return result
    if maps.looks_in_dirty:
        _look_in("dirty", maps.dirty, view, maps, test, result)
        return result
    reason = "the read map does not say that it is amended"
    result.candidates.append(HalfCandidate("dirty", 0, False, reason))
    other = Found(None, None, "hash", "", [], 0, 0)
    _look_in("dirty", maps.dirty, view, maps, test, other)
    if other.where is not None:
        result.unseen = Unseen(other.where, reason, other.key, other.value)
    return result


def _look_in(
    name: str, half: MapView, view: MapView, maps: TwoMaps, test: KeyTest, result: Found
) -> bool:
    """Whether a lookup ends in one of the maps: that has the key, if perhaps deleted."""
    found = half.find(test)
    result.cells_compared += found.cells_compared
    result.chain_hops += found.chain_hops
    result.unread += found.unread
    result.method = "scan" if found.method == "scan" else result.method
    result.note = result.note or found.note
    candidate = HalfCandidate(name, 0, True, "it does not have the key")
    result.candidates.append(candidate)
    if found.where is None or found.elem_address is None:
        if found.unseen is not None:
            candidate.reason += ", where lookups see it: it lies elsewhere in the map"
        return False
    result.hash, result.note = found.hash, found.note
    # of an entry in flight, that is not what lies at elem_address
    entry = found.value.value if isinstance(found.value, Address) else 0
    (state,), (pointer,) = maps.look([entry])
    if state is State.LIVE:
        candidate.reason = f"it has the key, with the entry at {entry:#x}"
        _take(name, found, view, maps, pointer, result)
        return True
    candidate.reason = {
        State.DELETED: f"it has the key, and its entry at {entry:#x} is deleted",
        State.EXPUNGED: f"it has the key, and its entry at {entry:#x} is expunged",
        State.PENDING: "the key is just being stored in it, or deleted from it",
        State.UNREAD: f"it has the key, and its entry at {entry:#x} is not known",
    }[state]
    result.unread += state is State.UNREAD
    return True


def _take(
    name: str, found: Found, view: MapView, maps: TwoMaps, pointer: int, result: Found
) -> None:
    """Note the entry that was found."""
    assert found.where is not None
    type = view.types()[1]
    raw: Optional[bytes] = maps.memory.gather([pointer], VALUE_SIZE)[0]
    result.key = found.key
    result.value = view.slot_value(type, pointer.to_bytes(8, "little"), 0, True)
    result.elem_address = pointer if raw is not None else None
    result.where = where_of(name, found.where)
    result.in_flight = found.in_flight
