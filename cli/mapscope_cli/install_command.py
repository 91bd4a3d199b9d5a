# SPDX-License-Identifier: MIT
"""`mapscope install` and `mapscope uninstall`: the line by which gdb and LLDB load mapscope each
time they start.

The files are the user's. They are bytes of any encoding; nothing in them is changed but the two
lines that are marked as mapscope's, and a file is replaced as a whole or not at all.
"""

import argparse
import contextlib
import glob
import os
import re
import stat
import tempfile
from typing import Callable, Dict, Iterator, List, NoReturn, Optional, Tuple

from mapscope.errors import MapscopeError, UsageError
from mapscope.program.values import escape, named
from mapscope.records import dataclass

_DESCRIPTION = {
    "install": """\
Have gdb and LLDB load mapscope each time they start: by a line in ~/.gdbinit (or
~/.config/gdb/gdbinit, where there is one, which gdb reads instead) and in ~/.lldbinit. A
line that is there already is left as it is; one that loads another copy of mapscope, and
that install has put there, is replaced.

example: mapscope install
example: mapscope install --lldb --dry-run""",
    "uninstall": """\
Take out the lines that `mapscope install` has put into the files that gdb and LLDB read
when they start.

example: mapscope uninstall""",
}

#: a line of its own before the one that loads mapscope: by it the next line is known as ours
_MARK = b"# Put here by mapscope install; mapscope uninstall takes it and the next line out."
#: what neither debugger takes in a path as it stands
_ODD = re.compile(r'["`\\\x00-\x1f\x7f]')


@dataclass(frozen=True)
class _Debugger:
    """How one debugger loads mapscope.

    :ivar script: from the folder of gdb/, lldb/ and cli/
    :ivar line: with a place for the script's path
    :ivar loads: what a line looks like that does it; its group is the path
    """

    name: str
    script: str
    line: str
    loads: "re.Pattern[bytes]"


_DEBUGGERS: Dict[str, _Debugger] = {
    "gdb": _Debugger(
        "gdb",
        "gdb/mapscope_gdb.py",
        "source {}",
        re.compile(rb"^\s*so(?:urce)?\s+(.*mapscope_gdb\.py)\s*$"),
    ),
    "lldb": _Debugger(
        "LLDB",
        "lldb/mapscope_lldb.py",
        'command script import "{}"',
        re.compile(
            rb"""^\s*command\s+script\s+import\s+(?:-\S+\s+)*["']?(.*mapscope_lldb\.py)["']?\s*$"""
        ),
    ),
}


class _Parser(argparse.ArgumentParser):
    """argparse that reports to us."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog[9:]}: {escape(message)}; see {self.prog} --help")


def parser(name: str) -> argparse.ArgumentParser:
    """What `mapscope install` or `mapscope uninstall` takes."""
    made = _Parser(
        prog=f"mapscope {name}",
        description=_DESCRIPTION[name],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    made.add_argument("--gdb", action="store_true", help="gdb's file alone")
    made.add_argument("--lldb", action="store_true", help="LLDB's file alone")
    made.add_argument(
        "--dry-run", action="store_true", help="say what would be done, and do nothing"
    )
    made.add_argument("-h", "--help", action="store_true", help="show this text")
    return made


def run(name: str, words: List[str], write: Callable[[str], object]) -> int:
    """Run `mapscope install` or `mapscope uninstall`; its exit status.

    :raises MapscopeError: if a file cannot be read or written
    """
    made = parser(name)
    if "-h" in words or "--help" in words:
        write(made.format_help())
        return 0
    args = made.parse_args(words)
    chosen = [kind for kind in _DEBUGGERS if getattr(args, kind)] or list(_DEBUGGERS)
    for kind in chosen:
        path = _start_file(kind)
        act = _install if name == "install" else _uninstall
        for line in act(_DEBUGGERS[kind], path, args.dry_run):
            write(line + "\n")
    return 0


def _home() -> str:
    home = os.path.expanduser("~")
    if not os.path.isabs(home) or not os.path.isdir(home):
        raise MapscopeError(f"no home directory to install to: {named(home)} is none; set HOME")
    return home


def _start_file(kind: str) -> str:
    """The file that the user's debugger reads when it starts."""
    home = _home()
    if kind == "lldb":
        return os.path.join(home, ".lldbinit")
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    path = os.path.join(folder, "gdb", "gdbinit")
    return path if os.path.exists(path) else os.path.join(home, ".gdbinit")


def _script(debugger: _Debugger) -> str:
    """What this copy of mapscope has for the debugger."""
    here = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    path = os.path.join(os.path.dirname(here), *debugger.script.split("/"))
    if not os.path.isfile(path):
        raise MapscopeError(f"this copy of mapscope is not complete: it has no {named(path)}")
    if _ODD.search(path):
        raise MapscopeError(
            f"{debugger.name} cannot be told to load {named(path)}: put mapscope where a path has "
            'no ", ` or \\, and no control characters'
        )
    return path


