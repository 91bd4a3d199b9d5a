# SPDX-License-Identifier: MIT
"""Imports go one way: between packages, and between files; also those for types alone and those
made late."""

import ast
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Dict, Iterator, List, Set, Tuple

import pytest

from mapscope.flavours.registry import FLAVOURS

ROOT = Path(__file__).resolve().parents[2]
#: folders of packages: core's, what runs in one debugger, and what runs in none
SIDES = {
    "core": "mapscope",
    "gdb": "mapscope_in_gdb",
    "lldb": "mapscope_in_lldb",
    "cli": "mapscope_cli",
}
#: core's packages and the files beside them, each above what it may import
ORDER = (
    *(
        "errors",
        "records",
        "kernels",
        "program",
        "go",
        "session",
        "maps",
        "cells",
        "classic",
        "swiss",
        "chained",
    ),
    *("nodes", "slots", "flavours", "heap", "in_goroutine", "locate", "slices", "activity"),
    *("stops", "plans", "page", "version", "probes", "commands", "completion", "shell"),
)

Graph = Dict[str, Set[str]]


def modules(side: str) -> Dict[str, Path]:
    """Dotted names of a side's files."""
    found = {}
    for path in (ROOT / side / SIDES[side]).rglob("*.py"):
        parts = path.relative_to(ROOT / side).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@lru_cache(maxsize=None)
def imported(path: Path, name: str) -> Tuple[str, ...]:
    """What a file imports, wherever in it that stands: dotted names, of modules or of what is in
    them."""
    return tuple(_imported(path, name))


def _imported(path: Path, name: str) -> Iterator[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(start if node.level else ()), *([node.module or ""])]).strip(".")
            yield from (f"{base}.{alias.name}" for alias in node.names)


def graph(side: str) -> Graph:
    """Which file of a side imports which."""
    known = modules(side)
    edges: Graph = {}
    for name, path in known.items():
        edges[name] = set()
        used_there = list(imported(path, name))
        if name == "mapscope.flavours.registry":  # which has them by name
            used_there += [f"mapscope.flavours.{one.code}" for one in FLAVOURS]
        for used in used_there:
            module = used if used in known else used.rpartition(".")[0]
            if module in known and module != name:
                edges[name].add(module)
    return edges


def circle(edges: Graph) -> List[str]:
    """Names that lead to each other; empty: there are none."""
    left = {name: set(used) for name, used in edges.items()}
    while True:
        ends = {name for name, used in left.items() if not used & set(left)}
        if not ends:
            return sorted(left)
        for name in ends:
            del left[name]


@pytest.mark.parametrize("side", SIDES)
def test_no_file_is_in_a_circle(side: str) -> None:
    edges = graph(side)
    assert len(edges) > 5, "the files were not found"
    found = circle(edges)
    assert not found, {name: sorted(edges[name] & set(found)) for name in found}


def test_packages_import_in_one_direction() -> None:
    rank = {name: at for at, name in enumerate(ORDER)}
    wrong = []
    for name, used in graph("core").items():
        own = (name.split(".") + [""])[1]
        if not own:
            continue
        assert own in rank, f"{name} is in no known package"
        theirs = [(other, other.split(".")[1]) for other in used if "." in other]
        wrong += [f"{name} -> {other}" for other, package in theirs if rank[package] > rank[own]]
    assert not wrong


def test_core_imports_no_debugger() -> None:
    for name, path in modules("core").items():
        used = {one.split(".")[0] for one in imported(path, name)}
        assert not used & {"gdb", "lldb", *SIDES.values()} - {"mapscope"}, name


def test_no_two_files_of_core_have_one_name() -> None:
    names = Counter(
        name.rpartition(".")[2] for name, path in modules("core").items() if path.stem != "__init__"
    )
    assert not [name for name, number in names.items() if number > 1]


def test_dataclasses_are_made_when_they_are_needed() -> None:
    """One of the standard library's cannot be derived from one of records.py."""
    for side in SIDES:
        for name, path in modules(side).items():
            used = set(imported(path, name)) & {"dataclasses.dataclass", "dataclasses.fields"}
            assert not used or name == "mapscope.records", name


def test_circles_are_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}) == list("abcd")
    assert circle({"a": {"b"}, "b": set()}) == []
