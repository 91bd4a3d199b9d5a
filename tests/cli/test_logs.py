# SPDX-License-Identifier: MIT
"""`mapscope log`: growths and migrations out of the lines of a trace, mixed with other output."""

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from mapscope.maps.event_lines import (
    cleared_line,
    created_line,
    destroyed_line,
    done_line,
    grow_line,
    moved_line,
    race_line,
    rebuild_line,
    swiss_created_line,
    table_line,
)
from mapscope_cli.log_reader import END_MISSING, UNFINISHED, Log, LogReader
from shown import ROOT, in_process, mapscope

A, B = 0xC000010000, 0xC000020000


def read(*lines: str) -> Log:
    return LogReader().read(io.BytesIO("".join(line + "\n" for line in lines).encode()))


def test_a_life() -> None:
    """By the very lines that core prints."""
    log = read(
        created_line(A, 8, 1),
        grow_line(A, None, 1, 2, 8, 0),
        moved_line(A, 0, 1, 2, 5, 3),
        done_line(A, 2, ""),
        grow_line(A, "same-size", 2, 2, 9, 4),
        moved_line(A, 1, 2, 2, 4, 0),
        moved_line(A, 0, 2, 2, 3, 0),
        done_line(A, 2, ""),
        cleared_line(A, 7),
        rebuild_line(A, 100, 0, 2),
        race_line(A, "concurrent map writes"),
        grow_line(A, "shrink", 2, 1, 3, 0),
        destroyed_line(A, 3),
    )
    (life,) = log.lives
    assert (log.events, log.unknown, life.created) == (13, 0, (1, 8, 1, "buckets"))
    double, same, shrink = life.growths
    assert (double.kind, double.old, double.new, double.entries) == ("double", 1, 2, 9)
    assert (double.keys, double.moved, double.end, double.end_line) == (8, {0}, "done", 4)
    assert (same.kind, same.moved, same.keys) == ("same-size", {0, 1}, 7)
    assert (shrink.kind, shrink.old, shrink.new, shrink.end) == ("shrink", 2, 1, END_MISSING)
    assert life.destroyed == 13 and [line for line, _ in life.other] == [9, 10, 11]


def test_one_that_is_not_twice_as_large_is_told_apart() -> None:
    log = read(
        grow_line(A, None, 8, 64, 53, 0),
        grow_line(B, None, 8, 16, 53, 0),
        grow_line(B, "shrink", 64, 8, 3, 0),
    )
    kinds = [[growth.kind for growth in life.growths] for life in log.lives]
    assert kinds == [["jump"], ["double", "jump"]]


def test_a_log_that_begins_late_and_ends_early() -> None:
    """What the log has not is not known."""
    log = read(
        moved_line(A, 3, 8, 16, 2, 4),
        done_line(A, 16, ""),
        grow_line(A, None, 16, 32, 105, 0),
        moved_line(A, 3, 16, 32, 2, 4),
        done_line(B, 4, "abandoned by clear"),
        grow_line(B, None, 4, 8, 27, 0),
        grow_line(B, None, 8, 16, 53, 0),  # the end of the one before was lost
    )
    first, second = log.lives
    assert first.created is None
    late, early = first.growths
    assert (late.kind, late.old, late.new, late.entries) == ("", 8, 16, None)
    assert (early.end, early.end_line, len(early.moved)) == (UNFINISHED, None, 1)
    ends = [growth.end for growth in second.growths]
    assert ends == ["abandoned by clear", END_MISSING, UNFINISHED]
    assert second.growths[0].old is None


def test_swiss_tables() -> None:
    log = read(
        swiss_created_line(A, 9, 16),
        table_line(A, None, 0, 0, 16, 8),
        table_line(A, 0, 1, 16, 32, 14),
        table_line(A, 0, 1, 1024, 1024, 896),
    )
    kinds = [(g.kind, g.old, g.new, g.end) for g in log.lives[0].growths]
    assert kinds == [
        ("first table", 8, 16, "done"),
        ("table", 16, 32, "done"),
        ("split", 1024, 1024, "done"),
    ]


