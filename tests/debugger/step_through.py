# SPDX-License-Identifier: MIT
"""A gdb command for tests: entries must be right after every instruction.

    step-through TRUTH --begin FUNCTION --end FUNCTION [--stride N] [--only TEXT]

The program (steps in programs/) calls begin, does one operation on one map,
calls end, and so on; TRUTH is its record: two lines for each operation, what
the map holds before it and after it. Between begin and end this command steps
by instructions, and after every N of them runs `map entries ADDRESS --json` and
checks, for a map whose keys are all different:

  - an entry shown is one of before or of after, the same key and value. With
    --zero, an entry that comes or goes may have that value: in Go the caller of
    mapassign stores the element, and mapdelete clears it before the tophash;
  - no key is shown twice, and none is missing that is in before and in after;
  - only an entry marked in_flight may be unreadable or half written, and there
    is one of them at most;
  - the trailer counts the lines, and says complete.

At begin the entries must be exactly before, and at end exactly after.
"""

import argparse
import json
import shlex
from typing import Any, Dict, List, Optional

import gdb

Entries = Dict[str, str]  # canonical JSON of the key -> of the value


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def recorded(truth: Dict[str, Any]) -> Entries:
    return {canonical(e["key"]): canonical(e["value"]) for e in truth["entries"]}


class Checker:
    """What an operation's map may show, and what was found wrong so far."""

    def __init__(self, before: Dict[str, Any], after: Dict[str, Any], zero: Optional[str]) -> None:
        self.before = recorded(before)
        self.after = recorded(after)
        self.zero = zero
        self.command = f"map entries {before['address']} --json"
        if "type" in before:
            self.command += f" --type '{before['type']}'"
        self.checks = 0
        self.in_flight = 0

    def entries(self) -> List[Dict[str, Any]]:
        """Run the command; the lines between header and trailer.

        :raises AssertionError: when header or trailer are wrong.
        """
        self.checks += 1
        lines = [
            json.loads(line)
            for line in gdb.execute(self.command, to_string=True).split("\n")
            if line
        ]
        trailer = lines[-1]
        expected = {"entries": len(lines) - 2, "complete": True, "error": None}
        assert trailer == expected, f"trailer {trailer} instead of {expected}"
        return lines[1:-1]

    def exactly(self, expected: Entries) -> None:
        """Check that the map shows the expected entries and nothing is in flight.

        :raises AssertionError: when it shows something else.
        """
        shown = self.entries()
        assert not any("in_flight" in entry for entry in shown), "an entry is in flight at rest"
        found = sorted((canonical(entry["key"]), canonical(entry["value"])) for entry in shown)
        assert found == sorted(expected.items()), "not exactly the entries"

    def during(self) -> None:
        """Check what the map shows within the operation.

        :raises AssertionError: when that cannot be, see the module's text.
        """
        shown = self.entries()
        keys = set()
        flying = [entry for entry in shown if "in_flight" in entry]
        self.in_flight += bool(flying)
        assert len(flying) <= 1, f"{len(flying)} entries in flight"
        for entry in shown:
            key = canonical(entry["key"])
            value = canonical(entry["value"])
            assert key not in keys, f"{key} is shown twice"
            keys.add(key)
            if "in_flight" in entry:
                continue
            right = {self.before.get(key), self.after.get(key)}
            if self.zero is not None and (key in self.before) != (key in self.after):
                right.add(self.zero)
            assert value in right, f"{key} is shown with {value}, it has {right}"
        missing = (self.before.keys() & self.after.keys()) - keys
        unreadable = sum(canonical(entry["key"]) not in self.before for entry in flying)
        assert len(missing) <= unreadable, f"{sorted(missing)[:3]} missing"


class StepThrough(gdb.Command):
    """Step through operations by instructions, checking a map's entries after each."""

    def __init__(self) -> None:
        super().__init__("step-through", gdb.COMMAND_RUNNING)

    def invoke(self, argument: str, from_tty: bool) -> None:
        parser = argparse.ArgumentParser(prog="step-through")
        parser.add_argument("truth")
        parser.add_argument("--begin", required=True)
        parser.add_argument("--end", required=True)
        parser.add_argument("--stride", type=int, default=1)
        parser.add_argument("--only", default="", help="operations whose name has this")
        parser.add_argument(
            "--zero", help="JSON of the value that a key may have that comes or goes"
        )
        arguments = parser.parse_args(shlex.split(argument))
        gdb.execute("set pagination off")
        gdb.execute("set suppress-cli-notifications on")
        gdb.execute("starti", to_string=True)  # now addresses are the process's
        gdb.Breakpoint(f"*{address_of(arguments.begin):#x}")
        end = address_of(arguments.end)
        gdb.Breakpoint(f"*{end:#x}")
        gdb.execute("continue", to_string=True)
        with open(arguments.truth, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        zero = None if arguments.zero is None else canonical(json.loads(arguments.zero))
        wrong = 0
        for before, after in zip(lines[::2], lines[1::2]):
            name = before["name"].rpartition(":")[0]
            if arguments.only in name:
                checker = Checker(before, after, zero)
                wrong += not self.operation(name, checker, end, arguments.stride)
            if gdb.selected_frame().pc() != end:
                gdb.execute("continue", to_string=True)  # to end
            gdb.execute("continue", to_string=True)  # to the next begin
        print(f"{len(lines) // 2} operations in the record, {wrong} shown wrongly")

    @staticmethod
    def operation(name: str, checker: Checker, end: int, stride: int) -> bool:
        """Step from begin to end; say whether every check held."""
        problem = None
        instructions = 0
        try:
            checker.exactly(checker.before)
            # Other threads stand still: Go's sysmon would preempt what is slow.
            gdb.execute("set scheduler-locking on")
            while True:
                gdb.execute(f"stepi {stride}", to_string=True)
                instructions += stride
                frame = gdb.selected_frame()
                if frame.pc() == end:
                    break
                if frame.name() == "clock_gettime":
                    # The vDSO reads the clock again when the time has changed
                    # meanwhile, which it always has for who comes by stepping.
                    gdb.execute("finish", to_string=True)
                checker.during()
            checker.exactly(checker.after)
        except (AssertionError, ValueError, gdb.error) as error:
            problem = str(error)
        gdb.execute("set scheduler-locking off")
        text = (
            f"about {instructions} instructions, {checker.checks} checks,"
            f" {checker.in_flight} in flight"
        )
        if problem is None:
            print(f"right: {name}: {text}")
            return True
        frames = gdb.execute("backtrace 4", to_string=True)
        code = gdb.execute("x/i $pc", to_string=True)
        print(f"WRONG: {name}: {text}: {problem}\n{code}{frames}", end="")
        return False


def address_of(function: str) -> int:
    """Address of a function's first instruction.

    :raises gdb.GdbError: when the program has no such function.
    """
    symbol = gdb.lookup_global_symbol(function) or gdb.lookup_static_symbol(function)
    if symbol is not None:
        return int(symbol.value().address)
    try:  # without debug information
        gdb.execute("set language c")
        return int(gdb.parse_and_eval(f"&'{function}'"))
    except gdb.error:
        raise gdb.GdbError(f"no function {function}") from None
    finally:
        gdb.execute("set language auto")


StepThrough()
