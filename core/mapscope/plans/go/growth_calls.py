# SPDX-License-Identifier: MIT
"""Through which functions of Go's runtime the growths of a program's maps go.

In the source (runtime/map.go, map_fast*.go; Go 1.17 to 1.24):

    mapassign, mapdelete → growWork → evacuate, evacuate → advanceEvacuationMark
    mapassign → hashGrow

each but the last two in variants. A build with a profile (go build -pgo, the default where
there is a default.pgo) inlines calls that are hot in it: then a function is missing, or is
there and is not what some of its callers call. Seen in Go 1.21 to 1.24: evacuate_faststr in
growWork_faststr; growWork_fast64 in mapassign_fast64, which then calls evacuate_fast64, while
growWork_fast64 has evacuate_fast64 inlined for mapassign_fast64ptr; advanceEvacuationMark in
evacuate; hashGrow in mapassign. No profile inlines both growWork and evacuate on one way.

Which calls are left is read from the machine code: E8 and the distance to the function. That
needs the functions' names, and no debug information.
"""

import re
from collections import Counter
from typing import Dict, List, Optional, Set, Tuple

from ...errors import MemoryUnreadable
from ...records import dataclass
from .go_runtime import GoRuntime

HASH_GROW, ADVANCE = "runtime.hashGrow", "runtime.advanceEvacuationMark"

_WRITERS: Dict[str, Tuple[str, ...]] = {
    "": ("mapassign", "mapdelete"),
    "_fast32": ("mapassign_fast32", "mapassign_fast32ptr", "mapdelete_fast32"),
    "_fast64": ("mapassign_fast64", "mapassign_fast64ptr", "mapdelete_fast64"),
    "_faststr": ("mapassign_faststr", "mapdelete_faststr"),
}

#: call rel32, at any byte
_CALL = re.compile(rb"(?=\xe8(.{4}))", re.DOTALL)
#: more than any of these functions has
_CODE_BYTES = 16 << 10


@dataclass(frozen=True)
class Place:
    """A function that is entered before old buckets are evacuated.

    :ivar name: its linker symbol
    :ivar works: it is a growWork, which evacuates up to two; else an evacuate
    :ivar marks: whether all evacuations that it announces call advanceEvacuationMark
    """

    name: str
    works: bool
    marks: bool


class GrowthCalls:
    """What is left of these functions in a program.

    :ivar places: where evacuations are noticed
    :ivar growing: those of them that maps go through for which hashGrow is not called
    :ivar unseen: writing functions whose evacuations are noticed nowhere
    """

    def __init__(self, go: GoRuntime) -> None:
        self._go = go
        self._starts = self._functions()
        self._calls = self._read()
        self.places: List[Place] = []
        self.growing: List[Place] = []
        self.unseen: List[str] = []
        for variant in _WRITERS:
            self._follow(variant)

    @property
    def has_hash_grow(self) -> bool:
        """Whether there is a hashGrow to stop at."""
        return HASH_GROW in self._starts

    @property
    def has_advance(self) -> bool:
        """Whether there is an advanceEvacuationMark to stop at."""
        return ADVANCE in self._starts

    def note(self) -> List[str]:
        """What a user should know of it, a line each."""
        lines = []
        works = [place.name for place in self.places if place.works]
        if works:
            lines.append(
                f"this build has evacuate inlined (by a profile) in {', '.join(works)}: noticed "
                "there, where up to two old buckets are about to be evacuated"
            )
        if self.unseen:
            lines.append(
                f"not noticed: migrations by {', '.join(self.unseen)}, where growWork and "
                "evacuate are inlined"
            )
        return lines

    def _functions(self) -> Dict[str, int]:
        names = [HASH_GROW, ADVANCE]
        for variant, writers in _WRITERS.items():
            names += [f"runtime.{base}{variant}" for base in ("growWork", "evacuate")]
            names += [f"runtime.{writer}" for writer in writers]
        found = ((name, self._go.function(name)) for name in names)
        return {name: start for name, start in found if start is not None}

    def _read(self) -> Optional[Dict[Tuple[str, str], int]]:
        """How often one of the functions calls another; None: there is no code to read."""
        names = {start: name for name, start in self._starts.items()}
        places: Set[int] = set()
        calls: "Counter[Tuple[str, str]]" = Counter()
        for start in names:
            code = self._code(start)
            for match in _CALL.finditer(code):
                place = start + match.start()
                distance = int.from_bytes(match[1], "little", signed=True)
                callee = names.get(place + 5 + distance)
                if callee is None or place in places:
                    continue
                places.add(place)
                # what is read goes on into the next function
                caller = names.get(self._go.function_start(place) or 0)
                if caller is not None:
                    calls[caller, callee] += 1
        return dict(calls) if calls else None

    def _code(self, start: int) -> bytes:
        size = _CODE_BYTES
        while size >= 64:
            try:
                return bytes(self._go.read(start, size))
            except MemoryUnreadable:
                size //= 2  # the end of the program's code
        return b""

    def _count(self, caller: str, callee: str, wanted: int) -> int:
        """How many calls there are of those in the source."""
        if self._calls is None:
            return wanted if callee in self._starts else 0
        return self._calls.get((caller, callee), 0)

    def _follow(self, variant: str) -> None:
        """Find the places on the way from each function that writes."""
        work, evacuate = f"runtime.growWork{variant}", f"runtime.evacuate{variant}"
        marks = self._count(evacuate, ADVANCE, 1) > 0
        found: Set[Place] = set()
        growing: Set[Place] = set()
        if self._calls is None:  # nothing is known: as in the source
            if evacuate in self._starts:
                found.add(Place(evacuate, False, self.has_advance))
            elif work in self._starts:
                found.add(Place(work, True, self.has_advance))
        for writer in () if self._calls is None else _WRITERS[variant]:
            name = f"runtime.{writer}"
            if name not in self._starts:
                continue
            holder = work if self._count(name, work, 1) else name
            evacuations = self._count(holder, evacuate, 2)
            if evacuations >= 2:
                place = Place(evacuate, False, marks)
            elif holder == work:
                inlined = self._count(holder, ADVANCE, 0) >= 2 - evacuations
                place = Place(work, True, inlined and (marks or not evacuations))
            else:
                self.unseen.append(name)
                continue
            found.add(place)
            if writer.startswith("mapassign") and not self._count(name, HASH_GROW, 1):
                growing.add(place)
        if not self.has_hash_grow:
            growing |= found
        self.places += sorted(found, key=lambda place: place.name)
        self.growing += sorted(growing, key=lambda place: place.name)
