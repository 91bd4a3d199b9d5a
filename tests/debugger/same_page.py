#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is what stands in the page of a map, or of a process, what the other commands say?

    same_page.py PAGE INSPECT STATS ENTRIES
    same_page.py PAGE HEAP

PAGE is what `map report` wrote, the others the JSON of these commands at the same stop.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List


def embedded(page: str) -> Dict[str, Any]:
    """What stands in the page's element of JSON."""
    _, _, rest = page.partition('<script type="application/json" id="data">')
    found: Dict[str, Any] = json.loads(rest.partition("</script")[0])
    return found


def map_differences(
    form: Dict[str, Any], inspect: object, stats: Dict[str, Any], lines: List[Dict[str, Any]]
) -> List[str]:
    """What is not the same of a map."""
    wrong = []
    if form["inspect"] != inspect:
        wrong.append("inspect")
    if form["stats"] != stats:
        wrong.append("stats")
    entries = lines[1:-1]
    truth: Counter[object] = Counter()
    for entry in entries:
        where = entry["where"]
        truth[where.get("array", "new"), where.get("bucket", where.get("group"))] += 1
    drawn: Counter[object] = Counter()
    for heat in form["heat"]:
        if heat["places_per_square"] != 1:
            wrong.append("squares of several places: choose a smaller map")
        held = {(heat["array"], at): n for at, n in enumerate(heat["squares"]) if n}
        drawn.update(held)
    if drawn != truth or not drawn:
        wrong.append(f"squares: {len(drawn)} with entries, {len(truth)} expected")
    rows = form["entries"]["rows"]
    shown = [row[0] for row in rows]
    # of plain keys, the text is the JSON
    keys = [json.dumps(entry["key"]) for entry in entries][: len(rows)]
    if shown != keys or not rows:
        wrong.append(f"entries: {shown[:2]}, {keys[:2]} expected")
    if form["entries"]["of"] != len(entries):
        wrong.append("number of entries")
    for histogram in form["histograms"]:
        values = stats[histogram["name"]]
        if sum(values.values()) != sum(number for *_, number in histogram["bins"]):
            wrong.append(histogram["name"])
    print(f"{len(drawn)} squares, {len(rows)} entries, ", end="")
    return wrong


def process_differences(form: Dict[str, Any], heap: Dict[str, Any]) -> List[str]:
    """What is not the same of a process."""
    wrong = [] if form["heap"] == heap else ["heap"]
    for by, tree in form["treemap"].items():
        for name in ("bytes", "maps", "count"):
            drawn = sum(box[name] for box in [*tree["boxes"], tree["others"]])
            if drawn != heap["totals"][name]:
                wrong.append(f"{name} by {by}")
    growing = {row["address"] for row in heap["maps"] if row["growing"]}
    if {row["address"] for row in form["migrations"]["rows"]} != growing:
        wrong.append("migrations")
    print(f"{len(heap['maps'])} maps, {len(growing)} growing, ", end="")
    return wrong


def main() -> int:
    texts = [Path(name).read_text(encoding="utf-8") for name in sys.argv[1:]]
    form = embedded(texts[0])
    if form["of"] == "process":
        # in a file, a line for each map between head and tail
        head, *maps, tail = [json.loads(line) for line in texts[1].splitlines()]
        wrong = process_differences(form, {**head, "maps": maps, **tail})
    else:
        lines = [json.loads(line) for line in texts[3].splitlines()]
        wrong = map_differences(form, json.loads(texts[1]), json.loads(texts[2]), lines)
    print("the same" if not wrong else f"differs: {', '.join(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
