# SPDX-License-Identifier: MIT
"""A command for tests, in both debuggers: a server's table is shown right after every instruction
of a step of its migration.

    kv-steps MAPS CALLS STRIDE FUNCTION...

The server is asked something all the time. It is stopped at the functions, which move a bucket of
the table that their first argument is; of those tables that are MAPS (db0,hash,set) CALLS calls
are stepped through, and after every STRIDE instructions `map entries ADDRESS --json` must show what
it showed before the call: all of it, each once. Prints how many entries were in flight in all.
"""

import json
import shlex
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Tuple

from in_debugger import Failed, define, execute
from stepping import Program, program

#: as the server's client of the tests names them
NAMES = {"db0": "db0", "hash": 'db0["hash"]', "set": 'db0["set"]', "zset": 'db0["zset"]'}
#: instructions of one call, and stops at other tables, before something is wrong
_LONGEST, _OTHERS = 200000, 200


class Steps:
    """What was seen so far."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "steps.json"
        self.looked = self.wrong = self.in_flight = self.unsure = 0

    def entries(self, address: int) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        """(entries, last line)"""
        try:
            execute(f"map entries {address:#x} --json -o '{self._file}'")
        except Failed as error:
            return {}, {"error": str(error)}
        rows = [json.loads(row) for row in self._file.read_text(encoding="utf-8").splitlines()]
        found = {json.dumps(row["key"]): row["value"] for row in rows[1:-1]}
        self.in_flight += sum(row.get("in_flight", False) for row in rows)
        last: Dict[str, Any] = rows[-1]
        if last["entries"] != len(found):
            last["error"] = f"{last['entries']} entries, and {len(found)} keys"
        return found, last

    def look(self, address: int, expected: Dict[str, Any], here: Program) -> None:
        """Compare what is shown now."""
        self.looked += 1
        found, last = self.entries(address)
        if found == expected and (last.get("complete") or "header counts" in last["error"]):
            return
        if "cannot tell" in (last.get("error") or ""):
            self.unsure += 1
            print(f"  unsure: {last} {set(expected) - set(found)}\n{here.place()}")
            return
        self.wrong += 1
        if self.wrong < 4:
            missing = [key for key in expected if key not in found][:3]
            print(f"WRONG: {last}, missing {missing}\n{here.place()}")


def _registers(here: Program) -> Dict[str, int]:
    """Of the thread that was stopped."""
    for thread in here.target().threads():
        registers: Dict[str, int] = thread.registers()
        if registers.get("rip") == here.pc():
            return registers
    raise Failed("no thread is where the program was stopped")


def kv_steps(argument: str) -> None:
    """Step through the migration of a server's tables."""
    names, calls, stride, *functions = shlex.split(argument)
    here: Any = program()
    if hasattr(here, "debugger"):
        here.process = here.debugger.GetSelectedTarget().GetProcess()
    with tempfile.TemporaryDirectory() as folder:
        steps = Steps(Path(folder))
        maps: Dict[int, str] = {}
        for name in names.split(","):
            form = Path(folder) / "inspect.json"
            execute(f"map inspect '{NAMES[name]}' --json -o '{form}'")
            maps[int(json.loads(form.read_text(encoding="utf-8"))["address"], 16)] = name
        for address in here.addresses_of(functions):
            here.stop_at(address)
        left = dict.fromkeys(maps.values(), int(calls))
        for _ in range(_OTHERS):
            if not any(left.values()):
                break
            here.go_on()
            registers = _registers(here)
            name = maps.get(registers["rdi"], "")
            if left.get(name):
                left[name] -= 1
                _one(here, steps, registers, int(stride))
        print(f"calls left: {left}")
        print(
            f"{steps.looked} places, {steps.wrong} wrong, {steps.unsure} unsure, "
            f"in flight: {'some' if steps.in_flight else 'none'}"
        )


def _one(here: Program, steps: Steps, registers: Dict[str, int], stride: int) -> None:
    """Through one call, up to its return."""
    address, sp = registers["rdi"], registers["rsp"]
    expected, last = steps.entries(address)
    if not last.get("complete"):
        steps.wrong += 1
        print(f"WRONG: at the beginning {last}")
    stepped: List[int] = []
    while len(stepped) < _LONGEST:
        here.step(stride)
        if _registers(here)["rsp"] > sp:
            return
        stepped.append(1)
        steps.look(address, expected, here)


define("kv-steps", kv_steps)
