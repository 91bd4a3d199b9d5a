# SPDX-License-Identifier: MIT
"""The words of the command `mapscope`, and what its exit status says.

What looks into programs is imported when it is needed: words that make no sense are told at once.
"""

import argparse
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Callable, List, NoReturn, Optional, Sequence, Tuple

from mapscope.commands import SUMMARIES, load
from mapscope.errors import MapscopeError, UsageError
from mapscope.program.values import escape
from mapscope.version import VERSION

if TYPE_CHECKING:
    from .target import FileTarget

#: exit statuses: all right; it could not be told; the words make no sense; `check` has found
#: something that cannot be in a healthy map; interrupted
RIGHT, WRONG, USAGE, FOUND, INTERRUPTED = 0, 1, 2, 3, 130

#: commands that wait for the program to go on: a debugger's
_STOPPING = ("break", "stop", "trace", "watch", "follow")
#: a command that reads a program's file alone
_PROBES = "probes"
#: what stands before COMMAND here: a description is loaded for one command
_DESCRIBE = "describe"
_HELP = ("-h", "--help")
LOOKING = tuple(name for name in SUMMARIES if name not in (*_STOPPING, _DESCRIBE, _PROBES))
#: bytes of output that are kept in memory while a process is stopped
_KEPT = 64 << 20

_TORN = (
    "warning: read while the process ran: a map that was written to meanwhile may look damaged, "
    "or be shown half old and half new"
)

HELP = "\n".join(
    [
        "usage: mapscope core [--describe FILE] [--thread N] PROGRAM CORE COMMAND ...",
        "       mapscope pid [--describe FILE] [--no-stop] [--program FILE] [--thread N]",
        "                    PID COMMAND ...",
        "       mapscope log [--json | --timeline] [-o FILE] [FILE]",
        "       mapscope probes [--json] [-o FILE] PROGRAM",
        "       mapscope install | uninstall [--gdb] [--lldb] [--dry-run]",
        "       mapscope [-h | --help | --version]",
        "",
        "Show what hash maps are really doing, in a core file or in a live process, without a",
        "debugger. CORE may be packed by gzip. A live process is stopped while it is read, and",
        "goes on whatever happens.",
        "",
        "  --no-stop        read while the process runs: maps that are written to meanwhile may be",
        "                   torn, and what threads are doing is not known",
        "  --program FILE   the program's file, where it cannot be read as the kernel names it",
        "  --describe FILE  a table of the program's own, by a description (docs/describe.md) or",
        "                   the name of one that comes with mapscope; may be given more than once",
        "  --thread N       the thread whose registers and variables are meant; without it the one",
        "                   that the process died of, or the first",
        "",
        "commands:",
        *(f"  {name:<9} {SUMMARIES[name]}" for name in LOOKING),
        "",
        "mapscope COMMAND --help explains a command's options, mapscope log --help the log reader;",
        "mapscope install has gdb and LLDB load mapscope each time they start.",
        "",
        "exit status: 0: all right; 1: it could not be told; 2: the words make no sense; 3: check",
        "has found what cannot be in a healthy map; 130: interrupted.",
        "",
        "example: mapscope core ./server core.4711 list",
        "example: mapscope pid 4711 entries main.sessions --match bob --json",
        "",
    ]
)


class _Parser(argparse.ArgumentParser):
    """argparse that reports to us."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{escape(message)}; see mapscope --help")


def main(words: List[str]) -> int:
    """Run one command line; its exit status."""
    # a reader that has seen enough ends this quietly, and the kernel lets the process go on
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, _terminated)
    interrupted: List[int] = []

    def interrupt(number: int, frame: object) -> None:
        interrupted.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    _show_any_text()
    try:
        status = _run(words)
        sys.stdout.flush()
    except UsageError as error:
        status = _failed(error, USAGE)
    except MapscopeError as error:
        status = _failed(error, WRONG)
    except KeyboardInterrupt:
        status = INTERRUPTED
    except OSError as error:  # of the output
        status = _failed(MapscopeError(f"cannot write: {error.strerror or error}"), WRONG)
    return INTERRUPTED if interrupted else status


def _terminated(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


def _failed(error: MapscopeError, status: int) -> int:
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    text = str(error)
    # a command's own words begin with its name
    sys.stderr.write(text + "\n" if text.startswith("mapscope ") else f"mapscope: {text}\n")
    return status


def _show_any_text() -> None:
    """Output is UTF-8, as JSON is, whatever the locale."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")


def _run(words: List[str]) -> int:
    first = words[0] if words else ""
    if first in (*_HELP, "help"):
        sys.stdout.write(HELP)
        return RIGHT
    if first == "--version":
        sys.stdout.write(f"mapscope {VERSION}\n")
        return RIGHT
    if first == "log":
        from .log_command import run as run_log

        return run_log(words[1:], sys.stdout.write)
    if first == _PROBES:
        from mapscope import shell
        from mapscope.probes.program_file import ProgramFile

        shell.run(ProgramFile(""), None, first, words[1:], _put, "mapscope")
        return RIGHT
    if first in ("install", "uninstall"):
        from .install_command import run as run_install

        return run_install(first, words[1:], sys.stdout.write)
    if first in ("core", "pid"):
        if any(word in _HELP for word in words[1:2]):
            sys.stdout.write(HELP)
            return RIGHT
        return _run_core(words[1:]) if first == "core" else _run_pid(words[1:])
    if first in LOOKING:
        if any(word in _HELP for word in words[1:]):
            sys.stdout.write(load(first).parser("mapscope core|pid ...").format_help())
            return RIGHT
        raise UsageError(f"{first} of what? mapscope core PROGRAM CORE {first}, or mapscope pid")
    if first == _DESCRIBE:
        raise UsageError("mapscope core --describe FILE PROGRAM CORE COMMAND, or mapscope pid")
    if first in _STOPPING:
        raise UsageError(f"{first} needs a debugger: use map {first} in gdb or LLDB")
    if not first:
        raise UsageError("what is to be shown? mapscope --help")
    raise UsageError(f"no such command: {escape(first)}; see mapscope --help")


