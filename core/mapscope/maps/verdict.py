# SPDX-License-Identifier: MIT
"""Whether a map's hashes look random, and if not, why.

What chance does is known: hashes that are equal, bits that are the same in all, places with many
entries are told with how likely they are. What this must not know: where hashes are from.
"""

from collections import Counter
from dataclasses import field
from functools import reduce
from operator import and_, itemgetter, or_
from typing import Dict, List, Optional, Sequence, Tuple

from ..program.values import Decoded, escape, json_form, text_form
from ..records import dataclass
from . import chances
from .facts import Distribution
from .hash_sample import HashSample
from .hash_use import HashUse
from .progress import Progress, no_progress
from .view import MapView

#: fewer hashes do not tell whether a bit is the same in all by chance
LEAST = 32
#: what is less likely is not taken for chance (a decimal logarithm), and how much more than by
#: chance entries must share places for it to matter
UNLIKELY, MATTERS = -9.0, 1.3
#: entries with one hash that are worth a word
_CLUSTER = 3
#: clusters that are looked at for different keys, and keys that are shown
_CLUSTERS, _SHOWN = 16, 3
_ALL = (1 << 64) - 1

_BAD_TEXT = "bad hash function: "

#: verdicts, as JSON has them
RANDOM, PLACES_RANDOM, REGULAR = "random", "places-random", "regular"
BAD, EQUAL, CROWDED, UNKNOWN = "bad-hash", "equal-hashes", "crowded", "unknown"


@dataclass
class Cluster:
    """Entries with different keys and the same hash.

    :ivar chance: decimal logarithm
    """

    hash: int
    entries: int
    chance: float
    keys: List[Decoded] = field(default_factory=list)

    def form(self) -> Dict[str, object]:
        """`cluster` of the hash verdict."""
        return {
            "hash": hex(self.hash),
            "entries": self.entries,
            "log10_chance": round(self.chance, 2),
            "keys": [json_form(key) for key in self.keys],
        }


@dataclass
class Fullest:
    """The place that has most entries.

    :ivar hashes: how many different ones those have; None: not known
    """

    unit: str
    place: Optional[int]
    entries: int
    hashes: Optional[int]
    chance: float

    def form(self) -> Dict[str, object]:
        """`fullest` of the hash verdict."""
        return {
            "unit": self.unit,
            "place": self.place,
            "entries": self.entries,
            "hashes": self.hashes,
            "log10_chance": round(self.chance, 2),
        }


@dataclass(frozen=True)
class _Filled:
    """Entries in places.

    :ivar pairs: of entries that share a place
    :ivar told: whether readers are told of the fullest place
    """

    fullest: Fullest
    entries: int
    places: int
    pairs: int
    told: bool = True

    @property
    def expected(self) -> float:
        """The pairs that chance would make."""
        return self.entries * (self.entries - 1) / 2 / self.places


@dataclass
class Verdict:
    """What is to be thought of a map's hashes.

    :ivar verdict: RANDOM, ...
    :ivar text: the same for a reader, with the reasons
    :ivar how: where hashes are from: "computed", "stored", "places"; "": not known
    :ivar judged: how many were looked at
    :ivar bits: which bits of them are known
    :ivar stuck: which are the same in all; None: not told by so few
    :ivar value: these
    :ivar distinct: different hashes
    :ivar share: pairs of entries that share a place, by how many chance would make
    """

    verdict: str = UNKNOWN
    text: str = ""
    how: str = ""
    judged: int = 0
    total: int = 0
    bits: int = 0
    stuck: Optional[int] = None
    value: int = 0
    distinct: Optional[int] = None
    cluster: Optional[Cluster] = None
    fullest: Optional[Fullest] = None
    share: Optional[float] = None

    def form(self) -> Dict[str, object]:
        """`hash_verdict` of mapscope.stats/1."""
        return {
            "verdict": self.verdict,
            "text": self.text,
            "hashes": self.how or None,
            "judged": self.judged,
            "entries": self.total,
            "known_bits": hex(self.bits) if self.how else None,
            "same_bits": None if self.stuck is None else hex(self.stuck),
            "same_value": None if self.stuck is None else hex(self.value),
            "distinct": self.distinct,
            "cluster": None if self.cluster is None else self.cluster.form(),
            "fullest": None if self.fullest is None else self.fullest.form(),
            "sharing": self.share,
        }


