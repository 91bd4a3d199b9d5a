# SPDX-License-Identifier: MIT
"""Commands for tests, in gdb and LLDB: does `map check` find what is wrong, and no more?

    check-maps EXPRESSION=CODES...

CODES are what must be found, errors and warnings alike, "a,b"; "a|b" for either; nothing for a
healthy map; "a+" for one or more of a kind, "any" for at least one error of any kind.

    check-all LEAST

checks every map that `map list` has, at least so many: none may have an error, and the keys of
those whose hash can be computed are compared with it.
"""

import json
import shlex
from collections import Counter
from typing import Any, Dict, List

from in_debugger import Failed, define, execute


def check(expression: str) -> Dict[str, Any]:
    """What `map check --json` says, as documented.

    :raises Failed: where it does not
    """
    form: Dict[str, Any] = json.loads(execute(f"map check {expression} --json"))
    if list(form) != ["schema", "ok", "checked", "findings"]:
        raise Failed(f"{expression}: fields {list(form)}")
    errors = [found for found in form["findings"] if found["severity"] == "error"]
    if form["ok"] != (not errors):
        raise Failed(f"{expression}: ok is {form['ok']} with {len(errors)} errors")
    return form


def fits(found: List[str], expected: str) -> bool:
    """Whether the codes found are those expected."""
    if expected == "any":
        return bool(found)
    left = Counter(found)
    for wanted in filter(None, expected.split(",")):
        many, codes = wanted.endswith("+"), wanted.rstrip("+").split("|")
        code = next((code for code in codes if left[code]), None)
        if code is None:
            return False
        left[code] = 0 if many else left[code] - 1
    return not any(left.values())


def check_maps(argument: str) -> None:
    """Hold the findings of each map against what is expected."""
    wrong = 0
    for word in shlex.split(argument):
        expression, _, expected = word.rpartition("=")
        form = check(expression)
        codes = [found["code"] for found in form["findings"] if found["severity"] != "note"]
        right = fits(codes, expected)
        wrong += not right
        messages = "; ".join(found["message"] for found in form["findings"][:4])
        print(f"{'right' if right else 'WRONG'}: {expression}: {','.join(codes)}: {messages}")
    print(f"checked: {wrong} wrong")


def check_all(argument: str) -> None:
    """Check every map."""
    maps = json.loads(execute("map list --json"))["maps"]
    wrong = hashed = 0
    for found in maps:
        form = check(found["name"] or found["address"])
        codes = [finding["code"] for finding in form["findings"]]
        hashed += "hash-skipped" not in codes
        if not form["ok"] or "write-flag" in codes:
            wrong += 1
            print(f"WRONG: {found['name'] or found['address']}: {form['findings'][:3]}")
    if len(maps) < int(argument):
        raise Failed(f"{len(maps)} maps, at least {argument} expected")
    print(f"checked all: {len(maps)} maps, {hashed} with their hashes, {wrong} wrong")


define("check-maps", check_maps)
define("check-all", check_all)
