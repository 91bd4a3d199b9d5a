# SPDX-License-Identifier: MIT
"""What each command prints, as text and as JSON, field by field."""

import json
import re
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import pytest
from codec import Int, StdString, Text
from cppprogram import CppProgram, block_map
from goprogram import GoProgram, number_map, text_map
from hypothesis import given, settings
from hypothesis import strategies as st
from image import FakeTarget, Image
from looking import lines, one, text
from mapscope import shell
from mapscope.commands import SUMMARIES
from mapscope.errors import MapscopeError, MemoryUnreadable, UsageError
from mapscope.program.memory import Buffer
from model import ClassicMap, GoMap, RuntimeMap

HEX = re.compile(r"0x[0-9a-f]+")


def growing() -> Tuple[FakeTarget, GoMap]:
    """27 entries, 4 -> 8 buckets, two old buckets evacuated."""
    target, model = number_map()
    model.fill({number: number * 10 for number in range(27)})
    assert model.growing()
    return target, model


def runtime() -> Tuple[FakeTarget, RuntimeMap]:
    """The same in C++."""
    program = CppProgram()
    model = program.map("m", Int(8), Int(8))
    model.fill({number: number * 10 for number in range(27)})
    return program.target, model


# --- inspect ---


def test_inspect_json() -> None:
    target, model = growing()
    form = one(target, "inspect", "m")
    evacuated = sum(model.evacuated(index) for index in range(4))
    size = model.shape.size
    assert list(form) == [
        "schema",
        "flavor",
        "go_version",
        "address",
        "type",
        "key_type",
        "value_type",
        "count",
        "flags",
        "hash0",
        "B",
        "buckets",
        "bucket_bytes",
        "load_factor",
        "grows_above",
        "overflow",
        "bytes",
        "chains",
        "growth",
        "problems",
    ]
    assert form["schema"] == "mapscope.inspect/1" and form["flavor"] == "go-classic"
    assert form["go_version"] == "go1.19.8" and form["address"] == hex(model.address)
    assert form["type"] == "map[uint64]uint64"
    assert form["key_type"] == form["value_type"] == "uint64"
    assert form["count"] == 27 and form["hash0"] == 0x5EED and form["flags"] == []
    assert (form["B"], form["buckets"], form["bucket_bytes"]) == (3, 8, size)
    assert form["load_factor"] == 27 / 8 and form["grows_above"] == 52
    assert form["overflow"].keys() == {"noverflow", "in_use", "spare"}
    assert form["bytes"]["buckets"] == 8 * size and form["bytes"]["old"] == 4 * size
    growth = form["growth"]
    assert list(growth) == [
        "kind",
        "old_buckets",
        "evacuated",
        "remaining",
        "nevacuate",
        "ahead",
        "progress",
        "entries_moved",
        "entries_waiting",
    ]
    assert growth["kind"] == "double" and growth["old_buckets"] == 4
    assert growth["evacuated"] == evacuated and growth["remaining"] == 4 - evacuated
    assert growth["progress"] == evacuated / 4
    assert growth["entries_moved"] + growth["entries_waiting"] == 27
    assert form["problems"] == []


def test_inspect_text() -> None:
    target, model = growing()
    shown = text(target, "inspect", "m").splitlines()
    assert shown[0] == f"map[uint64]uint64 {model.address:#x} (go-classic, go1.19.8)"
    body = "\n".join(shown[1:])
    assert "entries    27, load factor 3.38, grows above 52" in body
    assert "buckets    8 (B = 3) of 144 bytes" in body
    assert "flags      none, hash0 0x5eed" in body
    assert "growing    double, 4 -> 8 buckets" in body
    done = sum(model.evacuated(index) for index in range(4))
    bar = "#" * (10 * done) + "." * (40 - 10 * done)
    assert f"[{bar}] {25 * done}.0%" in body
    assert f"{done} old buckets evacuated, {4 - done} remaining" in body
    assert f"nevacuate {model.get('nevacuate')}, " in body


def test_flags_by_name() -> None:
    target, model = growing()
    model.init("flags", 1 | 2 | 8)
    assert one(target, "inspect", "m")["flags"] == ["iterator", "oldIterator", "sameSizeGrow"]
    target, other = runtime()
    other.init("flags", 16 | 32 | 64)
    assert one(target, "inspect", "m")["flags"] == ["shrinking", "unknown bit 64"]


