# SPDX-License-Identifier: MIT
"""A command for tests, in gdb and LLDB: does `map find` find every entry of a record?

    find-entries TRUTH [--most N] [--by-hash]

TRUTH is a program's record of its maps (compare.py says how it looks). For up
to N entries of each map whose keys a KEY argument can name, `map find` must say
found, with the key and the value of the record; with --by-hash, by its hash.
"""

import argparse
import json
import shlex
from pathlib import Path
from typing import Any, List, Optional

from in_debugger import NAME, Failed, define, execute
from truth_file import read_maps


def nameable(key: Any) -> bool:
    """Whether a KEY argument can name a key: no odd characters, nothing but its value."""
    if isinstance(key, str):
        return key.isprintable() and key.isascii() and len(key) < 100 and key != "NaN"
    if isinstance(key, list):
        return all(nameable(item) for item in key)
    if isinstance(key, dict):
        special = ("bytes", "type", "re", "map", "text")
        return all(name not in special and nameable(field) for name, field in key.items())
    return isinstance(key, (bool, int, float))


def key_argument(key: Any) -> str:
    """The KEY argument for a key, as one word in single quotes.

    A string stands bare where it can, else in its JSON form. LLDB evaluates what stands
    in backquotes, in every command.
    """
    bare = isinstance(key, str) and not any(quote in key for quote in "\"'\\`")
    text = str(key) if bare else json.dumps(key)
    return "'" + text.replace("'", "\\u0027").replace("`", "\\u0060") + "'"


def plain(key: Any) -> Any:
    """A key as `map find` takes it, of a record's form (compare.py)."""
    if isinstance(key, dict):
        if set(key) == {"class", "size"}:
            return plain(key["class"])
        if set(key) == {"gdb", "lldb"}:
            return key[NAME]
        return {name: plain(field) for name, field in key.items()}
    return [plain(item) for item in key] if isinstance(key, list) else key


def find_entries(argument: str) -> None:
    """Run `map find` for the entries of a test program's record."""
    parser = argparse.ArgumentParser(prog="find-entries")
    parser.add_argument("truth", type=Path)
    parser.add_argument("--most", type=int, default=60)
    parser.add_argument("--by-hash", action="store_true")
    arguments = parser.parse_args(shlex.split(argument))
    asked = wrong = 0
    for truth in read_maps(arguments.truth):
        for entry in truth["entries"][: arguments.most]:
            key = plain(entry["key"])
            if not nameable(key):
                continue
            text = key_argument(key)
            asked += 1
            # of a table that may have a key more than once, any of its entries
            values = [one.get("value") for one in truth["entries"] if one["key"] == entry["key"]]
            problem = find(truth["name"], text, key, values, arguments.by_hash)
            if problem is not None:
                wrong += 1
                print(f"{truth['name']} {text}: {problem}")
    print(f"asked for {asked} entries, {wrong} found wrongly")


def find(name: str, argument: str, key: Any, values: List[Any], by_hash: bool) -> Optional[str]:
    """Run one `map find`; what is wrong with its answer, or None."""
    try:
        output = execute(f"map find '{name}' --json -- {argument}")
    except Failed as error:
        return str(error)
    answer = json.loads(output)
    if not answer["found"]:
        return f"not found: {output.strip()}"
    if by_hash and answer["method"] != "hash":
        return f"not by its hash: {output.strip()}"
    shown = answer["entry"]
    known = not any(isinstance(value, dict) for value in values)
    if shown["key"] != key or (known and shown.get("value") not in values):
        return f"{shown} instead of {key}: {values}"
    return None


define("find-entries", find_entries)
