# SPDX-License-Identifier: MIT
"""Commands for tests, in gdb and LLDB: does `map heap` know who owns each map?

    compare-owners TRUTH

compares `map heap` and `map list` with the lines of JSON that the program has written: address,
type, count and owner of every map; no map may be missing, and none more. Threads' numbers are
left out.

    compare-paths TRUTH

asks `map owners` for one map of each owner whose path has indices or keys or is a thread's, and
for one that nobody owns, and compares the path.
"""

import json
import re
import tempfile
from typing import Any, Dict, List

from in_debugger import Failed, define, execute


def truth_of(path: str) -> List[Dict[str, Any]]:
    """What the program wrote."""
    with open(path.strip(" '"), encoding="utf-8") as file:
        found = [json.loads(line) for line in file]
    if not found:
        raise Failed(f"{path} is empty")
    return found


def plain(owner: Any) -> str:
    """An owner without the number of its thread."""
    return re.sub(r" \(thread \d+\)", " (thread)", owner or "")


def heap() -> List[Dict[str, Any]]:
    """All maps, from the lines that `map heap -o` writes."""
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as file:
        execute(f"map heap --json -o '{file.name}'")
        head, *rows, tail = [json.loads(line) for line in file]
    if head["schema"] != "mapscope.heap/1" or not tail["complete"]:
        raise Failed(f"{head}, {tail}")
    if tail["totals"]["maps"] != len(rows):
        raise Failed(f"{len(rows)} maps, totals {tail['totals']}")
    return rows


def compare_owners(argument: str) -> None:
    """Hold every map against the program's own account."""
    truth = truth_of(argument)
    listed = {row["address"]: row for row in json.loads(execute("map list --json"))["maps"]}
    found = {row["address"]: row for row in heap()}
    wrong = len(set(found) ^ {row["address"] for row in truth}) + len(set(found) ^ set(listed))
    for row in truth:
        shown = found.get(row["address"], {})
        got = (shown.get("type"), shown.get("count"), plain(shown.get("owner")))
        same = plain(listed.get(row["address"], {}).get("owner")) == got[2]
        if got != (row["type"], row["count"], row["owner"]) or not same:
            wrong += 1
            print(f"WRONG: {row}: {got}")
        held = listed.get(row["address"], {}).get("bytes")
        if shown.get("bytes") != held or not 0 <= shown.get("wasted", -1) < held:
            wrong += 1
            print(f"WRONG: {row}: {shown.get('bytes')}, {shown.get('wasted')} wasted")
        if shown.get("garbage") is not (False if row["owner"] else None):
            wrong += 1
            print(f"WRONG: {row}: garbage is {shown.get('garbage')}")
    print(f"compared owners: {len(truth)} maps, {wrong} wrong")


def compare_paths(argument: str) -> None:
    """Hold the path to one map of each owner, the last, against the program's own account."""
    rows = truth_of(argument)
    truth = {
        row["owner"]: row
        for row in rows
        if row["path"] != row["owner"] or "thread" in row["path"] or not row["path"]
    }
    wrong = 0
    for row in truth.values():
        form = json.loads(execute(f"map owners {row['address']} --json"))
        paths = [plain(owner["path"]) for owner in form["owners"]]
        steps = form["owners"][0]["steps"] if form["owners"] else []
        # a path ends at the map, and every step but a register has a place
        places = bool(steps) and all(step["type"] for step in steps)
        if paths != ([row["path"]] if row["path"] else []) or places != bool(row["path"]):
            wrong += 1
            print(f"WRONG: {row}: {form}")
    print(f"compared paths: {len(truth)} owners, {wrong} wrong")


define("compare-owners", compare_owners)
define("compare-paths", compare_paths)