def test_spare_buckets() -> None:
    """2^(B-4) of them behind the array, from B = 4 on."""
    target, model = number_map()
    model.fill({number: number for number in range(420)})
    form = one(target, "inspect", "m")
    assert form["B"] == 7 and form["overflow"]["spare"] + form["overflow"]["noverflow"] == 8


# --- entries ---


def test_entries_json_and_text() -> None:
    for target, model in (growing(), runtime()):
        head, *entries, last = lines(target, "entries", "m")
        assert list(head) == ["schema", "address", "type", "count"]
        assert head["schema"] == "mapscope.entries/1" and head["count"] == 27
        assert head["address"] == hex(model.address)
        assert all(list(entry) == ["key", "value"] for entry in entries)
        assert {e["key"]: e["value"] for e in entries} == model.truth
        assert last == {"entries": 27, "complete": True, "error": None}
        shown = text(target, "entries", "m").splitlines()
        assert shown[0] == f"{head['type']} {model.address:#x}, 27 entries"
        assert shown[1:] == [f"  [{e['key']}] = {e['value']}" for e in entries]


def test_where() -> None:
    for target, model in (growing(), runtime()):
        _, *entries, _ = lines(target, "entries", "m --where")
        for entry in entries:
            where = entry["where"]
            assert list(where) == ["array", "bucket", "chain", "cell"]
            array = model.get("buckets" if where["array"] == "new" else "oldbuckets")
            bucket = model.chain(array, where["bucket"])[where["chain"]]
            assert model.key_of((bucket, where["cell"])) == entry["key"]
        assert {entry["where"]["array"] for entry in entries} == {"new", "old"}
        first = entries[0]["where"]
        place = f"({first['array']} bucket {first['bucket']}, chain 0, cell {first['cell']})"
        assert place in text(target, "entries", "m --where").splitlines()[1]


@given(st.none() | st.integers(0, 40), st.integers(0, 40), st.none() | st.integers(0, 30))
@settings(max_examples=40)
def test_limit_offset_and_match(limit: Optional[int], offset: int, match: Optional[int]) -> None:
    target, _ = growing()
    _, *everything, _ = lines(target, "entries", "m")
    kept = [e for e in everything if match is None or str(match) in f"{e['key']} {e['value']}"]
    kept = kept[offset:]
    expected = kept[: limit or None]
    line = f"m --offset {offset}"
    line += "" if limit is None else f" --limit {limit}"
    line += "" if match is None else f" --match {match}"
    _, *found, last = lines(target, "entries", line)
    assert found == expected
    assert last == {"entries": len(found), "complete": found == kept, "error": None}
    shown = text(target, "entries", line).splitlines()
    assert shown[1 : 1 + len(found)] == [f"  [{e['key']}] = {e['value']}" for e in found]
    if found != kept:
        assert shown[-1].startswith(f"{len(found)} entries shown; --limit 0 shows all")


def test_text_keeps_to_the_debugger_s_limit_and_json_does_not() -> None:
    target, _ = growing()
    target.limit = 5
    shown = text(target, "entries", "m").splitlines()
    assert len(shown) == 7 and shown[-1].startswith("5 entries shown; --limit 0 shows all")
    assert len(text(target, "entries", "m --limit 0").splitlines()) == 28
    assert len(lines(target, "entries", "m")) == 29
    target.limit = 0
    assert len(text(target, "entries", "m").splitlines()) == 28


def test_match_looks_at_what_is_shown() -> None:
    target, model = text_map()
    model.fill({"caf\u00e9": 1, "tab\there": 2, "plain": 30})
    for match, keys in (("caf", ["caf\u00e9"]), ("\\t", ["tab\there"]), ("30", ["plain"])):
        _, *found, _ = lines(target, "entries", f"m --match '{match}'")
        assert [e["key"] for e in found] == keys


def test_keys_that_a_terminal_would_act_on() -> None:
    """Escapes, NULs and invalid UTF-8, in both flavours, in every command."""
    hostile = ["\x1b]0;title\x07", "nul\0byte", "\x9b2J", "a\nb\r"]
    go, go_model = text_map()
    program = CppProgram()
    cpp_model = program.map("m", StdString(), StdString())
    go_model.fill({key: 1 for key in hostile})
    cpp_model.fill({key: key for key in hostile})
    for target in (go, program.target):
        for name, line in (("entries", "m"), ("bucket", "m 0"), ("find", f"m '{hostile[0]}'")):
            shown = text(target, name, line)
            assert all(row.isprintable() for row in shown.split("\n"))
        assert [e["key"] for e in lines(target, "entries", "m")[1:-1]] == hostile
        assert text(target, "entries", "--json m").isascii()