def judge_map(
    view: MapView, distribution: Distribution, progress: Progress = no_progress
) -> Verdict:
    """What is to be thought of a map's hashes.

    :param distribution: of its entries, which has been counted already
    """
    if not view.count and not distribution.entries:
        return Verdict(text="cannot tell: the map is empty")
    if any(getattr(problem, "code", "") == "interrupted" for problem in view.problems):
        return Verdict(text="cannot tell: interrupted", total=view.count)
    noted = len(view.problems)
    use = view.hash_use()
    sample = HashSample(view)
    sample.take(use, progress)
    del view.problems[noted:]  # counting has told them already
    return judge(view, distribution, sample, use)


def judge(
    view: MapView, distribution: Distribution, sample: HashSample, use: Optional[HashUse]
) -> Verdict:
    """What is to be thought of hashes.

    :param view: the map that they are of
    """
    return _Judge(view, distribution, sample, use).verdict()


class _Judge:
    """The judgement of one map."""

    def __init__(
        self,
        view: MapView,
        distribution: Distribution,
        sample: HashSample,
        use: Optional[HashUse],
    ) -> None:
        self._view = view
        self._distribution = distribution
        self._sample = sample
        self._use = use
        self._numbers: Sequence[int] = sample.numbers
        if view.repeats and sample.how != "places":
            self._numbers = list(dict.fromkeys(sample.numbers))  # equal keys have equal hashes
        self._found = Verdict(
            how=sample.how,
            judged=len(sample.numbers),
            total=view.count,
            bits=sample.bits,
        )
        #: what is wrong: (verdict, why)
        self._wrong: List[Tuple[str, str]] = []
        self._random = True
        self._told: Optional[Fullest] = None
        self._most = 0

    def verdict(self) -> Verdict:
        """All of it."""
        found, sample = self._found, self._sample
        if self._numbers:
            self._equal()
            self._stuck()
        self._places()
        if self._wrong:
            found.verdict = self._wrong[0][0]
            texts = [text for _, text in self._wrong[:2]]
            found.text = "; ".join([texts[0], *(one.replace(_BAD_TEXT, "") for one in texts[1:])])
            few = found.distinct is not None and 2 * found.distinct < found.judged
            if found.verdict == BAD and few and "different hashes" not in found.text:
                found.text += f"; {found.judged} keys have {found.distinct} different hashes"
        elif max(len(self._numbers), self._most) < LEAST:
            found.text = "cannot tell: " + self._lacking()
        elif not self._random:
            found.verdict = REGULAR
            found.text = self._even()
        elif sample.how in ("computed", "stored"):
            found.verdict = RANDOM
            found.text = f"looks random: {self._good()}"
        else:
            found.verdict = PLACES_RANDOM
            found.text = f"places look random: {self._good()}"
        found.text += self._limits()
        return found

    # --- what is looked for ---

    def _equal(self) -> None:
        """Clusters of equal hashes."""
        found, sample = self._found, self._sample
        whole = sample.how != "places"
        if self._view.repeats and not whole:
            return  # entries of one key are not told from others
        counts = Counter(sample.numbers)
        found.distinct = len(counts) if whole else None
        bits, count = bin(self._varying()).count("1"), len(self._numbers)
        if count < LEAST or len(counts) < LEAST:
            bits = bin(sample.bits).count("1")
        clusters: List[Cluster] = []
        several = [(number, entries) for number, entries in counts.items() if entries > 1]
        several.sort(key=itemgetter(1), reverse=True)
        for number, entries in several[: _CLUSTERS if self._view.repeats else None]:
            keys = sample.keys(number) if self._view.repeats else []
            entries = len(keys) if self._view.repeats else entries
            chance = chances.equal(max(count, entries), entries, bits)
            clusters.append(Cluster(number, entries, chance, keys[:_SHOWN]))
        clusters.sort(key=lambda cluster: -cluster.entries)
        clusters = [cluster for cluster in clusters if cluster.entries > 1]
        if whole and clusters:
            found.cluster = clusters[0]
            found.cluster.keys = found.cluster.keys or sample.keys(clusters[0].hash)[:_SHOWN]
        many = [c for c in clusters if c.entries >= _CLUSTER and c.chance < UNLIKELY]
        if not many:
            return
        most = many[0]
        if whole:
            self._alike(many, counts, most)
            return
        use = self._use
        assert use is not None, "places have shown it"
        shown = [use.unit] if use.place_bits and use.place_bits & sample.bits else []
        what = " and ".join(shown + ([use.mark] if use.mark_bits & sample.bits else []))
        text = f"{most.entries} entries share {what}, {chances.text(most.chance)}"
        if 2 * sum(cluster.entries for cluster in many) > len(sample.numbers) and len(many) > 1:
            few = f"{_BAD_TEXT}{len(sample.numbers)} entries have {len(counts)} different"
            self._wrong.append((BAD, f"{few} values of {what}; {text}"))
        else:
            self._wrong.append((CROWDED, f"{text}: equal hashes, or keys chosen for it"))

    def _alike(self, many: List[Cluster], counts: "Counter[int]", most: Cluster) -> None:
        """Many keys with the same hash: chosen so, or a function that gives few."""
        held = {cluster.hash for cluster in many}
        others = [number for number in counts if number not in held]
        inside = sum(cluster.entries for cluster in many)
        share = (
            f"{most.entries} keys share hash {most.hash:#x}"
            f" ({_key_texts(most.keys)}), {chances.text(most.chance)}"
        )
        if len(counts) == 1:
            text = (
                f"all {most.entries} keys that were looked at have hash {most.hash:#x} "
                f"({_key_texts(most.keys)}): a bad hash function, or keys chosen to collide"
            )
            self._wrong.append((EQUAL, text))
        elif len(others) >= LEAST and self._vary_enough(others):
            what = "collision attack or many equal hashes"
            more = f" ({len(many)} such hashes, {inside} keys)" if len(many) > 1 else ""
            self._wrong.append((EQUAL, f"{what}: {share}{more}; the others look random"))
        elif len(others) < LEAST and len(many) == 1:
            text = f"equal hashes: {share}; too few others to tell an attack from a bad function"
            self._wrong.append((EQUAL, text))
        else:
            text = (
                f"{_BAD_TEXT}{sum(counts.values())} keys have {len(counts)} different "
                f"hashes; {share}"
            )
            self._wrong.append((BAD, text))

    def _stuck(self) -> None:
        """Bits that are the same in all hashes."""
        found, use = self._found, self._use
        if len(set(self._numbers)) < LEAST and len(self._numbers) < LEAST:
            return
        found.stuck = stuck = self._same(self._numbers)
        found.value = self._numbers[0] & stuck
        if not stuck:
            return
        self._random = False
        if use is None or (self._wrong and self._wrong[0][0] == EQUAL):
            return
        wrong: List[str] = []
        used = (
            (use.place_bits or 0, f"those that choose the {use.unit}"),
            (use.mark_bits, f"the {use.mark}"),
        )
        for bits, what in used:
            if stuck & bits:
                wrong.append(f"{bits_text(stuck & bits)} (of {what})")
        if wrong:
            single = len(wrong) == 1 and wrong[0].startswith(("bit ", "the lowest", "the highest"))
            text = f"{_BAD_TEXT}{' and '.join(wrong)} {'is' if single else 'are'} the same"
            self._wrong.insert(0, (BAD, f"{text} in all hashes"))

    def _places(self) -> None:
        """How evenly places are filled."""
        found = self._found
        for filled in self._filled():
            fullest, expected = filled.fullest, filled.expected
            self._most = max(self._most, filled.entries)
            share = filled.pairs / expected if expected else None
            if filled.told and (self._told is None or fullest.chance < self._told.chance):
                self._told = found.fullest = fullest
                found.share = None if share is None else round(share, 3)
            if any(verdict in (EQUAL, CROWDED) for verdict, _ in self._wrong):
                continue
            chance = chances.clumped(filled.entries, filled.places, filled.pairs)
            clumped = share is not None and share > MATTERS and chance < UNLIKELY
            most = fullest.entries
            crowded = fullest.chance < UNLIKELY and most >= 2 * filled.entries / filled.places + 4
            if crowded and (not clumped or most * (most - 1) > filled.pairs - expected):
                where = fullest.unit if fullest.place is None else f"{fullest.unit} {fullest.place}"
                text = f"{most} entries share {'one ' if fullest.place is None else ''}{where}"
                if fullest.hashes is not None and fullest.hashes > 1:
                    text += f" though they have {fullest.hashes} different hashes"
                text += f", {chances.text(fullest.chance)}"
                text += ": keys with a pattern that the hash function keeps, or chosen ones"
                self._wrong.append((CROWDED, text))
            elif clumped and not self._wrong:  # else it comes of what was told
                text = (
                    f"{_BAD_TEXT}entries share a {fullest.unit} {share:.2f} times as "
                    f"often as by chance, {chances.text(chance)}"
                )
                self._wrong.append((BAD, text))
            elif share is not None and share < 0.5 and expected > 40:
                self._random = False

    def _filled(self) -> List[_Filled]:
        """Arrays of places, as they are filled."""
        sample, use = self._sample, self._use
        if sample.how == "" or use is None or use.places < 2:
            return self._counted()
        if sample.how == "places":
            return self._counted() + self._marked()
        counted = [] if sample.whole else self._counted()
        if counted or (not sample.whole and self._view.samples_pieces):
            return counted
        numbers = self._numbers
        if len(numbers) < 2:
            return []
        held = Counter(map(use.place, numbers))
        place, most = held.most_common(1)[0]
        different = len({number for number in numbers if use.place(number) == place})
        chance = chances.fullest(len(numbers), use.places, most)
        pairs = chances.pairs_in(Counter(held.values()))
        fullest = Fullest(use.unit, place, most, different, chance)
        return [_Filled(fullest, len(numbers), use.places, pairs)]

    def _counted(self) -> List[_Filled]:
        """The same of chains, as they were counted."""
        found: List[_Filled] = []
        shown = self._distribution
        if not shown.even or shown.unit == "group" or self._view.repeats:
            return []
        for cells in (shown.cells, shown.old_cells):
            places = sum(cells.values())
            entries = sum(held * number for held, number in cells.items())
            if places < 2 or entries < 2:
                continue
            most = max(cells)
            chance = chances.fullest(entries, places, most)
            fullest = Fullest("bucket", None, most, None, chance)
            found.append(_Filled(fullest, entries, places, chances.pairs_in(cells)))
        return found

    def _marked(self) -> List[_Filled]:
        """The same of the bits that are kept beside entries."""
        sample, use = self._sample, self._use
        assert use is not None, "places have shown it"
        bits = use.mark_bits & sample.bits
        if not bits or self._found.stuck is None or bits & self._found.stuck or self._view.repeats:
            return []
        held = Counter([number & bits for number in sample.numbers])
        places = 1 << bin(bits).count("1")
        fullest = Fullest(use.mark, None, max(held.values()), None, 0.0)
        pairs = chances.pairs_in(Counter(held.values()))
        return [_Filled(fullest, len(sample.numbers), places, pairs, False)]

    # --- what is said ---

    def _same(self, numbers: Sequence[int]) -> int:
        """Bits that are the same in all of these."""
        ones, zeros = reduce(and_, numbers, _ALL), ~reduce(or_, numbers, 0)
        return (ones | zeros) & self._sample.bits

    def _varying(self) -> int:
        return self._sample.bits & ~self._same(self._numbers)

    def _vary_enough(self, numbers: Sequence[int]) -> bool:
        """Whether bits vary in these hashes as far as it matters to the table."""
        use, same = self._use, self._same(numbers)
        if use is None:
            return not same
        if use.place_bits is None:
            return bin(self._sample.bits & ~same).count("1") >= use.places.bit_length() + 4
        return not same & (use.place_bits | use.mark_bits)

    def _lacking(self) -> str:
        sample = self._sample
        if sample.cut:
            return escape(sample.cut)
        if not self._numbers and sample.why:
            return sample.why
        if not self._numbers and sample.without:
            return "no key has a hash that can be computed"
        count = len(self._numbers) or self._view.count
        of = "different hash" if self._view.repeats and self._numbers else "entr"
        one, many = ("", "es") if of != "entr" else ("y", "ies")
        what = f"one {of}{one} is" if count == 1 else f"{count} {of}{many} are"
        return f"{what} too few ({LEAST} are judged)"

    def _good(self) -> str:
        """What was found to be as it should be."""
        found, parts = self._found, []
        if found.stuck is not None:
            many = bin(self._sample.bits).count("1")
            of = f"{len(self._numbers)} hashes" if many == 64 else f"the {many} bits known of each"
            parts.append(f"no bit is the same in all of {of}")
        if found.cluster is not None:
            parts.append(f"{found.cluster.entries} keys share a hash at most")
        elif found.distinct is not None:
            parts.append("none is there twice")
        if self._told is not None:
            parts.append(self._most_in_one(self._told))
        return ", ".join(parts) or "as far as can be told"

    def _even(self) -> str:
        """What is to be said of hashes that are not random, and do no harm."""
        found = self._found
        text = "not random"
        if found.stuck:
            text += f" (the same in all hashes: {bits_text(found.stuck)})"
        if self._use is None and self._told is None:
            return text + "; whether that matters to this map is not known"
        if self._told is None:
            return text + ", in bits that this table does not use"
        return text + f", and spread no worse than by chance: {self._most_in_one(self._told)}"

    def _most_in_one(self, fullest: Fullest) -> str:
        what = "hashes share" if self._view.repeats else "share"
        if fullest.entries < 2:
            return f"no two {what} a {fullest.unit}"
        return f"at most {fullest.entries} {what} a {fullest.unit}"

    def _limits(self) -> str:
        """What was not looked at."""
        sample, found = self._sample, self._found
        parts = []
        if sample.how and sample.cut and found.verdict != UNKNOWN:
            parts.append(escape(sample.cut))
        if sample.how and not sample.whole:
            judged = f"{found.judged} of {found.total} entries"
            short = sample.cut or not sample.sampled
            parts.append(f"only {judged} were looked at" if short else f"a sample: {judged}")
        elif sample.how and sample.without:
            parts.append(f"{sample.without} keys have no hash that can be computed")
        if sample.how in ("", "places") and found.verdict != UNKNOWN:
            parts.append(f"whether hashes are equal is not known: {sample.why}")
        return f" ({'; '.join(parts)})" if parts else ""


def bits_text(bits: int) -> str:
    """Which bits these are: "the low 6 bits", "bits 3 to 9 and 12"."""
    runs: List[Tuple[int, int]] = []
    for at in range(64):
        if bits >> at & 1:
            if runs and runs[-1][1] == at - 1:
                runs[-1] = (runs[-1][0], at)
            else:
                runs.append((at, at))
    if len(runs) == 1:
        first, last = runs[0]
        count = last - first + 1
        if count == 64:
            return "all bits"
        for edge, name in ((first == 0, "low"), (last == 63, "high")):
            if edge:
                return f"the {name} {count} bits" if count > 1 else f"the {name}est bit"
    parts = [str(a) if a == b else f"{a} to {b}" for a, b in runs]
    if len(parts) > 6:
        return f"{bin(bits).count('1')} bits"
    many = "bit" if len(runs) == 1 and runs[0][0] == runs[0][1] else "bits"
    return f"{many} " + " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _key_texts(keys: Sequence[Decoded]) -> str:
    return ", ".join([text_form(key, 40) for key in keys]) + ", ..."