def _install(debugger: _Debugger, path: str, dry: bool) -> List[str]:
    """What was done, or would be."""
    script = _script(debugger)
    line = os.fsencode(debugger.line.format(script))
    lines = _read(path)
    at = _ours(debugger, lines)
    shown = named(path)
    if at is not None:
        if lines[at].rstrip(b"\r\n") == line:
            return [f"{shown}: loads {named(script)} already; nothing was done"]
        old = debugger.loads.match(lines[at].rstrip(b"\r\n"))
        lines[at] = line + b"\n"
        _write(path, lines, dry)
        other = named(os.fsdecode(old.group(1))) if old else "another line"
        return [f"{shown}: {_did(dry, 'replaced')} {other} by: {_text(line)}"]
    others = [
        (number, found)
        for number, found in enumerate((debugger.loads.match(row.rstrip()) for row in lines), 1)
        if found
    ]
    for number, found in others:
        theirs = os.fsdecode(found.group(1))
        if os.path.realpath(os.path.expanduser(theirs)) == os.path.realpath(script):
            return [f"{shown}: line {number} loads {named(script)} already; nothing was done"]
    if others:
        number, found = others[0]
        raise MapscopeError(
            f"{shown}: line {number} loads another copy of mapscope, "
            f"{named(os.fsdecode(found.group(1)))}: take that line out first"
        )
    if lines and not lines[-1].endswith(b"\n"):
        lines[-1] += b"\n"
    _write(path, [*lines, _MARK + b"\n", line + b"\n"], dry)
    said = [f"{shown}: {_did(dry, 'added')}: {_text(line)}"]
    if debugger.name == "LLDB":
        said += _instead(path)
    return said


def _instead(path: str) -> List[str]:
    """What is to be said of files that LLDB's programs read in place of the general one."""
    return [
        f"{named(other)}: {escape(other[len(path) + 1 :])} reads this file instead of .lldbinit; "
        "the same line may stand in it"
        for other in sorted(glob.glob(glob.escape(path) + "-lldb*"))
        if not other.endswith("~")
    ]


def _uninstall(debugger: _Debugger, path: str, dry: bool) -> List[str]:
    """What was done, or would be."""
    lines = _read(path)
    shown = named(path)
    at = _ours(debugger, lines)
    if at is None:
        for number, row in enumerate(lines, 1):
            if debugger.loads.match(row.rstrip()):
                return [
                    f"{shown}: line {number} loads mapscope, but mapscope install has not put it "
                    "there; nothing was done"
                ]
        return [f"{shown}: does not load mapscope; nothing was done"]
    taken = lines[at].rstrip(b"\r\n")
    del lines[at - 1 : at + 1]
    if not lines and not os.path.islink(path):
        if not dry:
            with _told(path, "remove"):
                os.unlink(path)
        return [f"{shown}: {_did(dry, 'removed')}: nothing else was in it"]
    _write(path, lines, dry)
    return [f"{shown}: {_did(dry, 'took out')}: {_text(taken)}"]


def _did(dry: bool, what: str) -> str:
    would = {"added": "add", "replaced": "replace", "removed": "remove", "took out": "take out"}
    return f"would {would[what]}" if dry else what


def _text(line: bytes) -> str:
    return escape(os.fsdecode(line))


def _ours(debugger: _Debugger, lines: List[bytes]) -> Optional[int]:
    """Where the line stands that install has put there."""
    for at, line in enumerate(lines[:-1]):
        if line.rstrip(b"\r\n") == _MARK and debugger.loads.match(lines[at + 1].rstrip(b"\r\n")):
            return at + 1
    return None


@contextlib.contextmanager
def _told(path: str, what: str) -> Iterator[None]:
    """An error of the system, in a line."""
    try:
        yield
    except OSError as error:
        raise MapscopeError(f"cannot {what} {named(path)}: {error.strerror or error}") from None


def _read(path: str) -> List[bytes]:
    """The file's lines, with their ends; none if there is no file."""
    with _told(path, "read"):
        try:
            # before it is opened: to open a pipe would wait for its writer
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise MapscopeError(f"cannot read {named(path)}: it is no ordinary file")
            with open(path, "rb") as file:
                return file.read().splitlines(keepends=True)
        except FileNotFoundError:
            return []


def _write(path: str, lines: List[bytes], dry: bool) -> None:
    """Puts a new file in the place of the old one, or of what a link leads to."""
    if dry:
        return
    place = os.path.realpath(path)
    with _told(path, "write"):
        mode, owner = _mode_of(place)
        number, new = tempfile.mkstemp(prefix=".mapscope-", dir=os.path.dirname(place))
        try:
            with open(number, "wb") as file:
                file.writelines(lines)
                os.fchmod(file.fileno(), mode)
                if owner is not None:
                    # root may change the file of somebody else, who keeps it
                    with contextlib.suppress(PermissionError):
                        os.fchown(file.fileno(), *owner)
            os.replace(new, place)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(new)
            raise


def _mode_of(place: str) -> Tuple[int, Optional[Tuple[int, int]]]:
    """(mode, owner) that a file has, or is to have."""
    try:
        found = os.stat(place)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask, None
    return stat.S_IMODE(found.st_mode), (found.st_uid, found.st_gid)
