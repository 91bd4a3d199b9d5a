#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare what `map entries --json` showed with what the program says is there.

The program's own record (the files truth.go, truth.hpp in programs/) is one
line of JSON for each map: {"name", "address", "type", "count", "entries":
[{"key", "value"}, ...]}. For line N the debugger's output is the file N.json
in a directory (dump_entries.py), or N.error where the command failed.

Entries are compared as multisets: an entry that is missing, shown twice, or
shown and not there is a difference, the order is not.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Tuple

from truth_file import read_lines

SCHEMA = "mapscope.entries/1"


def unique_fields(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    """Make an object, refusing a field that stands twice.

    Fields named _ are dropped: a Go struct may have any number of them, and no
    program can read one.
    """
    result: Dict[str, Any] = {}
    for name, value in pairs:
        if name == "_":
            continue
        if name in result:
            raise ValueError(f"field {name!r} stands twice in an object")
        result[name] = value
    return result


def refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def parse(line: str) -> Any:
    """Parse one line of strict JSON."""
    return json.loads(line, object_pairs_hook=unique_fields, parse_constant=refuse_constant)


def parse_lines(file: Path) -> List[Any]:
    return [parse(line) for line in read_lines(file)]


def plain(value: Any, debugger: str) -> Any:
    """Turn the record's marks into what a debugger shows that knows the type.

    A C++ class is {"class": what is shown, "size": bytes} in the record, and what its
    debuggers show in their own ways is {"gdb": text, "lldb": text}.
    """
    if isinstance(value, dict):
        if set(value) == {"class", "size"}:
            return plain(value["class"], debugger)
        if set(value) == {"gdb", "lldb"}:
            return value[debugger]
        return {name: plain(field, debugger) for name, field in value.items()}
    if isinstance(value, list):
        return [plain(item, debugger) for item in value]
    return value


def opaque(value: Any) -> Any:
    """What stays of a key or value when classes are known by their size alone.

    For the record's {"class", "size"} as for the {"bytes"} that the debugger
    shows instead; all else is left.
    """
    if isinstance(value, dict) and set(value) == {"class", "size"}:
        return {"opaque": value["size"]}
    if isinstance(value, dict) and set(value) == {"bytes"} and isinstance(value["bytes"], str):
        return {"opaque": len(bytes.fromhex(value["bytes"]))}
    return value


def nameless(value: Any) -> Any:
    """Replace the type names of nested maps by "*", where the record leaves them open."""
    if isinstance(value, dict):
        if set(value) == {"map", "address", "count"} and isinstance(value["map"], str):
            return {**value, "map": "*"}
        return {name: nameless(field) for name, field in value.items()}
    if isinstance(value, list):
        return [nameless(item) for item in value]
    return value


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def shortened(text: str, limit: int = 300) -> str:
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def compare_entries(
    truth: List[Dict[str, Any]], shown: List[Dict[str, Any]], debugger: str
) -> List[str]:
    """Differences between two lists of {"key", "value"}, as multisets."""
    wanted = Counter(canonical(plain(entry, debugger)) for entry in truth)
    if '"map": "*"' in canonical(truth):
        shown = [nameless(entry) for entry in shown]
    found = Counter(canonical(entry) for entry in shown)
    differences = [f"missing: {shortened(entry)}" for entry in (wanted - found).elements()]
    differences += [f"not there: {shortened(entry)}" for entry in (found - wanted).elements()]
    return differences


def hidden(entries: List[Dict[str, Any]], names: Tuple[str, ...]) -> List[Dict[str, Any]]:
    """Entries with the fields of these names made opaque."""
    return [
        {name: opaque(field) if name in names else field for name, field in entry.items()}
        for entry in entries
    ]


def compare_map(
    truth: Dict[str, Any], output: Path, classes_are_bytes: bool, debugger: str
) -> List[str]:
    """Differences between one map's record and the debugger's output for it."""
    error = output.with_suffix(".error")
    if error.exists():
        return [f"the command failed: {error.read_text(encoding='utf-8').strip()}"]
    try:
        lines = parse_lines(output)
    except (OSError, ValueError) as problem:
        return [f"no JSON lines in the output: {problem}"]
    if len(lines) < 2:
        return [f"{len(lines)} lines instead of a header and a trailer"]
    header, *shown, trailer = lines
    differences = []
    expected_header = {"schema": SCHEMA, "address": truth["address"], "count": truth["count"]}
    if list(header) != ["schema", "address", "type", "count"]:
        differences.append(f"header has the fields {list(header)}")
    expected_header["type"] = truth.get("type", header.get("type"))
    if header != expected_header:
        differences.append(f"header is {header}, not {expected_header}")
    expected_trailer = {"entries": len(truth["entries"]), "complete": True, "error": None}
    if trailer != expected_trailer:
        differences.append(f"trailer is {trailer}, not {expected_trailer}")
    if truth["count"] != len(truth["entries"]):
        differences.append("the record itself is wrong: count is not its number of entries")
    alternatives: Tuple[Tuple[str, ...], ...] = ((),)
    if classes_are_bytes:
        alternatives = ((), ("key",), ("value",), ("key", "value"))
    found = [
        compare_entries(hidden(truth["entries"], names), hidden(shown, names), debugger)
        for names in alternatives
    ]
    return differences + min(found, key=len)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("truth", type=Path, help="the program's record")
    parser.add_argument("outputs", type=Path, help="directory of the debugger's outputs")
    parser.add_argument("--no-nil", action="store_true", help="nil maps were left out")
    parser.add_argument(
        "--classes-may-be-bytes",
        action="store_true",
        help="without debug information a C++ class is shown as its bytes",
    )
    parser.add_argument("--debugger", choices=("gdb", "lldb"), required=True)
    parser.add_argument("--at-least", type=int, default=1, help="maps there must be")
    parser.add_argument("--show", type=int, default=5, help="differences to print for a map")
    arguments = parser.parse_args()
    wrong = compared = entries = 0
    for number, line in enumerate(read_lines(arguments.truth)):
        truth = parse(line)  # one at a time: some have a million entries
        if truth["address"] is None and arguments.no_nil:
            continue
        compared += 1
        entries += len(truth["entries"])
        differences = compare_map(
            truth,
            arguments.outputs / f"{number}.json",
            arguments.classes_may_be_bytes,
            arguments.debugger,
        )
        wrong += bool(differences)
        for difference in differences[: arguments.show]:
            print(f"{truth['name']}: {difference}")
        if len(differences) > arguments.show:
            print(f"{truth['name']}: ... {len(differences)} differences in all")
    print(f"{compared} maps with {entries} entries, {wrong} maps shown wrongly")
    if compared < arguments.at_least:
        print(f"expected at least {arguments.at_least} maps")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
