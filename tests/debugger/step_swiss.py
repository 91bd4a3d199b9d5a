# SPDX-License-Identifier: MIT
"""A gdb command for tests: step through the growth of a Swiss map, instruction by instruction.

    step-swiss FUNCTION MOST EACH [over]

Runs programs/go/swiss to the next call of a function of internal/runtime/maps by main.add,
and steps until that returns, or for MOST instructions; over what it calls, if told so. At
each of EACH-th of them `map entries` must show keys 0 to n-1 once, and may show n. Prints how many
instructions there were, and how many showed anything else.
"""

import json
from typing import List, Optional

import gdb

_CALLER = "main.add"


def caller() -> Optional[gdb.Frame]:
    frame: Optional[gdb.Frame] = gdb.newest_frame()
    while frame is not None and frame.name() != _CALLER:
        frame = frame.older()
    return frame


def keys() -> List[int]:
    lines = gdb.execute("map entries main.Table --json", to_string=True).splitlines()
    return [json.loads(line)["key"] for line in lines[1:-1]]


def step(function: str, most: int, each: int, over: bool) -> None:
    breakpoint = gdb.Breakpoint(f"internal/runtime/maps.{function}", internal=True)
    while True:
        gdb.execute("continue", to_string=True)
        frame = caller()
        if frame is not None:
            break
    breakpoint.delete()
    gdb.execute("set scheduler-locking on")
    n = int(frame.read_var("n"))
    truth = set(range(n))
    stepped = wrong = 0
    while stepped < most:
        found = keys() if stepped % each == 0 else sorted(truth)
        if len(found) != len(set(found)) or set(found) - {n} != truth:
            wrong += 1
            if wrong <= 3:
                place = gdb.execute("x/i $pc", to_string=True).strip()
                print(f"{len(found)} keys, {len(set(found))} of them different, at {place}")
        gdb.execute("nexti" if over else "stepi", to_string=True)
        stepped += 1
        if gdb.newest_frame().name() == _CALLER:
            break
    gdb.execute("set scheduler-locking off")
    print(f"{function}: {stepped} instructions with {n} keys, {wrong} wrong")


class StepSwiss(gdb.Command):
    """Step through the growth of a Swiss map."""

    def __init__(self) -> None:
        super().__init__("step-swiss", gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        function, most, each, *over = argument.split()
        step(function, int(most), int(each), bool(over))


StepSwiss()
