# SPDX-License-Identifier: MIT
"""Names of C++ types, as compilers write them in debug information and as people do."""

import functools
import re
from typing import Dict, Iterable, List, Optional, Tuple

#: class templates of libstdc++ that hold text: std::string, std::string_view
STRING = re.compile(r"^std::(__cxx11::)?basic_string<char,")
STRING_VIEW = re.compile(r"^std::basic_string_view<char,")

#: arguments that a class template has unless told; {0}, {1} stand for those before them
_ALLOCATOR, _PAIRS = "std::allocator<{0}>", "std::allocator<std::pair<const {0}, {1}>>"
_TBB_PAIRS = "tbb::tbb_allocator<std::pair<const {0}, {1}>>"
_DEFAULTS: Dict[str, Dict[int, str]] = {
    "std::basic_string": {1: "std::char_traits<{0}>", 2: _ALLOCATOR},
    "std::__cxx11::basic_string": {1: "std::char_traits<{0}>", 2: _ALLOCATOR},
    "std::basic_string_view": {1: "std::char_traits<{0}>"},
    "std::vector": {1: _ALLOCATOR},
    "std::deque": {1: _ALLOCATOR},
    "std::__cxx11::list": {1: _ALLOCATOR},
    "std::set": {1: "std::less<{0}>", 2: _ALLOCATOR},
    "std::map": {2: "std::less<{0}>", 3: _PAIRS},
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
    "std::__cxx11::basic_string<char>": "std::string",
    "std::basic_string<char>": "std::string",
    "std::basic_string_view<char>": "std::string_view",
}
#: inline namespaces of libc++ and Abseil; Abseil's tables, and their hashes unless told
_LIBCXX_INLINE = re.compile(r"\bstd::__(?:\d+|ndk\d+)::")
_ABSL_INLINE = re.compile(r"\babsl::(?:lts_\d+|debian\d+)::")
#: of oneTBB, which are inline namespaces for users
_TBB_INLINE = re.compile(r"\btbb::detail::d\d+::")
_ABSL = re.compile(r"^absl::(?:flat|node)_hash_(map|set)$")
_ABSL_HASH = re.compile(r"^absl::(?:hash_internal::Hash<|container_internal::)")
_SUFFIX = re.compile(r"^(-?\d+)[uUlL]+$")
_INTEGER = re.compile(r"\b(long long|long|short) (unsigned )?int\b")
_LAST_CONST = re.compile(r"^([^*&]+?) const$")
#: templates in templates, and characters of a name, that are looked into
_DEEPEST, _LONGEST = 24, 1 << 14
_ANONYMOUS = "(anonymous namespace)"


def as_written(name: str) -> str:
    """The name as people write it: without the arguments that templates have anyway."""
    if "std::__" in name and len(name) <= _LONGEST:
        name = _LIBCXX_INLINE.sub("std::", name)
    if "absl::" in name and len(name) <= _LONGEST:
        name = _ABSL_INLINE.sub("absl::", name)
    if "tbb::detail" in name and len(name) <= _LONGEST:
        name = _TBB_INLINE.sub("tbb::", name)
    if "<" not in name or len(name) > _LONGEST or "operator" in name:
        return name
    return _written(name, 0)


def _written(name: str, depth: int) -> str:
    start = name.find("<")
    if start < 0 or depth > _DEEPEST:
        suffix = _SUFFIX.match(name)
        if suffix is not None:
            return suffix[1]
        # GCC's "long unsigned int", as LLDB hands it on
        return _INTEGER.sub(lambda match: (match[2] or "") + match[1], name)
    parts, end = template_arguments(name, start)
    if end < 0:
        return name
    head = name[:start]
    # const and the like stand in front
    template = head.rpartition(" ")[2]
    known = [_const_first(_written(part, depth + 1)) for part in parts]
    keys = _ABSL.match(template)
    if keys is not None:
        # its hash, comparison and allocator come together
        count = 2 if keys[1] == "map" else 1
        if len(known) > count and _ABSL_HASH.match(known[count]):
            known = known[:count]
    defaults = _DEFAULTS.get(template, {})
    while known and len(known) - 1 in defaults:
        if known[-1] != defaults[len(known) - 1].format(*known):
            break
        known.pop()
    whole = f"{template}<{', '.join(known)}>"
    whole = head[: len(head) - len(template)] + _ALIASES.get(whole, whole)
    rest = name[end + 1 :]
    return whole + (_written(rest, depth + 1) if "<" in rest else rest)


def _const_first(name: str) -> str:
    match = _LAST_CONST.match(name)
    return f"const {match[1]}" if match else name


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


# For each map type of a program, all of its template instances are asked about anew.
@functools.lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    name = name.replace("{anonymous}", "(anonymous namespace)")  # as GCC writes it
    name = re.sub(r"\b(const|volatile)\b", "", name)
    return re.sub(r"\s+|(?<=\d)[ul]+(?=[,>])", "", name)
