# SPDX-License-Identifier: MIT
"""Runs one command line of a prefix command: words in, text or JSON out.

What the adapters call; they print what `write` is given and show the one line
of a MapscopeError on the debugger's error channel.
"""

import gc
from contextlib import contextmanager
from itertools import chain
from typing import Callable, Iterator, List, Optional, Sequence, Union

from .commands import load
from .commands.base import Context, Result, split_words
from .errors import MapscopeError, UsageError
from .program.target import Target
from .program.values import escape, named
from .session import Session, describe
from .stops.all_stops import Stops

#: interrupts after which a command ends without another word
_INTERRUPTS = 3

#: objects that a command makes between two looks for circles among them. Most live until its end,
#: and Python's own 700 make looking for circles more than half of the time of a long list
_COLLECT = 50_000

Write = Callable[[str], None]


def run(
    target: Target,
    stops: Optional[Callable[[], Stops]],
    name: str,
    line: Union[str, Sequence[str]],
    write: Write,
    prefix: Optional[str] = None,
) -> Optional[Result]:
    """Run `map NAME LINE`, or that of another prefix command; what it has found, None: it was
    asked for help.

    :param name: as commands.load takes it
    :param stops: gives the stops of the debugger, for commands that need them; None: there is no
        debugger
    :param line: as typed, or its words
    :param prefix: what stands before NAME for who types it; None: the command's own

    :raises MapscopeError: with one line for the user, whatever went wrong
    """
    try:
        with _collecting_rarely():
            return _run(target, stops, name, line, write, prefix)
    except MapscopeError:
        raise
    except KeyboardInterrupt:
        raise MapscopeError("interrupted") from None
    except RecursionError:
        raise MapscopeError("the map's type is nested too deep") from None
    except MemoryError:
        raise MapscopeError("not enough memory in the debugger for this map") from None
    except Exception as error:  # never a traceback in a user's debugger
        raise MapscopeError(describe(error)) from error


@contextmanager
def _collecting_rarely() -> Iterator[None]:
    """Let Python look for circles of objects less often; the debugger's own way comes back."""
    before = gc.get_threshold()
    if before[0]:  # 0: somebody wants it never
        gc.set_threshold(max(before[0], _COLLECT), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _run(
    target: Target,
    stops: Optional[Callable[[], Stops]],
    name: str,
    line: Union[str, Sequence[str]],
    write: Write,
    prefix: Optional[str],
) -> Optional[Result]:
    command = load(name)
    parser = command.parser(prefix)
    args = parser.read(split_words(line) if isinstance(line, str) else list(line))
    if args.help:
        write(parser.format_help())
        return None
    misfit = target.misfit()
    if misfit:
        target.warn(f"mapscope: warning: {escape(misfit)}")
    context = Context(Session(target), stops)
    result = command.run(context, args)
    pieces = result.json() if args.json else result.text()
    if context.said and not args.json:
        pieces = chain((line + "\n" for line in context.said), pieces)
    if args.output is None:
        _print(result, pieces, write)
        return result
    try:
        with open(args.output, "w", encoding="utf-8") as file:
            _print(result, pieces, file.write)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"cannot write {named(args.output)}: {reason}") from None
    return result


def _print(result: Result, pieces: Iterator[str], write: Callable[[str], object]) -> None:
    """Print all pieces; Ctrl-C lets a result that can end early say so."""
    interrupts = 0
    piece = ""
    while True:
        try:
            piece = piece or next(pieces, "")
            if not piece:
                return
            write(piece)
            piece = ""
        except KeyboardInterrupt:
            interrupts += 1  # a debugger may report one key more than once
            if interrupts > _INTERRUPTS:
                raise
            if not result.interrupted:
                piece = ""  # it may be half written
            result.interrupted = True


def complete(name: str, word: str) -> List[str]:
    """Options of a subcommand that start with `word`.

    :param name: as commands.load takes it
    """
    return [option for option in load(name).options() if option.startswith(word)]
