# SPDX-License-Identifier: MIT
"""Compares sync.Maps that `map heap --json` found in a program without debug information with the
program's own record: every one that is a variable, and was used, is to be there.

heap_sync_stripped.py TRUTH HEAP
"""

import json
import sys

#: addresses of the heap, whatever the version of Go
HEAP = 1 << 36


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        maps = [json.loads(line) for line in file]
    with open(sys.argv[2], encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    found = {one["address"]: one for one in lines if one.get("type") == "sync.Map"}
    variables = [
        one for one in maps if int(one["address"], 16) < HEAP and one["name"] != "main.Zero"
    ]
    wrong = 0
    for one in variables:
        shown = found.get(one["address"])
        told = None if shown is None else (shown["count"], shown["owner"], shown["bytes"] > 0)
        if told != (one["count"], one["address"], True):
            wrong += 1
            print(f"WRONG {one['name']} {one['address']} of {one['count']} entries: {shown}")
    never = [one["name"] for one in maps if one["name"] == "main.Zero" and one["address"] in found]
    wrong += len(never)
    print(f"{len(variables)} variables that are sync.Maps: {wrong} wrong")


main()
