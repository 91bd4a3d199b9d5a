# SPDX-License-Identifier: MIT
"""`mapscope log`: growths and migrations out of a program's log, as a table, JSON or a timeline."""

import argparse
import sys
from typing import Callable, Dict, Iterator, List, NoReturn, Optional

from mapscope.errors import MapscopeError, UsageError
from mapscope.program.values import dumps, escape, named
from .log_reader import UNFINISHED, Growth, Life, Log, LogReader

_DESCRIPTION = """\
Show the growths and migrations in a log: lines that `map trace`, `map history` or
MAPDEBUG=maptrace=1 have written, among whatever else the program prints. Growths that had
not ended when the log did are marked, and so are those whose new array is neither twice
nor half the old one, which a hint or rebuild() asks for (jump).

example: MAPDEBUG=maptrace=1 ./server 2>&1 | mapscope log
example: mapscope log --timeline trace.txt"""

#: columns of a timeline
_WIDTH = 60


class _Parser(argparse.ArgumentParser):
    """argparse that reports to us."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"log: {escape(message)}; see mapscope log --help")


def parser() -> argparse.ArgumentParser:
    """What `mapscope log` takes."""
    made = _Parser(
        prog="mapscope log",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    made.add_argument("file", metavar="FILE", nargs="?", help="the log; without it, or -: input")
    made.add_argument("--json", action="store_true", help="print JSON instead of text")
    made.add_argument("--timeline", action="store_true", help="draw each map's life as a row")
    made.add_argument("-o", metavar="FILE", dest="output", help="write to FILE")
    made.add_argument("-h", "--help", action="store_true", help="show this text")
    return made


def run(words: List[str], write: Callable[[str], object]) -> int:
    """Run `mapscope log`; its exit status.

    :raises MapscopeError: if the log cannot be read
    """
    made = parser()
    if "-h" in words or "--help" in words:
        write(made.format_help())
        return 0
    args = made.parse_args(words)
    if args.json and args.timeline:
        raise UsageError("log: --json or --timeline, not both")
    log = _read(args.file)
    if args.json:
        pieces = iter([dumps(_form(log)) + "\n"])
    else:
        pieces = _timeline(log) if args.timeline else _table(log)
    if args.output is None:
        for piece in pieces:
            write(piece)
        return 0
    try:
        with open(args.output, "w", encoding="utf-8") as file:
            file.writelines(pieces)
    except OSError as error:
        raise MapscopeError(f"cannot write {named(args.output)}: {error.strerror}") from None
    return 0


def _read(path: Optional[str]) -> Log:
    try:
        if path in (None, "-"):
            return LogReader().read(sys.stdin.buffer)
        with open(str(path), "rb") as file:
            return LogReader().read(file)
    except OSError as error:
        raise MapscopeError(f"cannot read {named(path or '-')}: {error.strerror}") from None


# --- text ---


def _table(log: Log) -> Iterator[str]:
    yield _summary(log)
    for number, life in enumerate(log.lives):
        yield "\n" if number else ""
        yield _title(life)
        rows = [(growth.line, _row(growth)) for growth in life.growths]
        rows += [(line, escape(what)) for line, what in life.other]
        if life.destroyed is not None:
            rows.append((life.destroyed, "destroyed"))
        for line, text in sorted(rows, key=lambda row: row[0]):
            yield f"  line {line:<7} {text}\n"


def _summary(log: Log) -> str:
    growths = [growth for life in log.lives for growth in life.growths]
    text = f"{_many(log.events, 'event')} of {_many(len(log.lives), 'map')} in "
    text += f"{_many(log.lines, 'line')}: {_many(len(growths), 'growth')}"
    open_ones = sum(growth.end == UNFINISHED for growth in growths)
    jumps = sum(growth.kind == "jump" for growth in growths)
    lost = sum(not growth.kind for growth in growths)
    text += f", {open_ones} unfinished" if open_ones else ""
    text += f", {jumps} not to twice or half the size" if jumps else ""
    text += f", {lost} whose beginning is not in the log" if lost else ""
    text += f"; {_many(log.unknown, 'event')} of a form that is not known" if log.unknown else ""
    if not log.events:
        return text + ": no line of a trace (map trace on -o FILE, or MAPDEBUG=maptrace=1)\n"
    return text + "\n"


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _title(life: Life) -> str:
    if life.created is None:
        return f"map {life.address:#x}, created before the log begins\n"
    line, hint, size, unit = life.created
    unit = unit if size != 1 else unit[:-1]
    return f"map {life.address:#x}, created in line {line} with hint {hint}: {size} {unit}\n"


def _row(growth: Growth) -> str:
    sizes = f"{_known(growth.old)} -> {_known(growth.new)}"
    kind = growth.kind or "beginning not in the log"
    if growth.kind == "jump" and growth.old and growth.new:
        kind = f"jump, {growth.new / growth.old:g} times"
    entries = "" if growth.entries is None else f"{_many(growth.entries, 'entrie')}, "
    entries = entries.replace("entrie,", "entry,")
    return f"{sizes:<18} {kind:<18} {entries}{_progress(growth)}"


def _progress(growth: Growth) -> str:
    end = (
        growth.end
        if growth.end_line in (None, growth.line)
        else (f"{growth.end} in line {growth.end_line}")
    )
    if not growth.moved:
        return end
    of = "" if growth.old is None else f" of {growth.old}"
    return f"{len(growth.moved)}{of} buckets and {_many(growth.keys, 'key')} moved, {end}"


def _known(number: Optional[int]) -> str:
    return "?" if number is None else str(number)


def _timeline(log: Log) -> Iterator[str]:
    yield _summary(log)
    if not log.lives:
        return
    yield f"{'':20}line 1{f'line {log.lines}':>{_WIDTH - 6}}\n"
    for life in log.lives:
        yield f"{life.address:#018x}  {_drawn(life, log.lines)}\n"
    yield (
        "\n. alive   + created   G grows   = migrates   | growth ended   > unfinished   "
        "? end not in the log   # jump   x destroyed\n"
    )


def _drawn(life: Life, lines: int) -> str:
    """A map's life as a row of characters, the more important ones on top."""
    row = [" "] * _WIDTH

    def column(line: int) -> int:
        return min(_WIDTH - 1, (line - 1) * _WIDTH // max(lines, 1))

    def draw(first: int, last: int, mark: str) -> None:
        for at in range(column(first), column(last) + 1):
            row[at] = mark

    end = lines if life.destroyed is None else life.destroyed
    draw(1 if life.created is None else life.created[0], end, ".")
    for growth in life.growths:
        last = growth.end_line or (lines if growth.end == UNFINISHED else growth.line)
        draw(growth.line, last, "=")
        if growth.end_line is not None:
            draw(growth.end_line, growth.end_line, "|")
    for growth in life.growths:
        if growth.end_line is None:
            mark, at = (">", lines) if growth.end == UNFINISHED else ("?", growth.line)
            draw(at, at, mark)
        if growth.kind:
            draw(growth.line, growth.line, "#" if growth.kind == "jump" else "G")
    if life.created is not None and row[column(life.created[0])] == ".":
        draw(life.created[0], life.created[0], "+")
    if life.destroyed is not None:
        draw(life.destroyed, life.destroyed, "x")
    return "".join(row).rstrip()


# --- JSON ---


def _form(log: Log) -> Dict[str, object]:
    return {
        "schema": "mapscope.log/1",
        "lines": log.lines,
        "events": log.events,
        "unknown_events": log.unknown,
        "maps": [_life_form(life) for life in log.lives],
    }


def _life_form(life: Life) -> Dict[str, object]:
    created = life.created
    return {
        "address": f"{life.address:#x}",
        "created": (
            None
            if created is None
            else {"line": created[0], "hint": created[1], created[3]: created[2]}
        ),
        "growths": [_growth_form(growth) for growth in life.growths],
        "other": [{"line": line, "event": what} for line, what in life.other],
        "destroyed_line": life.destroyed,
    }


def _growth_form(growth: Growth) -> Dict[str, object]:
    return {
        "kind": growth.kind or None,
        "line": growth.line,
        "old": growth.old,
        "new": growth.new,
        "entries": growth.entries,
        "moved_buckets": len(growth.moved),
        "moved_keys": growth.keys,
        "end": growth.end,
        "end_line": growth.end_line,
    }
