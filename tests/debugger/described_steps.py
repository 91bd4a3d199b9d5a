# SPDX-License-Identifier: MIT
"""A command for tests, in both debuggers: a described table must be shown right after every
instruction of what changes it.

    described-steps MAP BEGIN END CALLS STRIDE [MOST]

The program runs to the function BEGIN, CALLS times, or is looked at where it stands, if that is
"here"; from there to its return, or to the function
END if that is not "return", it is stepped by STRIDE instructions, at MOST places. At each,
`map entries MAP --json` must have every entry that was there at the beginning and is at the end,
each once and with its value, and none that was there at neither; or say that it cannot tell.
The last line says at how many places that was so.
"""

import json
import shlex
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Tuple

from in_debugger import Failed, define, execute
from stepping import Program, program

Entries = Dict[str, str]
#: places of one call, before something is wrong
_LONGEST = 1 << 16
_PRINTED = 3


class Steps:
    """What was seen so far."""

    def __init__(self, map: str, folder: Path) -> None:
        self._map = map
        self._file = folder / "steps.json"
        self.looked = self.wrong = self.in_flight = self.unsure = 0

    def entries(self) -> Tuple[Entries, Dict[str, Any]]:
        """(entries, last line)"""
        self._file.write_text("")
        try:
            execute(f"map entries '{self._map}' --json -o '{self._file}'")
        except Failed as error:
            return {}, {"error": str(error), "complete": False}
        rows = [json.loads(row) for row in self._file.read_text(encoding="utf-8").splitlines()]
        last: Dict[str, Any] = rows[-1]
        found = {json.dumps(row["key"]): json.dumps(row["value"]) for row in rows[1:-1]}
        if len(found) != len(rows) - 2 or last["entries"] != len(found):
            last["error"], last["complete"] = "a key is there twice", False
        self.in_flight += sum(row.get("in_flight", False) for row in rows)
        return found, last

    def bad(self, what: str, here: Program) -> None:
        """Something is wrong."""
        self.wrong += 1
        if self.wrong <= _PRINTED:
            print(f"WRONG: {what}\n{here.place()}")


def _registers(here: Program) -> Dict[str, int]:
    """Of the thread that was stopped."""
    for thread in here.target().threads():
        registers: Dict[str, int] = thread.registers()
        if registers.get("rip") == here.pc():
            return registers
    raise Failed("no thread is where the program was stopped")


def described_steps(argument: str) -> None:
    """Step through what changes a described table."""
    map, begin, end, calls, stride, *rest = shlex.split(argument)
    most = int(rest[0]) if rest else _LONGEST
    here: Any = program()
    if hasattr(here, "debugger"):
        here.process = here.debugger.GetSelectedTarget().GetProcess()
    with tempfile.TemporaryDirectory() as folder:
        steps = Steps(map, Path(folder))
        if begin != "here":
            here.stop_at(here.address_of([begin]))
        ends = [] if end == "return" else here.addresses_of([end])
        for _ in range(int(calls)):
            if begin != "here":
                here.go_on()
            _one(here, steps, ends, int(stride), most)
        print(
            f"{steps.looked} places, {steps.wrong} wrong, {steps.unsure} unsure, "
            f"in flight: {'some' if steps.in_flight else 'none'}"
        )


def _one(here: Program, steps: Steps, ends: List[int], stride: int, most: int) -> None:
    """Through one call."""
    sp = _registers(here)["rsp"]
    before, last = steps.entries()
    if not last.get("complete"):
        steps.bad(f"at the beginning {last}", here)
    seen: List[Tuple[Entries, str]] = []
    for _ in range(most):
        here.step(stride)
        registers = _registers(here)
        if registers["rip"] in ends or (not ends and registers["rsp"] > sp):
            break
        steps.looked += 1
        found, last = steps.entries()
        if "cannot tell" in (last.get("error") or ""):
            steps.unsure += 1
            print(f"unsure: {last['error']}")
        elif not last.get("complete"):
            steps.bad(str(last), here)
        else:
            seen.append((found, here.place()))
    after, last = steps.entries()
    for found, place in seen:
        stays = [key for key in before if key in after and found.get(key) != after[key]]
        other = [key for key in found if key not in before and key not in after]
        if stays or other:
            steps.wrong += 1
            if steps.wrong <= _PRINTED:
                print(f"WRONG: missing {stays[:3]}, too many {other[:3]}\n{place}")


define("described-steps", described_steps)
