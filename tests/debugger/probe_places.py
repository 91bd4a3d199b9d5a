# SPDX-License-Identifier: MIT
"""In gdb: stop where a script of `map probes` puts its probes, and count as it would.

    source probe_places.py
    probe_places FILE

FILE is what `map probes --json` has written of the program. Runs it to main.checkpoint, and prints
for each of the first growths of its maps how many buckets had been evacuated by then.
"""

import json
import re
from collections import Counter
from functools import partial
from typing import Any, Callable, Dict, List, Set, Tuple

import gdb

#: what happens to a Swiss map, as a script calls it
SWISS = ("group to table", "table doubled", "table split")
#: buckets of a map up to which its growths are compared
ENOUGH = 256


class Probe(gdb.Breakpoint):
    """One place."""

    def __init__(self, address: str, seen: Callable[[], None]) -> None:
        super().__init__(f"*{address}", internal=True)
        self._seen = seen

    def stop(self) -> bool:
        self._seen()
        return False


def register(name: str) -> int:
    return int(gdb.parse_and_eval(f"${name}")) & (1 << 64) - 1


def word(address: int, size: int = 8) -> int:
    return int.from_bytes(bytes(gdb.selected_inferior().read_memory(address, size)), "little")


class Counting:
    """What the script keeps in its maps, of the first growths of each map.

    :ivar lines: what was compared, a line for each growth of a map of ENOUGH buckets or less
    """

    def __init__(self, form: Dict[str, Any]) -> None:
        self.lines: List[str] = []
        self.probes: List[Probe] = []
        self.of_tables: "Counter[Tuple[str, str]]" = Counter()
        self._types: Dict[str, str] = form["types"]
        self._evacuations: "Counter[int]" = Counter()
        self._entered: Dict[int, int] = {}
        self._seen: Set[Tuple[int, int]] = set()
        self._calls = self._back = 0
        # as the script has it: where a bucket's size is
        sizes = re.search(r'reg\("ax"\) \+ (\d+)', form["script"])
        self._size_at = int(sizes[1]) if sizes else 0

    def grown(self) -> None:
        map = register("rbx")
        B = word(map + 9, 1)
        if (map, B) in self._seen:
            return  # gdb has stopped the thread here once more, when it took it on
        self._seen.add((map, B))
        name = self._types.get(hex(register("rax")), "?")
        # every migration before this one has moved each of its old buckets
        moved, wanted = self._evacuations[map], (1 << B) - 1
        same = "as it must be" if moved == wanted else "WRONG"
        self.lines.append(f"{name} of {1 << B} buckets grows, {moved} evacuated before: {same}")
        if 1 << B >= ENOUGH:
            for probe in self.probes:
                probe.enabled = False

    def evacuated(self) -> None:
        if register("r14") in self._entered:
            return  # once more
        self._calls += 1
        map = self._entered[register("r14")] = register("rbx")
        bucket = word(map + 24) + register("rcx") * word(register("rax") + self._size_at, 2)
        if not 2 <= word(bucket, 1) < 5:
            self._evacuations[map] += 1

    def swiss(self, kind: str) -> None:
        """A Swiss map grows."""
        if register("r14") in self._entered:
            return  # once more
        self._calls += 1
        self._entered[register("r14")] = 0
        self.of_tables[kind, self._types.get(hex(register("rbx")), "?")] += 1

    def behind(self) -> None:
        """The goroutine of a call that was seen comes back."""
        if self._entered.pop(register("r14"), None) is not None:
            self._back += 1

    def calls(self) -> str:
        """Whether all calls came back but that of the last growth's own write."""
        return "all came back" if self._calls - self._back in (0, 1) else "WRONG"


class Places(gdb.Command):
    """probe_places FILE"""

    def __init__(self) -> None:
        super().__init__("probe_places", gdb.COMMAND_USER)

    def invoke(self, line: str, from_tty: bool) -> None:
        with open(line, encoding="utf-8") as file:
            form = json.load(file)
        counting = Counting(form)
        kinds: Dict[str, Callable[[], None]] = {
            "a growth": counting.grown,
            "an old bucket": counting.evacuated,
            "behind a call": counting.behind,
            **{kind: partial(counting.swiss, kind) for kind in SWISS},
        }
        for place in form["probes"]:
            seen = next(seen for kind, seen in kinds.items() if place["what"].startswith(kind))
            counting.probes.append(Probe(place["address"], seen))
        # a signal at a breakpoint would have it hit once more
        gdb.execute("set environment GODEBUG asyncpreemptoff=1")
        gdb.execute("break main.checkpoint")
        gdb.execute("run", to_string=True)
        for said in counting.lines:
            print(said)
        if counting.of_tables:
            map = json.loads(gdb.execute("map inspect m --json", to_string=True))
            first, _, splits = (counting.of_tables[kind, map["type"]] for kind in SWISS)
            same = "as it must be" if (first, splits) == (1, map["tables"] - 1) else "WRONG"
            print(f"{map['type']} has split {splits} times: {same}")
        print(f"calls: {counting.calls()}")


Places()
