# SPDX-License-Identifier: MIT
"""Calls of rehash_bucket: which bucket of a map is about to be filled.

rehash_bucket is a method of the map, and its `hash` is the bucket's number. It calls itself for
parents that wait, so it is there out of line; where a copy of it is inlined, debug information
tells both, or it is said that it does not.
"""

from typing import Optional, Tuple

from ...flavours.tbb.tbb_map import TbbMap
from ...session import Session
from ...stops.host import Hit, Host

#: buckets that are believed at most; bytes at the beginning of a function in which its parameters
#: are still in their registers
_MOST, _PROLOGUE = 1 << 40, 24


def as_it_is(host: Host, view: TbbMap) -> TbbMap:
    """The map at this moment."""
    reopen = view.reopen
    assert reopen is not None, "it was opened from a type"
    map = reopen(Session(host.target()))
    assert isinstance(map, TbbMap), "of the same type"
    return map


class RehashCalls:
    """Those of one map.

    :ivar location: of the function, as the debugger's user writes it
    """

    def __init__(self, host: Host, view: TbbMap) -> None:
        grows = view.grows
        assert grows is not None, "the plans have looked"
        scope = grows.functions[0].rpartition("::")[0].rpartition("::")[0]
        self.location = f"{scope}::concurrent_hash_map::rehash_bucket"
        self._host = host
        self._view = view
        self._unknown = False

    def bucket(self, hit: Hit) -> Optional[int]:
        """The bucket that a call is about to fill; None: it is one of another map's, or it cannot
        be told whose."""
        this, bucket = number_of(self._host, hit, "this"), number_of(self._host, hit, "hash")
        if this is None or bucket is None:
            this, bucket = self._passed(hit)
        return bucket if this == self._view.address else None

    def _passed(self, hit: Hit) -> Tuple[int, int]:
        """(the map, the number of the bucket) by registers, where they are still the function's
        parameters; 0 of both: they are not of this map, or not known."""
        this, place, bucket = (hit.register(name) for name in ("rdi", "rsi", "rdx"))
        if this == self._view.address and bucket < _MOST:
            map = as_it_is(self._host, self._view)
            if bucket < map.header.buckets and map.segments.bucket_address(bucket) == place:
                return this, bucket
        pc = hit.register("rip")
        start = self._host.function_start(pc)
        if (start is None or pc - start > _PROLOGUE) and not self._unknown:
            self._unknown = True
            self._host.say(
                "a bucket is rehashed by a copy of rehash_bucket that is inlined, and debug "
                f"information does not tell of which map: at {pc:#x}"
            )
        return 0, 0


def number_of(host: Host, hit: Hit, name: str) -> Optional[int]:
    """A parameter of the function that is hit; None: debug information does not tell."""
    frame = next(hit.frames(), None)
    variable = None if frame is None else frame.variable(name)
    if variable is None:
        return None
    data = variable.data
    if data is None and variable.address is not None:
        data = bytes(host.target().read_memory(variable.address, 8))
    return None if data is None else int.from_bytes(data[:8], "little")
