# SPDX-License-Identifier: MIT
"""The manual pages say what the commands' --help says, and roff has nothing to complain of."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Dict, List

import pytest

from mapscope.commands import PREFIXES, load
from mapscope.version import VERSION
from mapscope_cli import main, manual
from shown import in_process


@pytest.fixture(scope="module")
def pages() -> Dict[str, str]:
    return dict(manual.pages())


def plain(roff: str) -> List[str]:
    """The words of a page's source, by the few requests and escapes that there are."""
    lines = []
    for line in roff.splitlines():
        line = re.sub(r"^\.(SH|SS) ", "", line)
        if line.startswith("."):
            continue
        for written, char in (
            *(("\\&", ""), ("\\fB", ""), ("\\fI", ""), ("\\fR", ""), ("\\-", "-")),
            *(("\\(aq", "'"), ("\\(ga", "`"), ("\\(ha", "^"), ("\\(ti", "~"), ("\\e", "\\")),
        ):
            line = line.replace(written, char)
        lines.append(line)
    return " ".join(lines).split()


def said(text: str) -> List[str]:
    """The words of a help text, without what the page has headings for."""
    text = re.sub(r"^(usage|example): ", "", text, flags=re.MULTILINE)
    return re.sub(r"^(\w[\w ]*):$", r"\1", text, flags=re.MULTILINE).split()


@pytest.mark.parametrize("prefix", PREFIXES, ids=lambda prefix: str(prefix.word))
def test_every_command_of_the_debuggers(prefix: object, pages: Dict[str, str]) -> None:
    (chosen,) = [one for one in PREFIXES if one is prefix]
    page = pages["mapscope-commands.7"]
    for name in chosen.summaries:
        _, found, section = page.partition(f"\n.SS {chosen.word} {name}\n")
        assert found, f"{chosen.word} {name} is not in the manual"
        section = re.split(r"^\.S[SH] ", section, flags=re.MULTILINE)[0]
        words = [word for word in plain(section) if word not in ("Example:", "Examples:")]
        assert words == said(load(chosen.full(name)).parser().format_help())


def test_the_command(pages: Dict[str, str]) -> None:
    page = pages["mapscope.1"]
    own = plain(page.partition("\n.SH MAPSCOPE LOG")[0])
    for word in said(main.HELP.partition("exit status:")[0]):
        assert word in own or word.upper() in own, word
    for words in (["log"], ["install"], ["uninstall"]):
        title = " ".join(["mapscope", *words]).upper()
        section = page.partition(f"\n.SH {title}\n")[2].partition("\n.SH ")[0]
        found = [word for word in plain(section) if word not in ("Example:", "Examples:")]
        assert found == said(in_process(*words, "--help").stdout)
    assert f'"mapscope {VERSION}"' in page


def test_roff_takes_them(tmp_path: Path) -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("groff was not found (Debian: groff-base)")
    manual.write(str(tmp_path))
    for path in tmp_path.iterdir():
        shown = subprocess.run(
            [groff, "-man", "-Tascii", "-ww", str(path)], capture_output=True, text=True, timeout=60
        )
        assert shown.returncode == 0 and not shown.stderr
        text = re.sub("(.)\b", "", shown.stdout)  # bold is printed twice
        assert f"mapscope {VERSION}" in text and "SEE ALSO" in text
