# SPDX-License-Identifier: MIT
"""A command for tests, in both debuggers: maps must be shown right after every instruction.

    step-through TRUTH --begin FUNCTION --end FUNCTION [--stride N] [--only TEXT] [--commands A,B]

The program (steps in programs/) calls begin, does one operation on one map,
calls end, and so on; TRUTH is its record: two lines for each operation, what
the map holds before it and after it. Between begin and end this command steps
by instructions, and after every N of them runs `map entries ADDRESS --json` and
checks, for a map whose keys are all different:

  - an entry shown is one of before or of after, the same key and value. With
    --zero, an entry that comes or goes may have its type's zero value: in Go the
    caller of mapassign stores the element, and mapdelete clears it before the tophash.
    That caller stores an element of several words one word after the other;
  - no key is shown twice, and none is missing that is in before and in after;
  - only an entry marked in_flight may be unreadable or half written, and there
    is one of them at most;
  - the trailer counts the lines, and says complete.

At begin the entries must be exactly before, and at end exactly after.

--commands are more that run at the same instructions:

  - inspect: its numbers fit each other, and the entries shown;
  - find: keys that are in before and in after are found, with their value (one key at each
    instruction, in turn);
  - check: it has no finding that is an error. (Left out where there is no such command.)

A long operation can be stepped with few checks: --every N is the number of checks at one stride,
after which the stride doubles, and --closely FUNCTION (of Go's runtime, any number of them) where
it begins anew; --most N is the number of checks after which it runs to the next of those functions,
or to the operation's end.
"""

import argparse
import json
import shlex
from typing import Any, Dict, List, Optional, Set, Tuple

from in_debugger import Failed, define, execute
from stepping import Program, program, symbol_names

Entries = Dict[str, str]  # canonical JSON of the key -> of the value

#: keys that are looked for at each instruction, of those that neither come nor go
_FOUND = 3
#: instructions in a row at which a wrong answer is printed
_PRINTED = 2


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def recorded(truth: Dict[str, Any]) -> Entries:
    return {canonical(e["key"]): canonical(e["value"]) for e in truth["entries"]}


def zero_of(value: Any) -> Any:
    """The zero value of the type that a value is of, both as JSON has them."""
    if isinstance(value, dict):
        return {name: zero_of(part) for name, part in value.items()}
    if isinstance(value, list):
        return [zero_of(part) for part in value]
    return "" if isinstance(value, str) else 0


def word_of(key: Any) -> str:
    """A key as one word of a `map` command."""
    text = key if isinstance(key, str) else json.dumps(key, separators=(",", ":"))
    return f"'{text}'"


