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
_ANONYMOUS = "(anonymous namespace)"


def as_written(name: str) -> str:
    """The name as people write it."""
    for spelled, meant in _ALIASES:
        name = name.replace(spelled, meant)
    return name


def function_name(demangled: str) -> str:
    """ "ns::f<int>" of "int ns::f<int>(int, char)": as a debugger calls the function."""
    depth = start = at = 0
    while at < len(demangled):
        char = demangled[at]
        if demangled.startswith("operator", at):
            # operator(), operator<, operator new, operator bool: up to its parameters
            at += len("operator()" if demangled.startswith("operator()", at) else "operator")
            end = demangled.find("(", at)
            return demangled[start:end] if end >= 0 and not depth else demangled[start:]
        if demangled.startswith(_ANONYMOUS, at):
            at += len(_ANONYMOUS)
            continue
        if char in "<{":
            depth += 1
        elif char in ">}":
            depth -= 1
        elif depth == 0 and char == "(":
            break
        elif depth == 0 and char == " ":
            start = at + 1
        at += 1
    name = demangled[start:at]
    return name[2:] if name.startswith("::") else name


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
