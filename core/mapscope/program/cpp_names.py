# SPDX-License-Identifier: MIT
"""Names of C++ types, as compilers write them in debug information and as people do."""

import functools
import re
from typing import Callable, Dict, Iterable, List, Optional, Tuple

from .cpp_spelling import spelling

#: class templates of libstdc++ that hold text: std::string, std::string_view
STRING = re.compile(r"^std::(__cxx11::)?basic_string<char,")
STRING_VIEW = re.compile(r"^std::basic_string_view<char,")

#: arguments that a class template has unless told; {0}, {1} stand for those before them
_ALLOCATOR, _PAIRS = "std::allocator<{0}>", "std::allocator<std::pair<{0} const, {1}>>"
_TBB_PAIRS = "tbb::tbb_allocator<std::pair<{0} const, {1}>>"
_DEFAULTS: Dict[str, Dict[int, str]] = {
    "std::basic_string": {1: "std::char_traits<{0}>", 2: _ALLOCATOR},
    "std::basic_string_view": {1: "std::char_traits<{0}>"},
    "std::vector": {1: _ALLOCATOR},
    "std::deque": {1: _ALLOCATOR},
    "std::list": {1: _ALLOCATOR},
    "std::set": {1: "std::less<{0}>", 2: _ALLOCATOR},
    "std::multiset": {1: "std::less<{0}>", 2: _ALLOCATOR},
    "std::map": {2: "std::less<{0}>", 3: _PAIRS},
    "std::multimap": {2: "std::less<{0}>", 3: _PAIRS},
    "std::forward_list": {1: _ALLOCATOR},
    "std::unordered_set": {1: "std::hash<{0}>", 2: "std::equal_to<{0}>", 3: _ALLOCATOR},
    "std::unordered_map": {2: "std::hash<{0}>", 3: "std::equal_to<{0}>", 4: _PAIRS},
    "std::unordered_multiset": {1: "std::hash<{0}>", 2: "std::equal_to<{0}>", 3: _ALLOCATOR},
    "std::unordered_multimap": {2: "std::hash<{0}>", 3: "std::equal_to<{0}>", 4: _PAIRS},
    **{
        f"boost::unordered::unordered_{kind}": {
            count: "boost::hash<{0}>",
            count + 1: "std::equal_to<{0}>",
            count + 2: _PAIRS if count == 2 else _ALLOCATOR,
        }
        for kind, count in (
            *(("map", 2), ("multimap", 2), ("set", 1), ("multiset", 1)),
            *(("flat_map", 2), ("node_map", 2), ("flat_set", 1), ("node_set", 1)),
        )
    },
    "absl::flat_hash_map": {3: "std::equal_to<{0}>", 4: _PAIRS},
    "absl::node_hash_map": {3: "std::equal_to<{0}>", 4: _PAIRS},
    "absl::flat_hash_set": {2: "std::equal_to<{0}>", 3: _ALLOCATOR},
    "absl::node_hash_set": {2: "std::equal_to<{0}>", 3: _ALLOCATOR},
    "tbb::concurrent_hash_map": {2: "tbb::tbb_hash_compare<{0}>", 3: _TBB_PAIRS},
    "std::unique_ptr": {1: "std::default_delete<{0}>"},
    "mapscope::map": {2: "mapscope::hash<{0}>", 3: "mapscope::equal_to<{0}>"},
}
#: what people write
_ALIASES = {
    "std::basic_string<char>": "std::string",
    "std::basic_string<wchar_t>": "std::wstring",
    "std::basic_string<char8_t>": "std::u8string",
    "std::basic_string<char16_t>": "std::u16string",
    "std::basic_string<char32_t>": "std::u32string",
    "std::basic_string_view<wchar_t>": "std::wstring_view",
    "std::basic_string_view<char>": "std::string_view",
}
#: inline namespaces of libstdc++, libc++ and Abseil; Abseil's tables, and their hashes unless told
_STD_INLINE = re.compile(r"\bstd::__(?:cxx11|\d+|ndk\d+)::")
_ABSL_INLINE = re.compile(r"\babsl::(?:lts_\d+|debian\d+)::")
#: of oneTBB, which are inline namespaces for users
_TBB_INLINE = re.compile(r"\btbb::detail::d\d+::")
_ABSL = re.compile(r"^absl::(?:flat|node)_hash_(map|set)$")
_ABSL_HASH = re.compile(r"^absl::(?:hash_internal::Hash<|container_internal::)")
#: characters of a name that are looked into
_LONGEST = 1 << 14
_ANONYMOUS = "(anonymous namespace)"
#: whose characters open and close nothing
_OPERATOR = re.compile(r"operator(\(\)|[-<>=!+*/&|^~%,]+|\b)|->")
#: what stands between a function and what is in it
_BEHIND = re.compile(r"( const)?::")


# A program's types are asked about again and again, map by map.
@functools.lru_cache(maxsize=4096)
def as_written(name: str) -> str:
    """The name as people write it: without the arguments that templates have anyway."""
    if len(name) > _LONGEST or "operator" in name:
        return name
    if "std::__" in name:
        name = _STD_INLINE.sub("std::", name)
    if "absl::" in name:
        name = _ABSL_INLINE.sub("absl::", name)
    if "tbb::detail" in name:
        name = _TBB_INLINE.sub("tbb::", name)
    if name.isalnum() and name not in ("unsigned", "signed"):
        return name
    return spelling(name, _template) or name


