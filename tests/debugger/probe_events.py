# SPDX-License-Identifier: MIT
"""In gdb: compare what the runtime's USDT probes tell with what its history recorded.

    source probe_events.py
    probe_events

runs the program to its end with a breakpoint at each probe, and prints a line for each kind of
event: how many there were, and whether both tell the same of each.
"""

import json
from typing import Any, Callable, Dict, List, Tuple

import gdb

Told = Tuple[Any, ...]

#: probe: what its arguments say, of an event of the history as JSON has it
PROBES: Dict[str, Callable[[Dict[str, Any]], Told]] = {
    "create": lambda e: (e["map"], e["type"], e["hint"], e["buckets"]),
    "grow": lambda e: (e["map"], e["type"], e["count"], e["old_buckets"], e["buckets"]),
    "shrink": lambda e: (e["map"], e["type"], e["count"], e["old_buckets"], e["buckets"]),
    "done": lambda e: (e["map"], e["type"], e["count"], e["old_buckets"], e["buckets"]),
    "clear": lambda e: (e["map"], e["type"], e["count"], e["buckets"]),
    "destroy": lambda e: (e["map"], e["type"], e["count"], e["buckets"]),
    "evacuate": lambda e: (e["map"], e["bucket"], e["old_buckets"]),
    "evacuated": lambda e: (e["map"], e["bucket"]),
}
#: where the history has another word
EVENTS = {
    "create": ("created",),
    "grow": ("grow", "same-size"),
    "destroy": ("destroyed",),
    "evacuated": ("evacuate",),
}


#: fields that the functions above take
HISTORY = ("map", "type", "count", "hint", "buckets", "old_buckets", "bucket")


class Probe(gdb.Breakpoint):
    """Notes what one probe tells, and lets the program go on."""

    def __init__(self, name: str) -> None:
        super().__init__(f"-probe-stap mapscope:{name}")
        self.told: List[Told] = []
        self._size = len(PROBES[name](dict.fromkeys(HISTORY)))
        self._typed = name not in ("evacuate", "evacuated")

    def stop(self) -> bool:
        values = [gdb.parse_and_eval(f"$_probe_arg{at}") for at in range(self._size)]
        told: List[Any] = [int(value) & (1 << 64) - 1 for value in values]
        told[0] = hex(told[0])
        if self._typed:
            name = values[1].cast(gdb.lookup_type("char").pointer()).string()
            told[1] = name.replace("long unsigned int", "unsigned long")  # GCC's words
        self.told.append(tuple(told))
        return False


class Compare(gdb.Command):
    """probe_events"""

    def __init__(self) -> None:
        super().__init__("probe_events", gdb.COMMAND_USER)

    def invoke(self, line: str, from_tty: bool) -> None:
        probes = {name: Probe(name) for name in PROBES}
        gdb.execute("catch syscall exit_group")
        gdb.execute("run", to_string=True)
        text = gdb.execute("map history --json", to_string=True)
        rows = [json.loads(row) for row in text.splitlines() if row.startswith("{")]
        for name, probe in probes.items():
            events = EVENTS.get(name, (name,))
            wanted = [PROBES[name](row) for row in rows if row.get("event") in events]
            same = "the same" if probe.told == wanted else f"WRONG: {probe.told} {wanted}"
            print(f"{name}: {len(wanted)} events, {same}")


Compare()
