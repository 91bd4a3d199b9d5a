# SPDX-License-Identifier: MIT
"""Reading a program's record of its maps; compare.py says how it looks."""

import json
from pathlib import Path
from typing import Any, Dict, List, Optional


def read_lines(file: Path) -> List[str]:
    """The record's lines, one for each map."""
    # Not splitlines: JSON may hold other line ends than \n as they are.
    return file.read_text(encoding="utf-8").rstrip("\n").split("\n")


def read_maps(file: Path) -> List[Dict[str, Any]]:
    """The record's maps, line by line."""
    return [json.loads(line) for line in read_lines(file)]


def map_words(truth: Dict[str, Any], by: str) -> Optional[str]:
    """MAP for a `map` command, perhaps with --type; None for a nil map that is to be named by
    its address: it has none.

    :param by: "name", the record's expression; or "address", in Go with the record's type, in
        C++ alone
    """
    if by == "name":
        return quoted(truth["name"])
    if truth["address"] is None:
        return None
    address = str(truth["address"])
    return f"{address} --type {quoted(truth['type'])}" if "type" in truth else address


def quoted(word: str) -> str:
    """One word of a `map` command; it must hold no single quote."""
    return f"'{word}'"