def _template(name: str, known: List[str]) -> str:
    """A template with its arguments, without those that it has unless told."""
    keys = _ABSL.match(name)
    if keys is not None:
        # its hash, comparison and allocator come together
        count = 2 if keys[1] == "map" else 1
        if len(known) > count and _ABSL_HASH.match(known[count]):
            known = known[:count]
    defaults = _DEFAULTS.get(name, {})
    while known and len(known) - 1 in defaults:
        if known[-1] != as_written(defaults[len(known) - 1].format(*known)):
            break
        known.pop()
    whole = f"{name}<{', '.join(known)}>"
    return _ALIASES.get(whole, whole)


_ENUMERATOR = re.compile(r"\(([A-Za-z_][\w:]*)\)(-?\d+)(?![\w.])")
_NUMBERS = frozenset(
    ("char", "int", "long", "short", "unsigned", "signed", "bool", "float", "double", "wchar_t")
)


def with_enumerators(name: str, values: Callable[[str], Dict[int, str]]) -> str:
    """The name of a type with the names of enumerators that its templates were given: GCC and
    demanglers have their numbers, "(colour)1".

    :param values: gives the enumerators of an enumeration, in full, by their numbers; {}: it is
        not known
    """
    if ")" not in name or len(name) > _LONGEST:
        return name

    def told(found: "re.Match[str]") -> str:
        return found[0] if found[1] in _NUMBERS else values(found[1]).get(int(found[2]), found[0])

    return _ENUMERATOR.sub(told, name)


_SUFFIXED = re.compile(r"(?<=[<, ])(-?\d+)[uUlL]+(?=[,> ])")
_CHARACTER = re.compile(r"(?<=[<, ])\(char\)(\d+)(?=[,> ])")


def with_plain_values(name: str) -> str:
    """A demangler's name of a type with the values of its templates as GCC's debug information has
    them: 2 for 2ul, 'x' for (char)120."""

    def told(found: "re.Match[str]") -> str:
        code = int(found[1]) if len(found[1]) < 4 else 0
        return f"'{chr(code)}'" if 32 <= code < 127 and chr(code) not in "'\\" else found[0]

    return _CHARACTER.sub(told, _SUFFIXED.sub(r"\1", name))


#: what people write for types of which compilers tell what they are
_MEANT = {
    **{
        f"{kind}int{bits}_t": name
        for kind, bits, name in (
            ("", 8, "signed char"),
            ("", 16, "short"),
            ("", 32, "int"),
            ("", 64, "long"),
            ("u", 8, "unsigned char"),
            ("u", 16, "unsigned short"),
            ("u", 32, "unsigned int"),
            ("u", 64, "unsigned long"),
        )
    },
    **dict.fromkeys(("size_t", "uintptr_t"), "unsigned long"),
    **dict.fromkeys(("ssize_t", "ptrdiff_t", "intptr_t"), "long"),
}
_MEANT_WORD = re.compile(r"(?<![\w:])(?:std::|::)?(" + "|".join(_MEANT) + r")\b(?!::)")


def same_type(name: str) -> str:
    """What is equal for two names of a type if they name the same one, whoever wrote them."""
    return "".join(as_written(_MEANT_WORD.sub(lambda found: _MEANT[found[1]], name)).split())


def template_arguments(name: str, start: int) -> Tuple[List[str], int]:
    """The arguments between the bracket at `start` and the one that closes it, and where that
    is; -1: nowhere."""
    depth, begin = 0, start + 1
    parts: List[str] = []
    for at in range(start, len(name)):
        char = name[at]
        if char in "<([{":
            depth += 1
        elif char in ")]}" or (char == ">" and name[at - 1] != "-"):
            depth -= 1
            if not depth:
                last = name[begin:at].strip()
                return parts + ([last] if last or parts else []), at
        elif char == "," and depth == 1:
            parts.append(name[begin:at].strip())
            begin = at + 1
    return parts, -1


def function_name(demangled: str) -> str:
    """ "ns::f<int>" of "int ns::f<int>(int, char)": as a debugger calls the function.

    What stands in a function, as lambdas do, has its own name alone: "operator()" of
    "f(int)::{lambda()#1}::operator()() const", as in gdb's backtrace.
    """
    demangled = _own_name(demangled)
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


def _own_name(demangled: str) -> str:
    """What stands behind the last function, or lambda, that a name is in."""
    start = depth = at = 0
    while at < len(demangled):
        if demangled.startswith(_ANONYMOUS, at):
            at += len(_ANONYMOUS)
            continue
        operator = _OPERATOR.match(demangled, at)
        if operator is not None:
            at = operator.end()
            continue
        char = demangled[at]
        at += 1
        if char in "<({":
            depth += 1
        elif char in ">)}":
            depth -= 1
            behind = _BEHIND.match(demangled, at) if char != ">" and not depth else None
            if behind is not None:
                start = behind.end()
    return demangled[start:]


def same_template(names: Iterable[str], wanted: str) -> Optional[str]:
    """Which of `names` is the template instance that a demangler calls `wanted`.

    Compilers and demanglers differ in spaces, in where they put const, and in the suffixes of
    numbers.
    """
    known = list(names)
    found = [name for name in known if _plain(name) == _plain(wanted)]
    if not found:
        written = _plain(as_written(wanted))
        found = [name for name in known if _plain(as_written(name)) == written]
    if len(found) > 1:
        consts = wanted.count("const")
        found = [name for name in found if name.count("const") == consts]
    return found[0] if len(found) == 1 else None


# For each map type of a program, all of its template instances are asked about anew.
@functools.lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    name = name.replace("{anonymous}", "(anonymous namespace)")  # as GCC writes it
    name = re.sub(r"\b(const|volatile)\b", "", name)
    return re.sub(r"\s+|(?<=\d)[ul]+(?=[,>])", "", name)
