# SPDX-License-Identifier: MIT
"""A command for tests, in both debuggers: a concurrent_hash_map is shown after instructions of what
is done to it.

    tbb-steps ROUNDS STRIDE [SKIP]

The program (programs/cpp/tbb_tables.cpp) is stopped at each call of step(); in those of ROUNDS, as
"0,4-6", it is stepped through, and after every STRIDE instructions the map's entries must be all
that it had before the call and that the call does not delete, each once, and nothing else but what
the call inserts; `map check` must find no error, now and then. SKIP instructions are passed over at
first. Prints how many places there were, and whether entries were in flight in some.
"""

import json
import shlex
from typing import Any, Dict, List, Set, Tuple

from in_debugger import Failed, define, execute
from stepping import Program, program

MAP = "stepped"
_FUNCTION = "_ZN12_GLOBAL__N_14stepEi"
#: keys that a round inserts, and those that it deletes; None: all
_INSERTED = {1: range(1000, 1001), 3: range(2000, 3000)}
_DELETED = {2: range(17, 18), 6: range(0, 10000)}
#: instructions of one call before something is wrong
_LONGEST = 2_000_000
#: of so many places one is checked
_CHECKED = 8


class Steps:
    """What was seen so far."""

    def __init__(self, here: Program) -> None:
        self._here = here
        self._map: Any = None
        self.looked = self.wrong = self.in_flight = 0

    def entries(self) -> Tuple[Dict[int, int], str, int]:
        """(entries, what is wrong with them, how many are in flight)"""
        from mapscope.locate import named_map
        from mapscope.session import Session

        session = Session(self._here.target())
        if self._map is None:
            self._map = named_map(session, MAP)
        reopen: Any = self._map.reopen
        view = reopen(session)
        found: Dict[int, int] = {}
        moving = number = 0
        for batch in view.entries():
            moving += len(batch.in_flight)
            for at in batch.order:
                number += 1
                key = batch.keys.value(at, view.decoder)
                found[key] = batch.elems.value(at, view.decoder)
        told = "; ".join(view.problems)
        if number != len(found):
            told += f" {number} entries, and {len(found)} keys"
        return found, told, moving

    def look(self, number: int, before: Dict[int, int], here: Program) -> None:
        """Compare what is shown now."""
        self.looked += 1
        found, told, moving = self.entries()
        self.in_flight += bool(moving)
        deleted, inserted = _DELETED.get(number, ()), _INSERTED.get(number, ())
        missing = [key for key in before if key not in found and key not in deleted]
        foreign = [key for key in found if key not in before and key not in inserted]
        other = [key for key, value in before.items() if found.get(key, value) != value]
        # between two stores of an insertion the map counts one more than it has
        known = not told or ("the map counts" in told and not moving and inserted or deleted)
        problem = f"{told} missing {missing[:3]} foreign {foreign[:3]} other {other[:3]}"
        if known and not missing and not foreign and not other:
            if self.looked % _CHECKED:
                return
            try:
                form = json.loads(execute(f"map check {MAP} --json"))
            except Failed as error:
                if "tepped" not in str(error):
                    raise
                return  # in a library, whose code knows no such name
            errors = [one for one in form["findings"] if one["severity"] == "error"]
            if not errors:
                return
            problem = str(errors[:2])
        self.wrong += 1
        if self.wrong < 4:
            print(f"WRONG in round {number}: {problem}\n{here.place()}")


def _numbers(text: str) -> Set[int]:
    found: Set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def tbb_steps(argument: str) -> None:
    """Step through what a program does to its map."""
    rounds, stride, *skip = shlex.split(argument)
    wanted = _numbers(rounds)
    here: Any = program()
    if hasattr(here, "debugger"):
        here.process = here.debugger.GetSelectedTarget().GetProcess()
    entry = here.address_of([_FUNCTION])
    here.stop_at(entry)
    steps = Steps(here)
    arrived = False
    for number in range(max(wanted) + 1):
        if not arrived:
            here.go_on()
        arrived = False
        if number in wanted:
            _one(here, steps, number, int(stride), int(skip[0]) if skip else 0)
            # a stride may have led into the next call
            arrived = here.pc() == entry
    print(
        f"{steps.looked} places, {steps.wrong} wrong, "
        f"in flight: {'some' if steps.in_flight else 'none'}"
    )


def _registers(here: Program) -> Dict[str, int]:
    """Of the thread that was stopped."""
    for thread in here.target().threads():
        registers: Dict[str, int] = thread.registers()
        if registers.get("rip") == here.pc():
            return registers
    raise Failed("no thread is where the program was stopped")


def _one(here: Program, steps: Steps, number: int, stride: int, skip: int) -> None:
    """Through one call, up to its return."""
    registers = _registers(here)
    sp, entry = registers["rsp"], registers["rip"]
    before, told, _ = steps.entries()
    if told:
        steps.wrong += 1
        print(f"WRONG: at the beginning {told}")
    here.step(1 + skip)
    done: List[int] = []
    while len(done) * stride < _LONGEST:
        registers = _registers(here)
        if registers["rsp"] > sp or (registers["rsp"] == sp and registers["rip"] == entry):
            return
        done.append(1)
        steps.look(number, before, here)
        here.step(stride)


define("tbb-steps", tbb_steps)