def test_an_address_that_is_used_again() -> None:
    log = read(
        created_line(A, 0, 1),
        grow_line(A, None, 1, 2, 8, 0),
        destroyed_line(A, 9),
        created_line(A, 0, 1),
        grow_line(A, None, 1, 2, 8, 0),
        created_line(A, 0, 1),  # where the end of the one before is not in the log
    )
    assert [len(life.growths) for life in log.lives] == [1, 1, 0]
    assert [life.growths[0].end for life in log.lives[:2]] == [END_MISSING, END_MISSING]


def test_other_output_and_whatever_bytes() -> None:
    line = grow_line(A, None, 8, 16, 53, 0)
    log = read(
        f"2026-01-01T00:00:00 INFO [worker] {line}",
        f"no newline before{created_line(B, 0, 1)}{moved_line(A, 0, 8, 16, 1, 2)}",
        "map[string]int is a type, map[0xzz] and map[0x10] nothing at all",
        "map[0x" + "f" * 40 + "] grows from 1 to 2 buckets (entries: 9",
        "x" * 200_000,
    )
    assert [life.address for life in log.lives] == [A, B, 0x10]
    assert log.lives[0].growths[0].keys == 3 and log.unknown == 1
    junk = bytes(range(256)) * 50 + b"map[0x1] bucket migration: bkt#" + b"9" * 5000
    found = LogReader().read(io.BytesIO(junk))
    assert found.unknown == found.events == 1


def _growths(form: Dict[str, Any]) -> List[Dict[str, Any]]:
    return [growth for one in form["maps"] for growth in one["growths"]]


def _example() -> Optional[Path]:
    folder = Path(os.environ.get("MAPSCOPE_EXAMPLES", ROOT / "build/dev/examples"))
    found = folder / "lifecycle" / "lifecycle"
    return found if found.exists() else None


def test_a_real_trace(tmp_path: Path) -> None:
    """Every growth that the runtime has printed, and each is done with as many buckets as it
    had."""
    program = _example()
    if program is None:
        pytest.skip("the examples are not built (MAPSCOPE_EXAMPLES)")
    environment = {**os.environ, "MAPDEBUG": "maptrace=1"}
    ran = subprocess.run([program], env=environment, stderr=subprocess.PIPE, text=True, timeout=60)
    log = tmp_path / "log"
    log.write_text(ran.stderr)
    found = mapscope("log", "--json", log)
    assert found.returncode == 0, found.stderr
    form = json.loads(found.stdout)
    growths = _growths(form)
    assert form["unknown_events"] == 0 and form["schema"] == "mapscope.log/1"
    assert len(growths) == ran.stderr.count("] grows ") + ran.stderr.count("] shrinks ")
    assert len(growths) > 5 and {growth["kind"] for growth in growths} <= {
        *("double", "same-size", "shrink", "jump"),
    }
    for growth in growths:
        if growth["end"] == "done":
            assert growth["moved_buckets"] == growth["old"]
    # cut in the middle of a migration
    at = ran.stderr.index("bucket migration: bkt#0")
    cut = mapscope("log", "-", input=ran.stderr[:at])
    assert "1 unfinished" in cut.stdout and "unfinished\n" in cut.stdout
    drawn = in_process("log", "--timeline", log, "-o", tmp_path / "drawn")
    assert drawn.returncode == 0 and drawn.stdout == ""
    rows = (tmp_path / "drawn").read_text().splitlines()
    assert rows[2].startswith("0x0000") and rows[2].count("G") > 3 and rows[2].endswith("x")


def test_errors() -> None:
    for words, status, told in (
        (["/nowhere"], 1, "cannot read /nowhere: No such file"),
        (["--json", "--timeline"], 2, "not both"),
        (["--nonsense"], 2, "--nonsense"),
        (["-o", "/nowhere/x", os.devnull], 1, "cannot write /nowhere/x"),
    ):
        found = in_process("log", *words)
        assert found.returncode == status and told in found.stderr and not found.stdout
    found = in_process("log", os.devnull)
    assert found.returncode == 0 and "no line of a trace" in found.stdout
