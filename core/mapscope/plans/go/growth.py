# SPDX-License-Identifier: MIT
"""What a growth of a Go map is about to do, told from its header and its old buckets."""

from typing import Callable, Dict, List, Tuple

from ...go import layouts
from .go_runtime import GoRuntime, Hmap


def growth_kind(hmap: Hmap, minor: int) -> str:
    """What hashGrow is about to do (overLoadFactor in runtime/map.go)."""
    over = hmap.count + 1 > layouts.load_limit(minor, hmap.B)
    return "double" if over else "same-size"


def begins(go: GoRuntime, hmap: Hmap) -> bool:
    """Whether nothing is evacuated: the first evacuations of a growth include bucket 0."""
    return bool(hmap.oldbuckets) and not hmap.nevacuate and not go.is_evacuated(hmap.oldbuckets)


def ends_now(go: GoRuntime, hmap: Hmap, bucketsize: int) -> bool:
    """Whether advanceEvacuationMark will find the migration complete."""
    return bool(hmap.oldbuckets) and _advanced(go, hmap, bucketsize, hmap.nevacuate, -1) >= (
        hmap.old_buckets
    )


def _advanced(go: GoRuntime, hmap: Hmap, bucketsize: int, nevacuate: int, evacuated: int) -> int:
    """nevacuate behind advanceEvacuationMark, which looks at 1,024 more buckets at most.

    :param evacuated: a bucket that is by then
    """
    following = nevacuate + 1
    stop = min(following + 1024, hmap.old_buckets)
    while following < stop:
        count = min(16, stop - following)
        for head in go.heads(hmap.oldbuckets + following * bucketsize, count, bucketsize):
            if not head and following != evacuated:
                return following
            following += 1
    return following


#: old buckets that a function is about to evacuate, and whether the migration ends with them
Foreseen = Tuple[List[int], bool]
Foresee = Callable[[GoRuntime, Hmap, int, int], Foreseen]


def evacuation(go: GoRuntime, hmap: Hmap, bucketsize: int, bucket: int) -> Foreseen:
    """At evacuate(t, h, bucket)."""
    if not hmap.oldbuckets or bucket >= hmap.old_buckets:
        return [], False
    buckets = [] if go.is_evacuated(hmap.oldbuckets + bucket * bucketsize) else [bucket]
    if bucket != hmap.nevacuate:
        return buckets, False
    ends = _advanced(go, hmap, bucketsize, bucket, -1) >= hmap.old_buckets
    return buckets, ends


def work(go: GoRuntime, hmap: Hmap, bucketsize: int, bucket: int) -> Foreseen:
    """At growWork(t, h, bucket): evacuate(bucket's old one); if that was not the end,
    evacuate(nevacuate)."""
    old, next = hmap.old_buckets, hmap.nevacuate
    if not hmap.oldbuckets or next >= old:
        return [], False
    first = bucket & (old - 1)
    buckets = evacuation(go, hmap, bucketsize, first)[0]
    if first == next:
        next = _advanced(go, hmap, bucketsize, next, first)
    if next < old:
        buckets += evacuation(go, hmap, bucketsize, next)[0] if next != first else []
        next = _advanced(go, hmap, bucketsize, next, first)
    return buckets, next >= old


class Begun:
    """Which growth of each map was noticed last, by its old array.

    The old array of a growth is the array that the growth before it made.
    """

    #: maps that are remembered
    _MOST = 1024

    def __init__(self) -> None:
        self._last: Dict[int, int] = {}

    def is_new(self, hmap: int, oldbuckets: int) -> bool:
        """Whether this growth was not noticed yet; from now on it is."""
        known = self._last.pop(hmap, None) == oldbuckets
        while len(self._last) >= self._MOST:
            self._last.pop(next(iter(self._last)))
        self._last[hmap] = oldbuckets
        return not known