class Checker:
    """What an operation's map may show, and what was found wrong so far."""

    def __init__(
        self, before: Dict[str, Any], after: Dict[str, Any], zero: bool, commands: Set[str]
    ) -> None:
        self.before = recorded(before)
        self.after = recorded(after)
        values = [e["value"] for e in before["entries"] + after["entries"]]
        self.zero = canonical(zero_of(values[0])) if zero and values else None
        self.map = str(before["address"])
        if "type" in before:
            self.map += f" --type '{before['type']}'"
        self.commands = commands
        self.counts = {before["count"], after["count"]}
        self.checks = self.found = 0
        self.in_flight = 0
        stay = sorted(self.before.keys() & self.after.keys())
        step = max(1, len(stay) // _FOUND)
        self.looked_for = stay[::step][:_FOUND] if stay else []
        self.looked_for += sorted(self.before.keys() ^ self.after.keys())[:2]

    def answer(self, command: str, key: str = "") -> Any:
        """Run a command that prints one JSON object."""
        self.checks += 1
        return json.loads(execute(f"map {command} {self.map} {key} --json"))

    def entries(self) -> List[Dict[str, Any]]:
        """Run `map entries`; the lines between header and trailer.

        :raises AssertionError: when header or trailer are wrong.
        """
        self.checks += 1
        text = execute(f"map entries {self.map} --json")
        lines = [json.loads(line) for line in text.split("\n") if line]
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
        self.others(shown)

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
            assert key in self.before or key in self.after, f"{key} is shown, it was never there"
            right = self.values_of(key)
            is_right = value in right or self.is_stored_by_caller(key)
            assert is_right, f"{key} is shown with {value}, it has {right}"
        missing = (self.before.keys() & self.after.keys()) - keys
        unreadable = sum(canonical(entry["key"]) not in self.before for entry in flying)
        assert len(missing) <= unreadable, f"{sorted(missing)[:3]} missing"
        self.others(shown)

    def values_of(self, key: str) -> Set[Optional[str]]:
        """What an entry may have that is not in flight."""
        right = {self.before.get(key), self.after.get(key)}
        if self.zero is not None and (key in self.before) != (key in self.after):
            right.add(self.zero)
        return right

    def is_stored_by_caller(self, key: str) -> bool:
        """Whether it is a key whose element the caller of mapassign stores, in several words."""
        value = self.after.get(key)
        if self.zero is None or value is None or value == self.before.get(key):
            return False
        return value[0] in '{["'

    def others(self, shown: List[Dict[str, Any]]) -> None:
        """The other commands.

        :raises AssertionError: when one's answer cannot be.
        """
        if "inspect" in self.commands:
            self.inspect(len(shown))
        if "find" in self.commands and self.looked_for:
            # one after the other
            self.found += 1
            self.find(self.looked_for[self.found % len(self.looked_for)])
        if "check" in self.commands:
            answer = self.answer("check")
            errors = [f["message"] for f in answer["findings"] if f["severity"] == "error"]
            # null: it is being cleared, and not looked into
            notes = [f["message"] for f in answer["findings"] if f["code"] == "in-flight"]
            cleared = any("is being cleared" in note for note in notes)
            assert not errors and answer["ok"] is (None if cleared else True), f"check: {answer}"

    def inspect(self, shown: int) -> None:
        answer = self.answer("inspect")
        count = answer["count"]
        # the C++ library's clear takes one entry after the other
        least, most = min(self.counts), max(self.counts)
        assert least <= count <= most, f"inspect: count {count}, it has {self.counts}"
        chains = answer.get("chains")
        if chains:
            assert sum(chains.values()) == answer["buckets"], f"inspect: chains {chains}"
        growth = answer["growth"]
        if growth is None:
            return
        assert None not in growth.values(), f"inspect: {growth}"
        old = growth["old_buckets"]
        times = {"double": (2, 1), "same-size": (1, 1), "shrink": (1, 2)}[growth["kind"]]
        sizes = f"inspect: {growth['kind']} from {old} to {answer['buckets']} buckets"
        assert old * times[0] == answer["buckets"] * times[1], sizes
        assert 0 <= growth["evacuated"] <= old, f"inspect: {growth}"
        assert growth["evacuated"] + growth["remaining"] == old, f"inspect: {growth}"
        assert 0 <= growth["nevacuate"] <= old, f"inspect: {growth}"
        assert abs(growth["progress"] - growth["evacuated"] / old) < 1e-9, f"inspect: {growth}"
        # the bucket that is being moved counts as evacuated already, and perhaps not yet
        assert growth["evacuated"] >= growth["nevacuate"], f"inspect: {growth}"
        assert 0 <= growth["ahead"] <= growth["remaining"] + growth["ahead"], f"inspect: {growth}"
        moved = growth["entries_moved"] + growth["entries_waiting"]
        assert moved == shown, f"inspect: {growth} and {shown} entries"

    def find(self, key: str) -> None:
        answer = self.answer("find", word_of(json.loads(key)))
        entry = answer["entry"]
        assert answer["found"] is (entry is not None), f"find: {answer}"
        stays = key in self.before and key in self.after
        if entry is None:
            assert not stays, f"find: no {key}"
            return
        assert canonical(entry["key"]) == key, f"find: {entry} for {key}"
        value = canonical(entry["value"])
        if not entry.get("in_flight"):
            right = self.values_of(key)
            is_right = value in right or self.is_stored_by_caller(key)
            assert is_right, f"find: {key} is shown with {value}, it has {right}"


class Stepper:
    """Steps from begin to end of operations."""

    def __init__(self, of: Program, arguments: argparse.Namespace) -> None:
        self.program = of
        self.stride: int = arguments.stride
        self.every: int = arguments.every
        self.most: int = arguments.most
        self.keep: bool = arguments.keep_going
        self.end = 0
        self.closely: Set[int] = set()
        self.instructions = self.stops = self.checks = self.wrong = 0

    def operation(self, name: str, checker: Checker) -> bool:
        """Step through one; say whether every check held."""
        instructions = wrong = 0
        first = ""
        stride, left, steps, taken = self.stride, self.every, 0, 0
        try:
            checker.exactly(checker.before)
            while True:
                if self.most and taken >= self.most:
                    self.program.go_on()
                    taken = 0
                else:
                    self.program.go_step(stride)
                    instructions += stride
                    taken += 1
                steps += 1
                left -= 1
                pc = self.program.pc()
                if pc == self.end:
                    break
                if pc in self.closely:
                    stride, left, taken = self.stride, self.every, 0
                elif self.every and left <= 0:
                    stride, left = 2 * stride, self.every
                try:
                    checker.during()
                except (AssertionError, ValueError, Failed) as error:
                    wrong += 1
                    if wrong <= _PRINTED:
                        first += f"{error}\n{self.program.place()}"
                    if not self.keep:
                        break
            if self.program.pc() == self.end:
                checker.exactly(checker.after)
        except (AssertionError, ValueError, Failed) as error:
            wrong += 1
            first += f"{error}\n{self.program.place()}"
        self.instructions += instructions
        self.stops += steps
        self.checks += checker.checks
        self.wrong += wrong
        text = (
            f"about {instructions} instructions, {checker.checks} checks,"
            f" {checker.in_flight} in flight"
        )
        if not wrong:
            print(f"right: {name}: {text}", flush=True)
            return True
        print(f"WRONG: {name}: {text}, {wrong} wrong: {first}", end="", flush=True)
        return False


def options_of(line: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="step-through")
    parser.add_argument("truth")
    parser.add_argument("--begin", required=True)
    parser.add_argument("--end", required=True)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--only", default="", help="operations whose name has this")
    parser.add_argument("--share", type=int, default=1, help="of these, each so-manyth")
    parser.add_argument("--commands", default="", help="besides entries, by comma")
    parser.add_argument("--every", type=int, default=0, help="checks before the stride doubles")
    parser.add_argument("--closely", action="append", default=[], help="where it begins anew")
    parser.add_argument("--most", type=int, default=0, help="steps before it goes on; 0: all")
    parser.add_argument("--keep-going", action="store_true", help="behind a wrong answer")
    parser.add_argument(
        "--zero",
        action="store_true",
        help="a key that comes or goes may have its type's zero value",
    )
    return parser.parse_args(shlex.split(line))


def commands_of(text: str) -> Set[str]:
    """Those that there are: this file serves before `map check` is there, too."""
    from mapscope.commands import SUMMARIES

    known = {"inspect", "find", "check"}
    wanted = {word for word in text.split(",") if word}
    if wanted - known:
        raise Failed(f"--commands: {known} expected, not {wanted}")
    return wanted & set(SUMMARIES)


def pairs(
    path: str, only: str, share: int
) -> List[Tuple[str, bool, Dict[str, Any], Dict[str, Any]]]:
    """(name, whether it is wanted, before, after) of each operation of the record."""
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    found = []
    matching = 0
    for before, after in zip(lines[::2], lines[1::2]):
        name = before["name"].rpartition(":")[0]
        wanted = only in name
        matching += wanted
        found.append((name, wanted and matching % share == 1 % share, before, after))
    return found


def step_through(line: str) -> None:
    arguments = options_of(line)
    commands = commands_of(arguments.commands)
    of = program()
    stepper = Stepper(of, arguments)
    of.start()
    begin = of.address_of(symbol_names(arguments.begin))
    stepper.end = of.address_of(symbol_names(arguments.end))
    stepper.closely = set(of.addresses_of(arguments.closely))
    for address in (begin, stepper.end, *stepper.closely):
        of.stop_at(address)
    of.go_on()
    wrong = operations = 0
    for name, wanted, before, after in pairs_when_written(of, begin, arguments):
        operations += 1
        if wanted:
            checker = Checker(before, after, arguments.zero, commands)
            wrong += not stepper.operation(name, checker)
        run_to(of, stepper.end)
        of.go_on()  # to the next begin
    print(
        f"{stepper.instructions} instructions, stopped at {stepper.stops} of them,"
        f" {stepper.checks} checks, {stepper.wrong} wrong"
    )
    print(f"{operations} operations in the record, {wrong} shown wrongly")


def pairs_when_written(
    of: Program, begin: int, arguments: argparse.Namespace
) -> List[Tuple[str, bool, Dict[str, Any], Dict[str, Any]]]:
    """The record, which is there at the first begin."""
    run_to(of, begin)
    return pairs(arguments.truth, arguments.only, arguments.share)


def run_to(of: Program, address: int) -> None:
    """Go on to an address, past the other breakpoints."""
    while of.pc() != address:
        of.go_on()


define("step-through", step_through)