def _options(words: List[str], kind: str) -> Tuple[argparse.Namespace, List[str], List[str]]:
    """(options before COMMAND, what is looked at, COMMAND and its words)."""
    parser = _Parser(prog=f"mapscope {kind}", add_help=False, allow_abbrev=False)
    parser.add_argument("--thread", type=int)
    parser.add_argument("--describe", action="append", default=[], metavar="FILE")
    if kind == "pid":
        parser.add_argument("--no-stop", action="store_true")
        parser.add_argument("--program", metavar="FILE")
    number = 2 if kind == "core" else 1
    takes = ("--thread", "--program", "--describe")
    at, all_named = 0, False
    named: List[str] = []
    options: List[str] = []
    while at < len(words) and len(named) < number:
        word = words[at]
        at += 1
        if word == "--" and not all_named:
            all_named = True
        elif word.startswith("-") and not all_named:
            options.append(word)
            if word in takes and at < len(words):
                options.append(words[at])
                at += 1
        else:
            named.append(word)
    args = parser.parse_args(options)
    rest = words[at:]
    if len(named) < number:
        raise UsageError(
            "PROGRAM and CORE are needed: mapscope core PROGRAM CORE COMMAND"
            if kind == "core"
            else "a process is needed: mapscope pid PID COMMAND"
        )
    if not rest:
        raise UsageError(f"a command is needed, one of {', '.join(LOOKING)}")
    if rest[0] in _HELP:
        return args, named, rest
    if rest[0] == _DESCRIBE:
        raise UsageError(f"mapscope {kind} --describe FILE, before what is looked at")
    if rest[0] == _PROBES:
        raise UsageError("mapscope probes PROGRAM: it reads the program's file alone")
    if rest[0] in _STOPPING:
        raise UsageError(f"{rest[0]} needs a debugger: use map {rest[0]} in gdb or LLDB")
    if rest[0] not in LOOKING:
        raise UsageError(f"no such command: {escape(rest[0])}; it is one of {', '.join(LOOKING)}")
    return args, named, rest


def _put(text: str) -> None:
    sys.stdout.write(text)


def _say(line: str) -> None:
    sys.stderr.write(f"mapscope: warning: {line}\n")


def _run_core(words: List[str]) -> int:
    args, (program, core), command = _options(words, "core")
    if _is_help(command):
        return _look(None, command, sys.stdout.write)
    from .opening import opened_core

    with opened_core(program, core, args.thread, _say) as target:
        return _look(target, command, sys.stdout.write, args.describe)


def _run_pid(words: List[str]) -> int:
    args, (text,), command = _options(words, "pid")
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) < 1 << 31:
        raise UsageError(f"a process's number is expected, not {escape(text)}")
    if _is_help(command):
        return _look(None, command, sys.stdout.write)
    if args.no_stop and command[0] == "writers":
        raise UsageError(
            "writers: what threads are doing can be told only of a process that is stopped: leave "
            "out --no-stop"
        )
    pid = int(text)
    if pid == os.getpid():
        raise UsageError("mapscope cannot look at itself")
    import shutil
    import tempfile

    from .opening import opened_process

    # A reader that is slow, such as a pager, must not keep the process stopped.
    with tempfile.SpooledTemporaryFile(
        max_size=_KEPT, mode="w+", encoding="utf-8", errors="backslashreplace", newline=""
    ) as kept:
        try:
            with opened_process(pid, args.program, not args.no_stop, args.thread, _say) as target:
                if args.no_stop:
                    _warn_torn(command, kept.write)
                status = _look(target, command, kept.write, args.describe)
        finally:
            kept.seek(0)
            shutil.copyfileobj(kept, sys.stdout)
    return status


def _warn_torn(command: List[str], write: Callable[[str], object]) -> None:
    if "--json" in command or "-o" in command:
        sys.stderr.write(f"mapscope: {_TORN}\n")
    else:
        write(_TORN + "\n")


def _is_help(command: List[str]) -> bool:
    options = command[: command.index("--")] if "--" in command else command
    return "-h" in options or "--help" in options


def _look(
    target: Optional["FileTarget"],
    command: List[str],
    write: Callable[[str], object],
    descriptions: Sequence[str] = (),
) -> int:
    """Run a command; without a target: its help."""
    name, *words = command
    if name in _HELP:
        write(HELP)
        return RIGHT
    if target is None:
        write(load(name).parser("mapscope core|pid ...").format_help())
        return RIGHT
    from mapscope import shell
    from mapscope.flavours.described.described_tables import load as describe
    from mapscope.commands.check import CheckResult

    def put(text: str) -> None:
        write(text)

    try:
        for description in descriptions:
            describe(target, description)
        result = shell.run(target, None, name, words, put, "mapscope")
    finally:
        target.finish()
    if not isinstance(result, CheckResult):
        return RIGHT
    return {True: RIGHT, False: FOUND, None: WRONG}[result.report.ok]
