# SPDX-License-Identifier: MIT
"""The site of scripts/docs, and the check of its links.

The files stay as they are: they are read on a forge too, where links lead to folders, sources and
places within a page by the forge's names. So they are looked at twice: as the forge has them, and
as pages of the site.
"""

import html.parser
import logging
import os
import re
import shutil
import sys
import urllib.parse
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Set, Tuple

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "docs"

_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_CODE = re.compile(r"(`+)(.+?)\1")
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
#: what the pages stand under in the site's menu
_GROUPS: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    ("Use", ("install", "commands", "stops", "cli", "lldb", "ide", "report")),
    ("Maps", ("go", "syncmap", "slices", "libraries", "redis", "describe", "heap", "heap_cpp")),
    ("The library", ("runtime", "debug", "layout")),
    ("Figures", ("comparison", "performance", "measurements")),
    ("Change it", ("ARCHITECTURE",)),
)


def pages() -> List[Path]:
    """Every page of the documentation, from the root."""
    names = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
    patterns = ("docs/*.md", "tests/README.md", "examples/README.md", "examples/*/README.md")
    found = [ROOT / name for name in names]
    for pattern in patterns:
        found += sorted(ROOT.glob(pattern))
    return found


def prose(text: str) -> Iterator[str]:
    """Lines that are no code; what is code in them is left out."""
    fence = ""
    blank = True  # an indented block begins behind an empty line
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if mark and (not fence or mark.group(1) == fence):
            fence = "" if fence else mark.group(1)
        elif not fence and not (blank and line.startswith("    ")):
            blank = not line.strip()
            yield line


def places(text: str) -> Set[str]:
    """Names of the places within a page, as a forge makes them of its headings."""
    found: Set[str] = set()
    for line in prose(text):
        heading = re.match(r"#{1,6} +(.*?) *#*$", line)
        if heading:
            plain = _LINK.sub(r"\1", heading.group(1)).lower()
            name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
            number = 1
            while name in found:
                name = f"{re.sub('-[0-9]+$', '', name) if number > 1 else name}-{number}"
                number += 1
            found.add(name)
    return found


def links(text: str) -> Iterator[str]:
    """Where the page's links lead."""
    for line in prose(text):
        for found in _LINK.finditer(_CODE.sub(lambda code: "`" * len(code.group(0)), line)):
            yield found.group(2)


def target(page: Path, link: str) -> Tuple[Optional[Path], str]:
    """(file, place in it) of a link; no file: it leads out of the tree."""
    if re.match(r"[a-z]+:", link):
        return None, ""
    name, _, place = link.partition("#")
    return (page.parent / name if name else page).resolve(), place


def wrong_links() -> List[str]:
    """Links of the files that lead nowhere."""
    texts = {page.resolve(): page.read_text(encoding="utf-8") for page in pages()}
    wrong: List[str] = []
    number = 0
    for page, text in texts.items():
        for link in links(text):
            number += 1
            path, place = target(page, link)
            where = f"{page.relative_to(ROOT)}: {link}"
            if path is None:
                continue
            if not path.exists():
                wrong.append(f"{where}: there is no such file")
            elif path.suffix == ".md" and path not in texts:
                wrong.append(f"{where}: the site has no such page")
            elif path.is_dir():
                wrong.append(f"{where}: the site has no page for a folder")
            elif place and place not in places(texts.get(path, "")):
                wrong.append(f"{where}: the page has no such place")
    if number < len(texts):
        wrong.append(f"only {number} links were found in {len(texts)} pages")
    return wrong


class _Page(html.parser.HTMLParser):
    """The links and the places of a page of the site."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: List[str] = []
        self.places: Set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if name in ("href", "src"):
                self.links.append(value)
            elif name in ("id", "name"):
                self.places.add(value)


def wrong_in_site(site: Path) -> List[str]:
    """Links of the built site that lead nowhere, or that a browser would ask the network for."""
    read = {
        path.resolve(): _Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")
    }
    wrong: List[str] = []
    for path, page in read.items():
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            where = f"{path.relative_to(site.resolve())}: {link}"
            if parts.scheme or parts.netloc:
                # what is written so in a page is the page's; the theme must bring its files along
                if re.search(r"\.(js|css|woff2?)$", parts.path):
                    wrong.append(f"{where}: a file of the theme is elsewhere")
                continue
            name = urllib.parse.unquote(parts.path)
            if name.startswith("/") or not (name or parts.fragment):
                continue  # of the page that stands in for one that is not there; "#"
            end = (path.parent / name if name else path).resolve()
            if end.is_dir():
                end /= "index.html"
            place = urllib.parse.unquote(parts.fragment)
            if not end.exists():
                wrong.append(f"{where}: there is no such file")
            elif place and end in read and place not in read[end].places:
                wrong.append(f"{where}: the page has no such place")
    return wrong


def menu(present: Set[str]) -> List[Dict[str, object]]:
    """mkdocs's nav: every page once."""
    nav: List[Dict[str, object]] = [
        {"mapscope": "README.md"},
        {"What is where": "docs/README.md"},
    ]
    left = set(present) - {"README.md", "docs/README.md"}
    for title, names in _GROUPS:
        own = [f"docs/{name}.md" for name in names if f"docs/{name}.md" in left]
        if title == "Change it":
            own += sorted(left - set(own))  # whatever is new, too
        nav.append({title: own})
        left -= set(own)
        if title == "The library":
            examples = sorted(name for name in left if name.startswith("examples/"))
            nav.append({"Examples": examples})
            left -= set(examples)
    return nav


def stage(source: Path) -> Set[str]:
    """Copies the pages and what they link to into a folder of mkdocs's; the pages' names."""
    present = set()
    for page in pages():
        name = page.relative_to(ROOT)
        present.add(name.as_posix())
        text = page.read_text(encoding="utf-8")
        for link in links(text):
            path, _ = target(page, link)
            if path is not None and path.is_file() and path.suffix != ".md":
                copy = source / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text, encoding="utf-8")
    return present


def forge_place(text: str, separator: str) -> str:
    """A heading's place, named as a forge names it, so that the same links lead to it."""
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", separator)


class _Warnings(logging.Handler):
    """What mkdocs warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def build() -> List[str]:
    """Builds the site; what is wrong with it."""
    from mkdocs.commands.build import build as build_site
    from mkdocs.config import load_config

    shutil.rmtree(BUILD, ignore_errors=True)
    source = BUILD / "source"
    present = stage(source)
    (BUILD / "mkdocs.yml").write_text("site_name: mapscope\n", encoding="utf-8")
    warnings = _Warnings()
    logging.getLogger("mkdocs").addHandler(warnings)
    config = load_config(
        str(BUILD / "mkdocs.yml"),
        docs_dir=str(source),
        site_dir=str(BUILD / "site"),
        nav=menu(present),
        # no file of the theme is asked of the network
        theme={"name": "mkdocs", "highlightjs": False},
        use_directory_urls=False,
        markdown_extensions=["tables", "fenced_code", {"toc": {"slugify": forge_place}}],
    )
    build_site(config)
    return warnings.texts + wrong_in_site(BUILD / "site")


def main(words: List[str]) -> int:
    """What scripts/docs says."""
    wrong = wrong_links()
    if not wrong and "--check" not in words:
        wrong = build()
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        return 1
    if "--check" not in words:
        print(f"file://{os.path.join(BUILD, 'site', 'index.html')}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
