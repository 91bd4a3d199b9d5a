# SPDX-License-Identifier: MIT
"""A command for tests, in gdb and LLDB: does every entry lie where the hash of its key says?

    hash-places TRUTH [--by name|address]

TRUTH is a program's record of its maps (compare.py says how it looks). For each entry of each
map the hash that mapscope computes of its key must be that of its place: of a classic map the
bucket and the tophash, of a Swiss one the table, the control byte, and a group that a search
reaches. Prints a line for each map that has no hash that can be computed, with the reason, and
for each entry at a wrong place; a NaN has none.
"""

import argparse
import importlib
import shlex

from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple

from in_debugger import NAME, define
from truth_file import map_words, read_maps

from mapscope.commands.base import split_words
from mapscope.errors import MapscopeError
from mapscope.locate import find_map
from mapscope.session import Session
from mapscope.maps.view import MapView


def target() -> Any:
    """Of the debugger that this runs in."""
    if NAME == "gdb":
        return importlib.import_module("mapscope_in_gdb.target").GdbTarget()
    steps: Any = importlib.import_module("lldb_steps")._steps
    adapter = importlib.import_module("mapscope_in_lldb.target")
    return adapter.LldbTarget(steps.debugger, steps.selected())


def entries(view: MapView) -> Iterator[Tuple[Any, Optional[bytes], Optional[int]]]:
    """(place, key, hash) of each entry."""
    known, _ = view.hashing()
    assert known is not None
    for batch in view.entries():
        order = list(batch.order)
        keys = [batch.keys.data(at) for at in order]
        hashes = known.many([key or b"" for key in keys])
        for at, key, number in zip(order, keys, hashes):
            yield batch.where(at), key, number


def classic(view: Any, where: Any, number: int) -> bool:
    """Whether a hash is that of a place in a classic map."""
    new, old = view.arrays()
    array = new if where.array == "new" else old
    data = view.walker().chain(array, where.bucket)[where.chain][1]
    top = number >> 56
    return bool(
        number % array.count == where.bucket and data[where.cell] == (top if top >= 5 else top + 5)
    )


def swiss(view: Any, where: Any, number: int) -> bool:
    """Whether a hash is that of a place in a Swiss map."""
    header, table = view.header, view.tables()[int(where.array)]
    memory, size = view.memory, view.layout.size
    if header.dirLen > 1:
        slot = header.dirPtr + 8 * (number >> 64 - header.globalDepth)
        if memory.read_word(slot) != table.address:
            return False
    group = number >> 7 & table.count - 1
    for step in range(1, table.count + 1):
        control = memory.read(table.groups + group * size, 8)
        if group == where.bucket:
            return bool(control[where.cell] == number & 0x7F)
        if 0x80 in control:
            return False
        group = group + step & table.count - 1
    return False


def hash_places(argument: str) -> None:
    """Compare every entry's place with its key's hash."""
    parser = argparse.ArgumentParser(prog="hash-places")
    parser.add_argument("truth", type=Path)
    parser.add_argument("--by", choices=("name", "address"), default="name")
    arguments = parser.parse_args(shlex.split(argument))
    maps = hashed = without = wrong = 0
    names: List[str] = []
    session = Session(target())
    for truth in read_maps(arguments.truth):
        words = map_words(truth, arguments.by)
        if words is None:
            continue
        name, _, type = words.partition(" --type ")
        try:
            view = find_map(session, split_words(name)[0], type[1:-1] or None)
            if view.address is None:
                continue
            maps += 1
            known, why = view.hashing()
        except MapscopeError as error:
            known, why = None, f"error: {error}"
        if known is None:
            print(f"{truth['name']}: {why}")
            continue
        names.append(known.name.rsplit(" ", 1)[-1])
        fits = swiss if view.flavor == "go-swiss" else classic
        for where, key, number in entries(view):
            if number is None:
                without += 1
            elif fits(view, where, number):
                hashed += 1
            else:
                wrong += 1
                if wrong < 20:
                    print(f"{truth['name']}: {(key or b'').hex()} at {where.text()}: {number:#x}")
    print(
        f"{maps} maps, {len(names)} with a hash ({', '.join(sorted(set(names)))}): "
        f"{hashed} entries at their places, {wrong} not, {without} without a hash"
    )


define("hash-places", hash_places)
