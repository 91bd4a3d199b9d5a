# SPDX-License-Identifier: MIT
"""Names of C++ types, as compilers write them in debug information and as people do."""

import re
from typing import Iterable, Optional

#: class templates of libstdc++ that hold text: std::string, std::string_view
STRING = re.compile(r"^std::(__cxx11::)?basic_string<char,")
STRING_VIEW = re.compile(r"^std::basic_string_view<char,")

#: what the compilers make of the two, and what people write
_ALIASES = (
    (
        "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >",
        "std::string",
    ),
    ("std::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string"),
    ("std::basic_string_view<char, std::char_traits<char> >", "std::string_view"),
)


def as_written(name: str) -> str:
    """The name as people write it."""
    for spelled, meant in _ALIASES:
        name = name.replace(spelled, meant)
    return name


def without_parameters(name: str) -> str:
    """ "ns::f<int>" of "ns::f<int>(int, char)": what a demangler adds is cut off."""
    depth = 0
    at = 0
    while at < len(name):
        if name.startswith("operator", at):
            at += len("operator")
            while at < len(name) and name[at] in "<>=!()[]-+*/&|^~%,":
                if name[at] == "(" and not name.startswith("()", at):
                    break
                at += 2 if name[at] == "(" else 1
            continue
        if name.startswith("(anonymous namespace)", at):
            at += len("(anonymous namespace)")
            continue
        if name[at] == "<":
            depth += 1
        elif name[at] == ">":
            depth -= 1
        elif name[at] == "(" and depth == 0:
            return name[:at]
        at += 1
    return name


def same_template(names: Iterable[str], wanted: str) -> Optional[str]:
    """Which of `names` is the template instance that a demangler calls `wanted`.

    Compilers and demanglers differ in spaces, in where they put const, and in the suffixes of
    numbers.
    """
    plain = _plain(wanted)
    found = [name for name in names if _plain(name) == plain]
    if len(found) > 1:
        consts = wanted.count("const")
        found = [name for name in found if name.count("const") == consts]
    return found[0] if len(found) == 1 else None


def _plain(name: str) -> str:
    name = name.replace("{anonymous}", "(anonymous namespace)")  # as GCC writes it
    name = re.sub(r"\b(const|volatile)\b", "", name)
    return re.sub(r"\s+|(?<=\d)[ul]+(?=[,>])", "", name)