# --- bucket ---


def test_bucket_json() -> None:
    for target, model in (growing(), runtime()):
        total = model.old_count()
        for old in (False, True):
            array = model.get("oldbuckets" if old else "buckets")
            for index in range(total if old else 2 * total):
                check_bucket(target, model, array, index, old)


def check_bucket(target: FakeTarget, model: ClassicMap, array: int, index: int, old: bool) -> None:
    """One chain against the model's bytes."""
    form = one(target, "bucket", f"m {index}" + (" --old" if old else ""))
    assert form["schema"] == "mapscope.bucket/1" and form["bucket"] == index
    assert form["array"] == ("old" if old else "new")
    assert form["evacuated"] == (old and model.evacuated(index))
    chain = model.chain(array, index)
    assert [b["address"] for b in form["buckets"]] == [hex(a) for a in chain]
    names = ["emptyRest", "emptyOne", "evacuatedX", "evacuatedY", "evacuatedEmpty"]
    for bucket, address in zip(form["buckets"], chain):
        overflow = model.overflow(address)
        assert bucket["overflow"] == (hex(overflow) if overflow else None)
        assert bucket["overflow_offset"] == model.shape.overflow
        assert [cell["tophash"] for cell in bucket["cells"]] == list(model.tops(address))
        for number, cell in enumerate(bucket["cells"]):
            assert cell["cell"] == number and cell["address"] == hex(address + number)
            assert address + cell["key_offset"] == model.key_at(address, number)
            assert address + cell["value_offset"] == model.elem_at(address, number)
            live = cell["tophash"] >= 5
            assert cell["state"] == ("live" if live else names[cell["tophash"]])
            assert ("key" in cell) == live and "in_flight" not in cell
            if live:
                assert cell["value"] == model.truth[cell["key"]]
            moved = cell["tophash"] in (2, 3)
            assert ("moved_to" in cell) == (old and moved)
            if "moved_to" in cell:
                place = cell["moved_to"]
                y = cell["tophash"] == 3
                assert place["bucket"] == index + (model.old_count() if y else 0)
                # the old cell still has its key: Go clears only what holds pointers
                there = model.chain(model.get("buckets"), place["bucket"])[place["chain"]]
                key = model.key_of((address, number))
                assert model.key_of((there, place["cell"])) == key


def test_bucket_text() -> None:
    target, model = growing()
    shown = text(target, "bucket", "m 0 --old").splitlines()
    assert shown[0].startswith(f"map[uint64]uint64 {model.address:#x}, old bucket 0")
    cells = [row for row in shown if row.startswith("    cell ")]
    assert len(cells) == 8 and len(shown) == 11
    assert all("-> new bucket" in row for row in cells if "evacuatedX" in row)
    assert shown[-1].split() == ["+136", "overflow", "nil"]


@pytest.mark.parametrize(
    "line, about",
    [
        ("m 8", "no new bucket 8: the map has 8, 0 to 7"),
        ("m 4 --old", "no old bucket 4: the map has 4, 0 to 3"),
        ("m 99999999999999999999999", "no new bucket"),
        ("m", "N"),
        ("m x", "a number from 0 on is expected"),
    ],
)
def test_buckets_that_are_not_there(line: str, about: str) -> None:
    target, _ = growing()
    with pytest.raises(UsageError, match=re.escape(about)):
        text(target, "bucket", line)


def test_old_buckets_of_a_map_at_rest() -> None:
    target, _ = number_map()
    with pytest.raises(UsageError, match="not growing"):
        text(target, "bucket", "m 0 --old")
    with pytest.raises(UsageError, match="nothing was written to it yet"):
        text(target, "bucket", "m 0")


# --- find ---


def test_find_json_by_hash() -> None:
    target, model = runtime()
    for key, value in model.truth.items():
        form = one(target, "find", f"m {key}")
        assert form["schema"] == "mapscope.find/1" and form["method"] == "hash"
        key_hash = model.hash(key)
        assert form["hash"] == hex(key_hash) and form["tophash"] == model.top(key_hash)
        old, new = form["candidates"]
        assert (old["array"], old["bucket"]) == ("old", key_hash & 3)
        assert (new["array"], new["bucket"]) == ("new", key_hash & 7)
        evacuated = model.evacuated(key_hash & 3)
        assert (old["authoritative"], new["authoritative"]) == (not evacuated, evacuated)
        assert f"old bucket {key_hash & 3} is " in old["reason"]
        assert form["entry"]["key"] == key and form["entry"]["value"] == value
        assert form["entry"]["where"]["array"] == ("new" if evacuated else "old")
        raw = target.read_memory(int(form["entry"]["value_address"], 16), 4)
        assert int.from_bytes(raw, "little") == value
        assert form["cells_compared"] >= 1
        assert form["chain_hops"] == form["entry"]["where"]["chain"]
    absent = one(target, "find", "m 4711")
    assert absent["found"] is False and absent["entry"] is None and absent["method"] == "hash"


