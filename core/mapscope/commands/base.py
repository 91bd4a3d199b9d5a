# SPDX-License-Identifier: MIT
"""What a subcommand is, and how its words are read.

A command takes its context and parsed arguments and returns a Result; text and
JSON are two renderings of it. Nothing here prints.
"""

import argparse
import json
import re
from dataclasses import field
from functools import lru_cache
from typing import Callable, Dict, Iterator, List, NoReturn, Optional, Tuple

from ..errors import UsageError, near
from ..in_goroutine import InGoroutine
from ..locate import AtStop, evaluate, evaluate_in, find_map
from ..maps.view import MapView
from ..program.target import Variable
from ..program.values import escape
from ..records import dataclass
from ..session import Session
from ..stops.all_stops import Stops


class Result:
    """What a command found out.

    :ivar interrupted: the user pressed Ctrl-C while it was printed: end soon
    """

    interrupted = False

    def text(self) -> Iterator[str]:
        """Lines for a reader, each with its newline; a piece may hold several."""
        raise NotImplementedError

    def json(self) -> Iterator[str]:
        """The same as JSON: one object, or JSON lines."""
        raise NotImplementedError


@dataclass(frozen=True)
class Context:
    """What a command works with.

    :ivar given_stops: gives the debugger's stops; None: there is no debugger
    :ivar said: lines in front of the result's text, of how MAP was understood
    """

    session: Session
    given_stops: Optional[Callable[[], Stops]]
    said: List[str] = field(default_factory=list)

    def stops(self) -> Stops:
        """The debugger's stops.

        :raises UsageError: if there is no debugger
        """
        if self.given_stops is None:
            raise UsageError("stops are a debugger's: use the same command in gdb or LLDB")
        return self.given_stops()

    def at_stop(self) -> Optional[AtStop]:
        """The map stop that the program is at."""
        if self.given_stops is None:
            return None
        current = self.stops().current
        return None if current is None else AtStop(current.occurrence.thread, current.reopen)

    def map_of(self, args: argparse.Namespace) -> MapView:
        """The map that the arguments of add_map name.

        :raises NotAMap: if it is none
        """
        number, frame = args.goroutine, args.frame
        if number is None:
            if frame is not None:
                raise UsageError(
                    "--frame is one of --goroutine N; of the selected thread, select a frame "
                    "with the debugger's own command"
                )
            return self.find_map(args.map, args.type)
        self.session.require_memory()
        self.session.require_architecture()
        goroutine = InGoroutine(self.session, number, frame)
        at_stop = self.at_stop() if args.map is None else None
        view = find_map(self.session, args.map, args.type, at_stop, goroutine)
        understood = goroutine.understood(args.map)
        if understood:
            self.said.append(understood)
        return view

    def evaluate(self, args: argparse.Namespace) -> Variable:
        """The value of the MAP that the arguments of add_map name."""
        if args.goroutine is None:
            return evaluate(self.session, args.map)
        return evaluate_in(InGoroutine(self.session, args.goroutine, args.frame), args.map)

    def find_map(self, expression: Optional[str], type: Optional[str] = None) -> MapView:
        """The map that the user named.

        :param expression: MAP as typed; None: the map of the current stop
        :param type: the value of --type
        :raises NotAMap: if it is none
        """
        at_stop = self.at_stop() if expression is None else None
        return find_map(self.session, expression, type, at_stop)


@dataclass(frozen=True)
class Command:
    """What stands behind one row of a table.

    :ivar name: as typed behind the prefix
    :ivar description: what --help explains, with an example
    :ivar arguments: adds the command's own arguments to a parser
    :ivar run: does it
    :ivar prefix: as typed before the name
    """

    name: str
    description: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Context, argparse.Namespace], Result]
    prefix: str = "map"

    def parser(self, prefix: Optional[str] = None) -> "Parser":
        """The parser of this command's words: made once, which takes longer than what many print.

        :param prefix: what stands before its name for who types it; None: its own
        """
        return _parser(self, prefix or self.prefix)

    def new_parser(self, prefix: str) -> "Parser":
        """Another one.

        :param prefix: what stands before its name for who types it
        """
        parser = Parser(
            prog=f"{prefix} {self.name}",
            description=self.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,
            allow_abbrev=False,
        )
        self.arguments(parser)
        group = parser.add_argument_group("options of every command that prints")
        group.add_argument("--json", action="store_true", help="print JSON instead of text")
        group.add_argument("-o", metavar="FILE", dest="output", help="write to FILE")
        group.add_argument("-h", "--help", action="store_true", help="show this text")
        return parser

    def options(self) -> List[str]:
        """Option words, for completion."""
        found: List[str] = []
        for action in self.parser()._actions:
            found += [word for word in action.option_strings if word.startswith("--")]
        return found


@lru_cache(maxsize=None)
def _parser(command: Command, prefix: str) -> "Parser":
    return command.new_parser(prefix)


_TWO_DASHES = "\0--"
#: arguments that may hold any characters
_TEXTS = ("key", "match")


