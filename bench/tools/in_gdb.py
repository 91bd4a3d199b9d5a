# SPDX-License-Identifier: MIT
"""What run.py runs inside gdb: stop a program and dump its core, or look at such a core.

Takes its parameters from the environment (MAPSCOPE_TOOLS, a JSON object, see run.py) and
writes its answers, if it has any, to the file named there, as one JSON object.
"""

import json
import os
from typing import Any, Callable, Dict, Optional

import gdb

#: entries that are moved in one evacuation before the program is left in the middle of it
MOVED = 4


class WrongPlace(Exception):
    """The program did not come to where it was to stop."""


def run(command: str) -> str:
    return str(gdb.execute(command, to_string=True))


def stopped_in(function: str) -> bool:
    return function in (gdb.newest_frame().name() or "")


def at_checkpoint() -> None:
    """Where the program's own record and its map agree."""


def inside_evacuate() -> None:
    """Some entries of an old bucket are moved, one is on its way, the others wait.

    evacuate copies each element by typedmemmove, after the mark, the tophash and the key.
    """
    gdb.Breakpoint("runtime.evacuate_faststr")
    gdb.Breakpoint("runtime.typedmemmove")
    copied = 0
    while copied < MOVED:
        run("continue")
        if stopped_in("evacuate"):
            copied = 0
        else:
            copied += "evacuate" in (gdb.newest_frame().older().name() or "")


def inside_split() -> None:
    """A table is split in two, and the directory holds one of its successors and itself."""
    install = gdb.Breakpoint("*'internal/runtime/maps.(*Map).installTableSplit'")
    run("set language c")
    while True:
        run("continue")
        if not stopped_in("installTableSplit"):
            raise WrongPlace("no stop at installTableSplit")
        # of the register arguments Map, old table, left table
        here, old, left = (int(gdb.parse_and_eval(f"${name}")) for name in ("rax", "rbx", "rcx"))
        if byte(here + 32) > byte(old + 6):  # else the directory is replaced as a whole
            break
    install.delete()
    slot = word(here + 16) + 8 * word(old + 8)
    gdb.Breakpoint(f"*(unsigned long *) {slot:#x}", gdb.BP_WATCHPOINT, gdb.WP_WRITE)
    run("continue")
    if word(slot) != left or word(slot + 8) != old:
        raise WrongPlace("the directory is not half replaced")
    run("set language auto")


def number(address: int, size: int) -> int:
    memory = gdb.selected_inferior().read_memory(address, size)
    return int.from_bytes(memory.tobytes(), "little")


def byte(address: int) -> int:
    return number(address, 1)


def word(address: int) -> int:
    return number(address, 8)


PLACES: Dict[str, Callable[[], None]] = {
    "checkpoint": at_checkpoint,
    "evacuate": inside_evacuate,
    "split": inside_split,
}


def stop(parameters: Dict[str, Any]) -> Dict[str, Any]:
    """Run the program to its place, and dump its core.

    What asks gdb to read one key is asked here, while the program can still run.
    """
    # a goroutine that is preempted where it stopped comes to the same breakpoint again
    run("set environment GODEBUG asyncpreemptoff=1")
    gdb.Breakpoint("main.checkpoint", temporary=True)
    run(f"run {parameters['arguments']} > /dev/null")
    if not stopped_in("main.checkpoint"):
        raise WrongPlace("no stop at main.checkpoint")
    PLACES[parameters["place"]]()
    answers = {"key": value_of(f"{parameters['map']}[\"{parameters['key']}\"]")}
    run(f"generate-core-file {parameters['core']}")
    return answers


def value_of(expression: str) -> Dict[str, Any]:
    """An integer, or gdb's error."""
    try:
        return {"value": int(gdb.parse_and_eval(expression))}
    except gdb.error as error:
        return {"error": str(error).split("\n", maxsplit=1)[0]}


def plain(value: gdb.Value) -> Any:
    """A key or an element; None if gdb cannot read it."""
    try:
        printer = gdb.default_visualizer(value)
        return int(value) if printer is None else str(printer.to_string())
    except gdb.error:
        return None


def gos_script(parameters: Dict[str, Any]) -> Dict[str, Any]:
    """What Go's own script shows: the children of its printer, which `print` prints."""
    shown = []
    problem: Optional[str] = None
    name = parameters["map"]
    if "." in name:  # outside of its package gdb knows it in quotes
        name = f"'{name}'"
    printer = gdb.default_visualizer(gdb.parse_and_eval(name))
    children = printer.children()
    try:
        for _, key in children:
            shown.append((plain(key), plain(next(children)[1])))
    except (gdb.error, StopIteration) as error:
        problem = str(error)
    return {
        "entries": {"shown": shown, "error": problem},
        "length": value_of(f"$len({name})"),
    }


def mapscope(parameters: Dict[str, Any]) -> Dict[str, Any]:
    """What mapscope shows. The entries go to the file `shown` of run.py's folder."""
    problem: Optional[str] = None
    try:
        run(f"map entries {parameters['map']} --limit 0 --json -o {parameters['shown']}")
    except gdb.error as error:
        problem = str(error)
    return {
        "entries": {"error": problem},
        "length": value_of(f"$_map_len({parameters['map']})"),
        "key": value_of(f"$_map_get({parameters['map']}, \"{parameters['key']}\")"),
    }


def main() -> None:
    parameters = json.loads(os.environ["MAPSCOPE_TOOLS"])
    roles = {"stop": stop, "gos_script": gos_script, "mapscope": mapscope}
    answers = roles[parameters["role"]](parameters)
    with open(parameters["answers"], "w", encoding="utf-8") as file:
        json.dump(answers, file)


main()
