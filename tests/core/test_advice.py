# SPDX-License-Identifier: MIT
"""What `map stats` advises: what the figures support, and nothing where they are not known."""

from types import SimpleNamespace
from typing import Any, Dict, List, Optional, cast

import pytest

from mapscope.heap.totals import _TEXTS, ADVICE
from mapscope.maps.advice import Advice, advise
from mapscope.maps.facts import Coverage, Distribution, Held, Life
from mapscope.maps.verdict import BAD, CROWDED, EQUAL, RANDOM, REGULAR, UNKNOWN, Verdict
from mapscope.maps.view import MapView

FILLED = Life(growths=13, same_size_growths=0, shrinks=0, rebuilds=0, evacuated=8191)
KIB = 1 << 10


def advice(
    held: Optional[Held] = Held(buckets=100 * KIB),
    rebuilt: Optional[int] = 100 * KIB,
    read: Optional[Coverage] = None,
    verdict: str = RANDOM,
    **view: Any,
) -> List[Advice]:
    """What is said of a map of 50,000 entries that needs all it has."""
    values: Dict[str, Any] = {
        **{"address": 4096, "problems": [], "flavor": "runtime", "life": None, "count": 50000},
        "facts": lambda: SimpleNamespace(grows_above=53248),
        **view,
    }
    found = Distribution({}, {}, {}, {}, 50000, 1.0, held, 0, rebuilt, read=read)
    return advise(cast(MapView, SimpleNamespace(**values)), found, Verdict(verdict))


def codes(**changes: Any) -> List[str]:
    return [one.code for one in advice(**changes)]


def test_nothing_is_wrong() -> None:
    assert codes() == codes(address=None, rebuilt=0) == []


def test_what_a_fresh_copy_gives_back() -> None:
    (one,) = advice(rebuilt=30 * KIB)
    assert one.form() == {
        "code": "rebuild",
        "message": "rebuild() gives back about 70.0 KiB of 100.0 KiB",
        "bytes": 70 * KIB,
        "growths": None,
    }
    for flavor in ("go-classic", "go-swiss"):
        (one,) = advice(rebuilt=30 * KIB, flavor=flavor)
        assert one.text.startswith("a new map with the same entries gives back about 70.0 KiB")
    # less than half of it; little altogether; a table that the program cannot make anew
    assert codes(rebuilt=51 * KIB) == codes(held=Held(buckets=17 * KIB), rebuilt=2 * KIB) == []
    assert codes(rebuilt=0, flavor="redis-dict") == []


def test_what_a_migration_retains_is_not_given_back_by_a_copy() -> None:
    held = Held(buckets=100 * KIB, old=100 * KIB, retired=100 * KIB)
    assert codes(held=held, rebuilt=90 * KIB) == []
    (one,) = advice(held=held, rebuilt=10 * KIB)
    assert one.bytes == 90 * KIB


@pytest.mark.parametrize(
    "unknown", [{"held": None}, {"rebuilt": None}, {"read": (5, None)}, {"problems": ["loop"]}]
)
def test_what_is_not_known_is_no_ground(unknown: Any) -> None:
    assert codes(**{"rebuilt": 0, **unknown}) == []
    if not unknown.keys() & {"held", "rebuilt"}:
        assert codes(life=FILLED, **unknown) == []


def test_a_hint_of_the_size() -> None:
    (one,) = advice(life=FILLED)
    assert (one.code, one.growths, one.bytes) == ("hint", 13, None)
    assert one.text == "reserve(50000) before it is filled saves the 13 doublings"
    # with so few it would not get the array that it has
    (one,) = advice(life=FILLED, count=20000)
    assert "reserve(53248)" in one.text
    # Go does not count them, few are no matter, and one that got smaller doubled more than once
    for life in (
        None,
        Life(7, 0, 0, 0, 0),
        Life(13, 0, 1, 0, 0),
        Life(13, 0, 0, 1, 0),
    ):
        assert codes(life=life) == []
    assert codes(life=FILLED, count=999) == []
    assert codes(life=FILLED, facts=lambda: SimpleNamespace(grows_above=None)) == []
    # a map that was emptied is better made anew than larger from the start
    assert codes(life=FILLED, rebuilt=10) == ["rebuild"]


def test_hashes() -> None:
    for verdict in (BAD, EQUAL, CROWDED):
        assert codes(verdict=verdict) == codes(verdict=verdict, read=(5, 9)) == ["hash"]
        # nobody chooses the hash of these
        assert codes(verdict=verdict, flavor="go-swiss") == []
        assert codes(verdict=verdict, flavor="valkey-hashtable") == []
    for verdict in (RANDOM, REGULAR, UNKNOWN):
        assert codes(verdict=verdict) == []


def test_every_finding_of_a_heap_says_what_to_do() -> None:
    assert set(ADVICE) == {*_TEXTS, "small"} and all(ADVICE.values())