class Parser(argparse.ArgumentParser):
    """argparse that reports to us instead of ending the debugger."""

    def __init__(self, *args: object, **keywords: object) -> None:
        super().__init__(*args, **keywords)  # type: ignore[arg-type]
        # keys such as -1, -0x10, -.5 and -Infinity are arguments
        self._negative_number_matcher = re.compile(r"^-(\d|\.\d|[Ii]nf)")

    def error(self, message: str) -> NoReturn:
        """Instead of printing usage and exiting."""
        unknown = re.match(r"unrecognized arguments: (--\S+)", message)
        hint = ""
        if unknown is not None:
            words = [word for action in self._actions for word in action.option_strings]
            hint = near(unknown[1], words)
        raise UsageError(f"{self.prog}: {escape(message)}{hint}; see {self.prog} --help")

    def read(self, words: List[str]) -> argparse.Namespace:
        """The words' meaning; options may stand anywhere.

        :raises UsageError: if they have none
        """
        options, rest = words, []
        if "--" in words:
            at = words.index("--")
            # argparse drops every "--", also one that is meant
            options = words[:at]
            rest = ["--", *(_TWO_DASHES if word == "--" else word for word in words[at + 1 :])]
        if "-h" in options or "--help" in options:
            return argparse.Namespace(help=True)
        self.usage = ""  # argparse makes it for each line of words, and error() has no use for it
        try:
            args = self.parse_intermixed_args(options + rest)
        finally:
            self.usage = None
        for name, value in vars(args).items():
            if value == _TWO_DASHES:
                setattr(args, name, value := "--")
            for word in value if isinstance(value, list) else [value]:
                if isinstance(word, str) and name not in _TEXTS and not _can_name(word, name):
                    raise UsageError(f"{self.prog}: {escape(word)} can be the name of nothing")
        return args


def _can_name(word: str, argument: str) -> bool:
    """Whether a debugger or the kernel can be given a word; JSON's escapes make more."""
    try:
        # in a file's name, bytes that are no UTF-8 stand as surrogates
        return b"\0" not in word.encode(
            "utf-8", "surrogateescape" if argument == "output" else "strict"
        )
    except UnicodeEncodeError:
        return False


def split_words(line: str) -> List[str]:
    """A command line's words.

    A quote groups only at the start of a word, so m["a"] stays as it is and
    'a b' is one word. In double quotes JSON's escapes hold.

    :raises UsageError: if a quote is not closed
    """
    words: List[str] = []
    at = 0
    while True:
        while at < len(line) and line[at].isspace():
            at += 1
        if at == len(line):
            return words
        quote = line[at]
        if quote in "\"'":
            end = at + 1
            while end < len(line) and line[end] != quote:
                end += 2 if line[end] == "\\" and quote == '"' else 1
            if end >= len(line):
                raise UsageError(f"no closing {quote} in: {escape(line[at:])}")
            words.append(_unquoted(line[at : end + 1]))
            at = end + 1
        else:
            end = at
            while end < len(line) and not line[end].isspace():
                end += 1
            words.append(line[at:end])
            at = end


def _unquoted(word: str) -> str:
    if word[0] == '"':
        try:
            return str(json.loads(word))
        except ValueError:
            pass
    return word[1:-1]


def add_conditions(parser: argparse.ArgumentParser, what: str) -> None:
    """Options of every stop.

    :param what: the word of the usage for what it is of
    """
    parser.add_argument(
        "--if",
        metavar="EXPR",
        dest="condition",
        help="only if the debugger's expression (one word) is true in the user's frame",
    )
    parser.add_argument(
        "--thread", metavar="T", type=natural, help="only in the debugger's thread of this number"
    )
    parser.add_argument(
        "--ignore", metavar="N", type=natural, default=0, help="pass over the first N times"
    )
    parser.add_argument("--once", action="store_true", help="delete it when it has stopped")
    parser.add_argument("--log", action="store_true", help="print the line and go on")
    parser.add_argument(
        "--at",
        metavar="LOCATION",
        help=f"look {what} up when the program first reaches this place",
    )


def natural(text: str) -> int:
    """argparse type: a number from 0 on."""
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"a number from 0 on is expected, not {escape(text)}")
    return value


def add_map(parser: argparse.ArgumentParser, without: str = "the map of the current stop") -> None:
    """The MAP argument and --type.

    :param without: what is meant without MAP
    """
    parser.add_argument(
        "map",
        metavar="MAP",
        nargs="?",
        help=f"an expression, an address or a register; without it: {without}",
    )
    parser.add_argument(
        "--type",
        metavar="TYPE",
        help="a Go map's type where MAP is an address, as in 'map[string]int'",
    )
    parser.add_argument(
        "--goroutine",
        metavar="N",
        type=natural,
        help="MAP is of goroutine N, also of one that no thread runs: of its innermost frame that "
        "has a local of that name; without MAP: the map that it is working on",
    )
    parser.add_argument(
        "--frame",
        metavar="K",
        type=natural,
        help="of --goroutine: its frame K, from the innermost, 0, on, each inlined one counted",
    )


def problem_lines(problems: List[str]) -> Iterator[str]:
    """What could not be read, for a reader."""
    for problem in problems:
        yield f"warning: {escape(problem)}\n"


#: of what could not be read, this many are told in text
_UNREAD_SHOWN = 20


def unread_lines(unread: List[Tuple[str, str]]) -> Iterator[str]:
    """What could not be read where all maps were to be found, for a reader."""
    for name, reason in unread[:_UNREAD_SHOWN]:
        yield f"warning: {escape(name)}: {escape(reason)}\n"
    more = len(unread) - _UNREAD_SHOWN
    if more > 0:
        yield f"warning: {more} more could not be read (--json lists them)\n"


def unread_form(unread: List[Tuple[str, str]]) -> List[Dict[str, str]]:
    """The same as JSON."""
    return [{"name": name, "error": reason} for name, reason in unread]
