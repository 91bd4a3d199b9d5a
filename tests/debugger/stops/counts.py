# SPDX-License-Identifier: MIT
"""Does a log of stops agree with what the program saw?

    counts.py REPORT LOG [NAME]

REPORT holds the lines of JSON that the program `stops` or `tables` ends with, LOG what the
debugger printed: the lines of `map break EVENT --log`, or of `map trace`. For each map of
the report, or the one named, there must be exactly as many lines of each event as it says,
and each old bucket of each growth must be evacuated once.
"""

import json
import re
import sys
from collections import Counter
from typing import Dict, List, Set, Tuple

STOP = re.compile(
    r"mapscope stop \d+: (?P<event>\w+)(?P<rest>.*?)(, | )(0x(?P<map>[0-9a-f]+)), (?P<growth>.*)"
)
TRACE = re.compile(r"map\[0x(?P<map>[0-9a-f]+)\] (?P<what>.*)")


def of_table(growth: str) -> str:
    """What happens to a Swiss map, by the words that tell of it."""
    if "split" in growth:
        return "split"
    return "to_table" if "to a table" in growth else "double"


def events_of_stops(lines: List[str]) -> List[Tuple[int, str, str]]:
    """Returns (map, event, detail) of each line."""
    found = []
    for line in lines:
        match = STOP.match(line)
        if match is None:
            continue
        event, detail = match["event"], ""
        if event == "evacuate":
            number = re.search(r"old bucket (\d+) of", match["rest"])
            assert number is not None, line
            detail = number[1]
        elif "table" in match["growth"]:
            detail = of_table(match["growth"])
        elif event == "grow":
            detail = "same_size" if "same-size" in match["growth"] else "double"
        elif event == "done":
            detail = "abandoned" if "abandoned" in match["rest"] else "done"
        found.append((int(match["map"], 16), event, detail))
    return found


def events_of_trace(lines: List[str]) -> List[Tuple[int, str, str]]:
    """The same of a trace."""
    found = []
    for line in lines:
        match = TRACE.match(line)
        if match is None:
            continue
        map, what = int(match["map"], 16), match["what"]
        if what.startswith("grows same-size"):
            found.append((map, "grow", "same_size"))
        elif " slots" in what:
            if "created" not in what:
                found.append((map, "grow", of_table(what)))
        elif what.startswith("grows"):
            found.append((map, "grow", "double"))
        elif what.startswith("bucket migration"):
            found.append((map, "evacuate", what.split("bkt#")[1].split()[0]))
        elif what.startswith("growth"):
            found.append((map, "done", "abandoned" if "abandoned" in what else "done"))
        elif what.startswith("cleared"):
            found.append((map, "clear", ""))
    return found


def wanted_of_swiss(row: Dict[str, int], seen: Set[str]) -> Dict[str, int]:
    """How many lines of each event there must be, of the events that were asked for."""
    wanted = {}
    for event in seen & {"grow", "done"}:
        wanted.update({f"{event} {how}": row[how] for how in ("to_table", "double", "split")})
    wanted.update({f"{event} ": row[event] for event in seen & {"assign", "delete", "clear"}})
    return wanted


def main() -> int:
    """Compares; returns the exit status."""
    with open(sys.argv[1], encoding="utf-8") as file:
        report = [json.loads(line) for line in file if line.startswith("{")]
        report = [row for row in report if row["name"] in (sys.argv[3:] or [row["name"]])]
    with open(sys.argv[2], encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file]
    events = events_of_stops(lines) or events_of_trace(lines)
    if not events:
        print("no event at all")
        return 1
    wrong = 0
    for row in report:
        mine = [e for e in events if e[0] == int(row["address"], 16)]
        count: Dict[str, int] = Counter(
            f"{e[1]} {e[2]}" if e[1] != "evacuate" else "evacuate" for e in mine
        )
        # what destroys or leaves a map in the middle of a growth is no end of it
        if "split" in row:
            wanted = wanted_of_swiss(row, {e[1] for e in events})
        else:
            wanted = {
                "grow double": row["double"],
                "grow same_size": row["same_size"],
                "evacuate": row["evacuate"],
                "done done": row["done"],
                "done abandoned": row["abandoned"]
                + (row["migrating"] and "done abandoned" in count),
                "clear ": row["clear"],
            }
        buckets: Counter[str] = Counter()
        twice = 0
        for _, event, detail in mine:
            if event == "grow":
                buckets.clear()
            elif event == "evacuate":
                buckets[detail] += 1
                twice += buckets[detail] > 1
        for what, number in wanted.items():
            if count.get(what, 0) != number:
                wrong += 1
                print(
                    f"{row['name']}: {what}: {count.get(what, 0)} lines, the program saw {number}"
                )
        if twice:
            wrong += 1
            print(f"{row['name']}: {twice} old buckets were evacuated twice")
        print(f"{row['name']}: {sum(count.values())} lines")
    print(f"{len(report)} maps compared, {wrong} differences")
    return 1 if wrong or not report else 0


if __name__ == "__main__":
    sys.exit(main())
