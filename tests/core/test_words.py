# SPDX-License-Identifier: MIT
"""A command line taken apart: quotes, options anywhere, negative numbers, --."""

import argparse
import shlex
from typing import List

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapscope.commands import OVERVIEW, SUMMARIES, load
from mapscope.commands.base import Parser, natural, split_words
from mapscope.errors import UsageError
from mapscope.stops.request import from_words


@pytest.mark.parametrize(
    "line, words",
    [
        ("", []),
        ("   ", []),
        ("m", ["m"]),
        ("  m \t 3\n", ["m", "3"]),
        ('m["a"]', ['m["a"]']),
        ("s->table['x']", ["s->table['x']"]),
        ("'a b' c", ["a b", "c"]),
        ('"a b" c', ["a b", "c"]),
        ('"a\\"b\\n"', ['a"b\n']),
        ('"\\u00e9"', ["\u00e9"]),
        ("'a\\'", ["a\\"]),
        ("''", [""]),
        ('"it\'s"', ["it's"]),
        ('\'{"X":1, "Y":2}\'', ['{"X":1, "Y":2}']),
        ('{"X":1,"Y":2}', ['{"X":1,"Y":2}']),
        ("'a'b", ["a", "b"]),
        ('"not \\x json"', ["not \\x json"]),
    ],
)
def test_split_words(line: str, words: List[str]) -> None:
    assert split_words(line) == words


@pytest.mark.parametrize("line", ["'", '"', "m 'a b", 'm "a b\\"', '"\\'])
def test_a_quote_that_is_not_closed(line: str) -> None:
    with pytest.raises(UsageError, match="no closing"):
        split_words(line)


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"]), max_size=8), max_size=5))
def test_words_in_single_quotes_come_back(words: List[str]) -> None:
    words = [word.replace("'", "") for word in words]
    assert split_words(" ".join(f"'{word}'" for word in words)) == words


@given(st.lists(st.from_regex(r"[^\s'\"]\S{0,6}", fullmatch=True), max_size=5))
def test_bare_words_are_split_at_white_space_alone(words: List[str]) -> None:
    assert split_words("  ".join(words)) == words


@given(st.text(max_size=30))
def test_any_line_gives_words_or_one_line(line: str) -> None:
    try:
        words = split_words(line)
    except UsageError as error:
        assert "\n" not in str(error) and str(error).isprintable()
        return
    assert all(isinstance(word, str) for word in words)


def read(name: str, line: str) -> argparse.Namespace:
    """The arguments of a command line."""
    parser = load(name).parser()
    assert isinstance(parser, Parser)
    return parser.read(split_words(line))


@pytest.mark.parametrize(
    "line",
    [
        "m --limit 3 --where --json",
        "--limit 3 --where --json m",
        "--where m --json --limit 3",
        "--limit=3 --where m --json",
        "--limit 3 --where --json -- m",
        "--limit 0x3 --where --json m",
    ],
)
def test_options_stand_anywhere(line: str) -> None:
    args = read("entries", line)
    assert (args.map, args.limit, args.where, args.json) == ("m", 3, True, True)
    assert (args.offset, args.match, args.output, args.type) == (0, None, None, None)


@pytest.mark.parametrize("key", ["-1", "-0x10", "-.5", "-1.5e3", "-Infinity", "-inf"])
def test_negative_numbers_are_no_options(key: str) -> None:
    for line in (f"m {key}", f"m {key} --json", f"--json m -- {key}", f"m --json -- {key}"):
        args = read("find", line)
        assert (args.map, args.key, args.json) == ("m", key, True if "--json" in line else False)


@pytest.mark.parametrize("word", ["--json", "-o", "--where", "-h", "--help", "--"])
def test_behind_two_dashes_everything_is_an_argument(word: str) -> None:
    args = read("find", f"m -- {word}")
    assert (args.map, args.key, args.json, args.help) == ("m", word, False, False)


@pytest.mark.parametrize(
    "name, line, about",
    [
        ("entries", "m --limit -1", "a number from 0 on is expected"),
        ("entries", "m --limit x", "a number from 0 on is expected"),
        ("entries", "m --limit", "expected one argument"),
        ("entries", "m --lim 3", "--lim"),
        ("entries", "m n", "n"),
        ("inspect", "m --nonsense", "--nonsense"),
        ("bucket", "m -1", "a number from 0 on is expected"),
        ("find", "", "KEY"),
        ("list", "m", "m"),
    ],
)
def test_wrong_words(name: str, line: str, about: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(name, line)
    message = str(caught.value)
    assert message.startswith(f"map {name}: ") and message.endswith(f"see map {name} --help")
    assert about in message and "\n" not in message


@pytest.mark.parametrize("word", ["a\\u0000b", "\\ud800", "\\udc80"])
def test_what_can_be_no_name(word: str) -> None:
    for name, line in (("inspect", "{}"), ("break", "grow m --at {}"), ("break", "grow {}")):
        with pytest.raises(UsageError, match="can be the name of nothing"):
            read(name, line.format(f'"{word}"'))
    args = read("find", f'm "{word}"')
    assert args.map == "m" and len(args.key) <= 3


def test_a_files_name_may_be_no_utf_8() -> None:
    assert read("list", '-o "a\\udc80"').output == "a\udc80"


@pytest.mark.parametrize("name", SUMMARIES)
def test_every_command_explains_itself(name: str) -> None:
    command = load(name)
    assert command.name == name and name in OVERVIEW
    assert read(name, "--help").help and read(name, "-h nonsense --what").help
    text = command.parser().format_help()
    assert "example: map " + name in text
    for option in command.options():
        assert option in text
    assert {"--json", "--help"} <= set(command.options())


@pytest.mark.parametrize("text, value", [("0", 0), ("12", 12), ("0x1F", 31), ("0b11", 3)])
def test_natural(text: str, value: int) -> None:
    assert natural(text) == value


@pytest.mark.parametrize("text", ["-1", "", "1.5", "zwei", "1e3", "\x1b[31m"])
def test_natural_refuses(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        natural(text)
    assert str(caught.value).isprintable()


@given(st.lists(st.from_regex(r"[A-Za-z0-9_]+", fullmatch=True), min_size=1, max_size=4))
def test_plain_words_as_in_a_shell(words: List[str]) -> None:
    line = shlex.join(words)
    assert split_words(line) == shlex.split(line)


@pytest.mark.parametrize(
    "name, line, wanted",
    [
        ("entries", "m --limt 3", r"--limt 3; did you mean --limit"),
        ("entries", "m --zzz 3", r"--zzz 3; see map entries"),
        ("break", "evacute m", r"no event evacute; did you mean evacuate\?; there are grow"),
        ("break", "xyz m", r"no event xyz; there are grow"),
    ],
)
def test_words_that_are_nearly_right(name: str, line: str, wanted: str) -> None:
    with pytest.raises(UsageError, match=wanted):
        args = load(name).parser().read(split_words(line))
        from_words(args)