def test_find_text() -> None:
    target, model = runtime()
    shown = text(target, "find", "m 5")
    assert f"hash       {model.hash(5):#018x}, tophash {model.top(model.hash(5)):#04x}" in shown
    assert "looked in" in shown and "passed over" in shown
    assert re.search(r"found      \[5\] = 50  \((old|new) bucket \d, chain 0, cell \d\)", shown)
    assert "  absent\n" in text(target, "find", "m 4711")


def test_find_by_scan() -> None:
    target, model = growing()
    form = one(target, "find", "m 5")
    assert form["method"] == "scan" and form["hash"] is None and form["tophash"] is None
    assert form["found"] and form["entry"]["value"] == 50
    assert "all entries were looked at" in text(target, "find", "m 5")
    absent = one(target, "find", "m 4711")
    assert absent["found"] is False and absent["cells_compared"] == 27


def test_find_text_keys_by_scan() -> None:
    program = GoProgram()
    model = program.map("m", Text(), Text(), "_faststr")
    target = program.finish()
    model.fill({f"user {number}": f"name {number}" for number in range(27)})
    assert one(target, "find", 'm "user 17"')["entry"]["value"] == "name 17"
    assert one(target, "find", "m 'user 170'")["found"] is False


# --- stats (its numbers: test_random_maps.py) ---


def test_stats_json_and_text() -> None:
    target, model = growing()
    form = one(target, "stats", "m")
    assert list(form) == [
        "schema",
        "address",
        "type",
        "count",
        "entries",
        "load_factor",
        "cells",
        "chains",
        "old_cells",
        "old_chains",
        "uniformity",
        "hash_verdict",
        "bytes",
        "life",
        "problems",
    ]
    assert form["schema"] == "mapscope.stats/1" and form["entries"] == form["count"] == 27
    shown = text(target, "stats", "m")
    assert shown.startswith(f"map[uint64]uint64 {model.address:#x}, 27 entries\n")
    for part in (
        "entries per bucket",
        "old bucket not evacuated",
        "uniformity",
        "hash  ",
        "wasted",
    ):
        assert part in shown


def test_large_elements_outside_of_their_buckets() -> None:
    """Indirect ones cost a pointer and themselves, and nothing of it is waste."""
    target, model = block_map()
    model.fill({number: number for number in range(8)})
    form = one(target, "stats", "m")
    assert form["bytes"]["used"] == 8 * (136 + 8 + 200 + 8)
    total = form["bytes"]["total"]
    assert total == model.shape.size + 8 * (136 + 200) + 216


# --- what all commands share ---


def test_output_goes_to_a_file(tmp_path: Path) -> None:
    target, _ = growing()
    for name, line in (("inspect", "m"), ("entries", "m"), ("list", ""), ("stats", "m")):
        for json_option in ("", "--json "):
            file = tmp_path / f"{name} {json_option.strip()}.out"
            pieces: List[str] = []
            shell.run(target, target.stops, name, f"{json_option}-o '{file}' {line}", pieces.append)
            assert pieces == []
            assert file.read_text("utf-8") == text(target, name, json_option + line)
    with pytest.raises(UsageError, match="cannot write .*: No such file or directory"):
        text(target, "inspect", f"m -o '{tmp_path}/no/such/folder'")


@pytest.mark.parametrize("name", SUMMARIES)
def test_help_needs_no_program(name: str) -> None:
    target = FakeTarget(Image())
    target.process = False
    shown = text(target, name, "--help")
    assert shown.startswith(f"usage: map {name} ") and "--json" in shown


def test_completion() -> None:
    assert shell.complete("entries", "--l") == ["--limit"]
    assert set(shell.complete("inspect", "--")) == {
        *("--type", "--goroutine", "--frame", "--json", "--help")
    }
    assert shell.complete("bucket", "--o") == ["--old"]


