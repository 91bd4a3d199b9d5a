# SPDX-License-Identifier: MIT
"""A command for tests, in gdb and LLDB: crowd-stops NUMBER stops so often in a program of many
threads, each time for another event, and tells how many of the stops were silent (no map stop at
all, or none that was shown) and how many were told for what nobody waits for."""

import json
import os
import shlex

from in_debugger import NAME, Failed, define, execute

_EVENTS = ("grow", "assign", "delete", "done", "grow --ignore 3", "assign --migrating")
#: what Swiss maps have
_PLAIN = ("grow", "assign", "delete", "done", "grow --ignore 3", "assign --ignore 2")
_LONG = 2000


def crowd_stops(line: str) -> None:
    """Stop so often, and count what is wrong."""
    number, *rest = shlex.split(line)
    events = _PLAIN if rest else _EVENTS
    times = _LONG if os.environ.get("MAPSCOPE_LONG") else int(number)
    silent = wrong = 0
    for n in range(times):
        request = events[n % len(events)]
        # every third stop is met twice, the others are deleted with threads still on their way
        if n % 3:
            execute("map break delete all")
        made = json.loads(execute(f"map break {request} --json"))["stops"][0]
        shown = execute("continue")
        try:
            at = json.loads(execute("map stop --json"))
        except Failed as error:
            silent += 1
            print(f"silent: {error}: {request}")
            continue
        if NAME == "gdb" and f"mapscope stop {at['id']}: {at['event']}" not in shown:
            silent += 1
            print(f"not shown: {at['id']}")
        standing = {row["id"]: row for row in json.loads(execute("map break list --json"))["stops"]}
        mine = standing.get(at["id"])
        if mine is None or mine["event"] != at["event"] or mine["hits"] < 1:
            wrong += 1
            print(f"wrong: {at['event']} of {at['id']}, {mine}, last {made}")
        elif "--migrating" in request and at["id"] == made["id"] and at["kind"] is None:
            if at["map"]["growth"] is None:
                wrong += 1
                print("wrong: not while migrating")
    execute("map break delete all")
    print(f"{times} stops, {silent} silent, {wrong} wrong")


define("crowd-stops", crowd_stops)
