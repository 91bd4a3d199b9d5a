# SPDX-License-Identifier: MIT
"""How likely chance is: entries thrown into places at random, as a good hash throws them.

All chances are decimal logarithms of upper bounds, at most 0: what is called unlikely is.
"""

import math
from typing import Dict

_LOG2 = math.log10(2)


def equal(entries: int, cluster: int, bits: int) -> float:
    """Of any `cluster` of so many entries having the same number of so many random bits."""
    if cluster < 2 or cluster > entries:
        return 0.0
    return min(0.0, _choose(entries, cluster) - bits * (cluster - 1) * _LOG2)


def fullest(entries: int, places: int, most: int) -> float:
    """Of any place having `most` entries or more.

    A bound on the sum over the places: the binomial tail is less than its first term by one less
    the ratio of the first two.
    """
    if places < 2 or most < 2 or most > entries or most * places <= entries:
        return 0.0
    share = 1 / places
    first = (
        _choose(entries, most)
        + most * math.log10(share)
        + (entries - most) * math.log1p(-share) / math.log(10)
    )
    ratio = (entries - most) / (most + 1) * share / (1 - share)
    if ratio >= 1:
        return 0.0
    return min(0.0, first - math.log10(1 - ratio) + math.log10(places))


def clumped(entries: int, places: int, pairs: float) -> float:
    """Of so many pairs of entries sharing a place.

    Where most places hold one entry at most, pairs come as rare events do (Chernoff's bound for
    Poisson's distribution); where they hold many, the squares of what they hold have a chi-squared
    distribution (Chernoff's bound for that). The larger of both is taken.
    """
    expected = entries * (entries - 1) / 2 / places if places else 0.0
    if places < 2 or pairs <= expected:
        return 0.0
    rare = pairs - expected - pairs * math.log(pairs / expected) if expected else 0.0
    free = places - 1
    squares = (2 * pairs + entries) * places / entries - entries
    many = (free - squares) / 2 + free / 2 * math.log(squares / free) if squares > free else 0.0
    return min(0.0, max(rare, many) / math.log(10))


def pairs_in(cells: Dict[int, int]) -> int:
    """The pairs of entries that share a place.

    :param cells: entries in a place: number of such places
    """
    return sum(held * (held - 1) // 2 * number for held, number in cells.items())


def text(chance: float) -> str:
    """A chance for a reader."""
    if chance > -0.5:
        return "as chance would"
    if chance > -3:
        return f"chance 1 in {round(10 ** -chance)}"
    return f"chance 1 in 10^{int(-chance)}"


def _choose(all: int, some: int) -> float:
    """The decimal logarithm of the number of ways to choose some of all."""
    ways = math.lgamma(all + 1) - math.lgamma(some + 1) - math.lgamma(all - some + 1)
    return ways / math.log(10)