def test_an_interrupt_while_entries_are_printed() -> None:
    """Ctrl-C ends it cleanly, with what was found so far."""
    program = CppProgram()
    model = program.map("m", Int(8), Int(8))
    model.fill({number: number for number in range(1000)})
    pieces: List[str] = []

    def write(piece: str) -> None:
        pieces.append(piece)
        if len(pieces) == 2:
            raise KeyboardInterrupt

    shell.run(program.target, program.target.stops, "entries", "m --json", write)
    rows = [json.loads(row) for row in "".join(pieces).splitlines()]
    assert 1 < len(rows) < 1002
    assert rows[-1] == {"entries": len(rows) - 2, "complete": False, "error": "interrupted"}


def test_an_interrupt_leaves_what_was_counted() -> None:
    target, _ = growing()

    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    setattr(target, "progress", interrupted)
    shown = text(target, "stats", "m")
    assert "? of it keys and values" in shown and "? wasted" in shown and "rebuilt    ?" in shown
    assert "interrupted: not all of the map was looked at" in shown
    assert "chains     ?" in text(target, "inspect", "m")
    form = json.loads(text(target, "stats", "m --json"))
    assert form["bytes"]["used"] is form["bytes"]["wasted"] is form["bytes"]["rebuilt"] is None
    assert form["cells"] is form["chains"] is form["entries"] is None
    checked = text(target, "check", "m")
    assert "nothing wrong" not in checked and "not looked at: all other buckets" in checked
    assert json.loads(text(target, "check", "m --json"))["ok"] is None


def test_what_was_not_read_is_not_known() -> None:
    """A map of which half of the buckets are missing, as in a core that was cut off."""
    target, model = number_map()
    model.fill({number: number for number in range(1000)})
    form = json.loads(text(target, "inspect", "m --json"))
    whole = json.loads(text(target, "stats", "m --json"))
    read = target.read_memory
    buckets = int.from_bytes(bytes(read(model.address + 16, 8)), "little")
    size = form["buckets"] * form["bucket_bytes"]
    start, end = buckets + size // 2, buckets + size

    def cut(address: int, size: int) -> Buffer:
        if address < end and address + size > start:
            raise MemoryUnreadable(address, size, "cut")
        return read(address, size)

    setattr(target, "read_memory", cut)
    cut_form = json.loads(text(target, "inspect", "m --json"))
    half = {"looked_at": form["buckets"] // 2, "of": form["buckets"]}
    assert cut_form["read"] == half and cut_form["overflow"]["in_use"] is None
    assert "? in use" in text(target, "inspect", "m")
    stats = json.loads(text(target, "stats", "m --json"))
    assert stats["read"] == half and "read" not in whole
    assert stats["entries"] is stats["bytes"]["used"] is stats["bytes"]["rebuilt"] is None
    assert 0 < sum(stats["cells"].values()) <= half["looked_at"] < sum(whole["cells"].values())
    assert f"of the {half['looked_at']} of {half['of']} buckets" in text(target, "stats", "m")
    told = []
    for number in range(40):
        try:
            told.append(text(target, "find", f"m {number}"))
        except MapscopeError as error:
            told.append(str(error))
    assert any("  found  " in shown for shown in told)
    assert any("cannot be read" in shown for shown in told)
    assert not any("absent" in shown for shown in told)


def test_progress_is_told() -> None:
    program = CppProgram()
    program.map("m", Int(8), Int(8)).fill({number: number for number in range(1700)})
    text(program.target, "entries", "m --limit 0")
    assert len(program.target.told) > 2
    totals = {total for _, total in program.target.told}
    assert len(totals) == 1
    dones = [done for done, _ in program.target.told]
    assert dones == sorted(dones) and dones[-1] <= totals.pop()


def test_whatever_goes_wrong_is_one_line() -> None:
    target, _ = growing()

    def broken(expression: str) -> None:
        raise ZeroDivisionError("in the debugger.\n  There are:\n    prototypes")

    setattr(target, "evaluate", broken)
    with pytest.raises(MapscopeError) as caught:
        text(target, "inspect", "m")
    message = "internal error (ZeroDivisionError): in the debugger. There are: prototypes"
    assert str(caught.value) == message


def test_list_text() -> None:
    program = CppProgram()
    counts: Dict[str, int] = {"a": 3, "b": 27, "c": 0}
    for name, count in counts.items():
        program.map(name, Int(8), Int(8)).fill({n: n for n in range(count)})
    rows = text(program.target, "list").splitlines()
    assert rows[0].split() == [
        *("address", "entries", "buckets", "bytes", "retained", "growing", "type")
    ]
    assert [row.split()[1] for row in rows[1:]] == ["27", "3", "0"]
    assert "double" in rows[1] and all(HEX.match(row) for row in rows[1:])
