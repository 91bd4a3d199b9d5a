# SPDX-License-Identifier: MIT
"""The manual pages mapscope(1) and mapscope-commands(7), made of the very texts that --help prints.

    manual.py FOLDER

writes them there; so they are made wherever mapscope is installed, and cannot differ from the
commands.
"""

import os
import re
import sys
from typing import Iterator, List, Tuple

if __name__ == "__main__":  # run by the installation, from the source tree
    _HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    sys.path[:1] = [_HERE, os.path.join(os.path.dirname(_HERE), "core")]

from mapscope.commands import PREFIXES, load
from mapscope.version import VERSION
from mapscope_cli import install_command, log_command, main

#: "  --limit N   so many rows": a term, and what is said of it in the same line
_ROW = re.compile(r"  (\S.*?)(?:  +(\S.*))?$")
#: what else is said of it
_MORE = re.compile(r"\s{8,}(\S.*)$")
_EXAMPLE = re.compile(r"example: (.*)$")
_TITLE = re.compile(r"(\S[^:]*):$")

_COMMANDS_ABOUT = """\
What mapscope's commands in gdb and LLDB take; mapscope(1) has those that look at a core file or a
live process without a debugger. Both debuggers have the same ones, once mapscope is loaded:"""

_LOADED = """\
or each time a debugger starts, by mapscope install. help map lists the commands, and each says
with --help what stands here."""


def quoted(text: str) -> str:
    """Text as roff prints it."""
    for char, written in (("\\", "\\e"), ("-", "\\-"), ("'", "\\(aq"), ("`", "\\(ga")):
        text = text.replace(char, written)
    text = text.replace("^", "\\(ha").replace("~", "\\(ti")
    return "\\&" + text if text.startswith(".") else text


def _literal(lines: List[str], bold: bool = False) -> Iterator[str]:
    """Lines that stay as they are."""
    yield ".PP"
    yield ".nf"
    for line in lines:
        text = quoted(line)
        yield f"\\fB{text}\\fR" if bold and text else text
    yield ".fi"


def _blocks(text: str) -> Iterator[List[str]]:
    """Lines between empty ones."""
    block: List[str] = []
    for line in text.splitlines():
        if line.strip():
            block.append(line.rstrip())
        elif block:
            yield block
            block = []
    if block:
        yield block


def _rows(lines: List[str]) -> Iterator[str]:
    """A list of terms, each with what is said of it."""
    for line in lines:
        row = _ROW.match(line)
        more = _MORE.match(line)
        if more or not row:
            yield quoted(more.group(1) if more else line.strip())
            continue
        yield ".TP"
        yield f"\\fB{quoted(row.group(1))}\\fR"
        if row.group(2):
            yield quoted(row.group(2))


def _is_rows(lines: List[str]) -> bool:
    return bool(_ROW.match(lines[0])) and all(_ROW.match(one) or _MORE.match(one) for one in lines)


def formatted(text: str, title: str = ".SS") -> Iterator[str]:
    """A text of --help in roff.

    :param title: the request for what stands before a list of options
    """
    for block in _blocks(text):
        if block[0].startswith("usage: "):
            usage = [line[len("usage: ") :] for line in block]
            yield from _literal(usage, bold=True)
            continue
        heading = _TITLE.match(block[0])
        if heading and len(block) > 1 and _is_rows(block[1:]):
            if title == ".SH":
                yield f".SH {quoted(heading.group(1).upper())}"
            else:
                yield ".PP"
                yield f"\\fI{quoted(heading.group(1))}\\fR"
            yield from _rows(block[1:])
        elif _is_rows(block):
            yield from _rows(block)
        elif any(line.startswith("  ") for line in block):
            yield from _literal(block)
        else:
            yield from _paragraph(block)


def _paragraph(block: List[str]) -> Iterator[str]:
    """Prose, with the examples that end it."""
    examples = [line for line in block if _EXAMPLE.match(line)]
    prose = block[: len(block) - len(examples)]
    if [*prose, *examples] != block:  # an example within: as it stands
        yield from _literal(block)
        return
    if prose:
        yield ".PP"
        yield from map(quoted, prose)
    if examples:
        yield ".PP"
        yield "Example:" if len(examples) == 1 else "Examples:"
        yield from _examples(examples)


def _examples(lines: List[str]) -> Iterator[str]:
    return _literal([f"    {line[len('example: ') :]}" for line in lines])


def _begun(name: str, section: int, about: str) -> List[str]:
    head = [
        '.\\" SPDX-License-Identifier: MIT',
        f'.TH {name.upper()} {section} "" "mapscope {VERSION}"',
    ]
    # no word is broken, and a sentence that ends a line is followed by one blank
    return [*head, ".ad l", ".nh", ".ss 12 0", ".SH NAME", f"{name} \\- {about}"]


def command_page() -> str:
    """mapscope(1)."""
    usage, *rest = _blocks(main.HELP)
    lines = _begun("mapscope", 1, "what hash maps are doing, in a core file or a live process")
    lines += [".SH SYNOPSIS", *_literal([line[len("usage: ") :] for line in usage], bold=True)]
    lines.append(".SH DESCRIPTION")
    for block in rest:
        text = "\n".join(block)
        if block[0].startswith("exit status: "):
            lines += [".SH EXIT STATUS", *_statuses(" ".join(block))]
        elif _EXAMPLE.match(block[0]):
            lines += [".SH EXAMPLES", *_examples(block)]
        else:
            lines += formatted(text, ".SH")
    for name, text in (
        ("mapscope log", log_command.parser().format_help()),
        ("mapscope install", install_command.parser("install").format_help()),
        ("mapscope uninstall", install_command.parser("uninstall").format_help()),
    ):
        lines += [f".SH {name.upper()}", *formatted(text)]
    lines += [".SH SEE ALSO", ".BR mapscope\\-commands (7),", ".BR gdb (1),", ".BR lldb (1)"]
    return "\n".join(lines) + "\n"


def _statuses(text: str) -> Iterator[str]:
    """What exit statuses mean: "exit status: 0: all right; 1: ..."."""
    for part in text[len("exit status: ") :].rstrip(".").split("; "):
        number, _, meaning = part.partition(": ")
        yield from (".TP", f"\\fB{number}\\fR", quoted(meaning))


def debugger_page() -> str:
    """mapscope-commands(7)."""
    lines = _begun("mapscope-commands", 7, "mapscope's commands in gdb and LLDB")
    lines += [".SH DESCRIPTION", *formatted(_COMMANDS_ABOUT)]
    lines += _literal(
        [
            "    (gdb) source FOLDER/gdb/mapscope_gdb.py",
            "    (lldb) command script import FOLDER/lldb/mapscope_lldb.py",
        ]
    )
    lines += formatted(_LOADED)
    for prefix in PREFIXES:
        lines += [f".SH {prefix.word.upper()}", *formatted(prefix.about)]
        for name in prefix.summaries:
            lines.append(f".SS {prefix.word} {quoted(name)}")
            lines += formatted(load(prefix.full(name)).parser().format_help())
    lines += [".SH SEE ALSO", ".BR mapscope (1),", ".BR gdb (1),", ".BR lldb (1)"]
    return "\n".join(lines) + "\n"


def pages() -> List[Tuple[str, str]]:
    """(file's name, text) of each page."""
    # argparse breaks lines by the terminal's width
    os.environ["COLUMNS"] = "80"
    return [("mapscope.1", command_page()), ("mapscope-commands.7", debugger_page())]


def write(folder: str) -> None:
    """Puts the pages into a folder."""
    os.makedirs(folder, exist_ok=True)
    for name, text in pages():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    write(sys.argv[1])
