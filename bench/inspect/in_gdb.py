# SPDX-License-Identifier: MIT
"""What run.py runs inside gdb: time each way to look into a large map.

The script stands in a stopped program (big.cpp, big.go), takes its parameters
from the environment (MAPSCOPE_BENCH, a JSON object: see run.py) and writes its
measurements to the file named there, as one JSON object.
"""

import json
import os
import time
from functools import partial
from typing import Any, Callable, Dict

import gdb

from measuring import MIB, WRITTEN, least, memory, seconds


def run(command: str) -> str:
    return str(gdb.execute(command, to_string=True))


def word(address: int) -> int:
    return int.from_bytes(gdb.selected_inferior().read_memory(address, 8).tobytes(), "little")


def header_of(name: str, go: bool) -> int:
    """Address of the map's hmap: what a Go map is, and what a C++ map begins with."""
    value = gdb.parse_and_eval(name)
    return int(value) if go else word(int(value.address))


def read_all(header: int, overflow_bytes: int, bucket_bytes: int) -> int:
    """Read as many bytes as the map's buckets have, in pieces of 1 MiB.

    Both arrays with their spare buckets, and once more, from the array's start,
    as many bytes as there are in other overflow buckets.

    :return: the number of bytes read.
    """
    inferior = gdb.selected_inferior()
    b = gdb.selected_inferior().read_memory(header + 9, 1)[0][0]
    arrays = [(word(header + 16), 1 << b)]
    if word(header + 24):
        arrays.append((word(header + 24), 1 << (b - 1)))
    ranges = [(start, (buckets + buckets // 16) * bucket_bytes) for start, buckets in arrays]
    spare = sum(buckets // 16 for _, buckets in arrays) * bucket_bytes
    ranges.append((arrays[0][0], max(0, overflow_bytes - spare)))
    total = 0
    for start, size in ranges:
        for offset in range(0, size, MIB):
            piece = min(MIB, size - offset)
            total += len(inferior.read_memory(start + offset, piece))
    return total


def value_loop(header: int, bucket_bytes: int, buckets: int) -> int:
    """The loop over gdb values that printers without bulk reads are: each cell apart.

    :return: the number of entries seen.
    """
    byte = gdb.lookup_type("unsigned char").pointer()
    number = gdb.lookup_type("unsigned long").pointer()
    array = gdb.Value(word(header + 16)).cast(byte)
    seen = 0
    for bucket in range(buckets):
        base = array + bucket * bucket_bytes
        for cell in range(8):
            if int(base[cell]) < 5:
                continue
            key = (base + 8 + 8 * cell).cast(number).dereference()
            value = (base + 8 + 64 + 8 * cell).cast(number).dereference()
            seen += len(f"[{int(key)}] = {int(value)}") > 0
    return seen


def gos_script(name: str, script: str) -> Dict[str, Any]:
    """Loop over what the printer of Go's own script has for a map, as `print` does."""
    run(f"source {script}")
    value = gdb.parse_and_eval(name)
    # asked itself: gdb would ask mapscope's first
    printers = (make(value) for make in gdb.objfiles()[0].pretty_printers)
    children = next(printer for printer in printers if printer is not None).children()
    seen, problem = 0, ""
    start = time.perf_counter()
    try:
        for number, (_, child) in enumerate(children):
            str(child)
            seen += number % 2
    except gdb.error as error:
        problem = str(error)
    return {"seconds": time.perf_counter() - start, "seen": seen, "error": problem}


def lists() -> Dict[str, Any]:
    """The first list of many maps, for which the program is looked at, and the next ones."""
    results: Dict[str, Any] = {}
    results["first"], text = seconds(lambda: run("map list"), time.process_time)
    results["next"], text = seconds(lambda: run("map list"), time.process_time)
    results["json"], text = seconds(lambda: run("map list --json"), time.process_time)
    results["maps"] = len(json.loads(text)["maps"])
    return results


def measure(parameters: Dict[str, Any]) -> Dict[str, Any]:
    if not parameters["map"]:
        return lists()
    name, go = parameters["map"], parameters["go"]
    header = header_of(name, go)
    results: Dict[str, Any] = {}
    before = memory("VmRSS")
    facts = json.loads(run(f"map inspect {name} --json"))
    results["count"] = facts["count"]
    results["progress"] = facts["growth"]["progress"] if facts["growth"] else None
    works: Dict[str, Callable[[], Any]] = {
        what: partial(run, f"map {what} {name}") for what in ("inspect", "stats")
    }
    checks: Dict[str, Callable[[], Any]] = {}
    for check, options in (("check", " --no-hash"), ("check_hashes", "")):
        checks[check] = partial(run, f"map check {name} --json{options}")
    if "B" in facts:  # of a Swiss map there is no measure of reading it
        size = facts["bucket_bytes"]
        works["read"] = partial(read_all, header, facts["bytes"]["overflow"], size)
    # Reading is gdb's own work: other programs do not count. In turn, for a busy machine is
    # slower at times.
    found = least(works, parameters["times"], time.process_time)
    found.update(least(checks, 1, time.process_time))  # they take longer
    results.update({what: spent for what, (spent, _) in found.items()})
    for check in ("check", "check_hashes"):
        if not json.loads(found[check][1])["ok"]:
            raise RuntimeError(f"map check found: {found[check][1][:200]}")
    run("set print elements 200")
    results["print"], text = seconds(lambda: run(f"print {name}"))
    if parameters["entries"]:
        output = parameters["output"]
        for what, options in WRITTEN:
            results[what], text = seconds(
                lambda: run(f"map entries {name} {options} -o '{output}.{what}'"), time.process_time
            )
    results["gained"] = memory("VmHWM") - before
    if parameters["gos_script"]:
        results["gos_script"] = gos_script(name, parameters["gos_script"])
    if "read" not in found:
        return results
    results["bytes"], bucket_bytes = found["read"][1], facts["bucket_bytes"]
    if parameters["values"]:
        run("set language c")
        spent, seen = seconds(lambda: value_loop(header, bucket_bytes, parameters["values"]))
        results["value_loop"] = spent / max(1, seen)
    return results


def main() -> None:
    parameters = json.loads(os.environ["MAPSCOPE_BENCH"])
    results = measure(parameters)
    with open(parameters["output"], "w", encoding="utf-8") as file:
        json.dump(results, file)


main()
