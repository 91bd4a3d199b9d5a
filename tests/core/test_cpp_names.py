# SPDX-License-Identifier: MIT
"""Names of C++ functions and types, as demanglers and compilers write them."""

import time
from typing import Optional

import pytest

from mapscope.program.cpp_names import as_written, function_name, same_template


@pytest.mark.parametrize(
    "demangled, name",
    [
        ("main", "main"),
        ("int ns::f<int>(int, char)", "ns::f<int>"),
        ("::mapscope_debug_stop(const mapscope::event *)", "mapscope_debug_stop"),
        (
            "std::pair<mapscope::map<unsigned long, int>::basic_iterator<false>, bool> "
            "mapscope::map<unsigned long, int>::emplace<int>(int&&)",
            "mapscope::map<unsigned long, int>::emplace<int>",
        ),
        (
            "mapscope::(anonymous namespace)::move(mapscope::hmap const*)",
            "mapscope::(anonymous namespace)::move",
        ),
        ("(anonymous namespace)::write(int)", "(anonymous namespace)::write"),
        ("void a::b::operator()(int) const", "a::b::operator()"),
        ("bool a::operator<(int)", "a::operator<"),
        ("bool a::operator<<int>(int)", "a::operator<<int>"),
        ("int& m::map<int>::operator[](int)", "m::map<int>::operator[]"),
        ("a::operator bool() const", "a::operator bool"),
        ("operator new(unsigned long)", "operator new"),
        ("", ""),
        ("(", ""),
        ("f<(", "f<("),
    ],
)
def test_a_function_without_what_a_demangler_adds(demangled: str, name: str) -> None:
    assert function_name(demangled) == name


def test_a_template_is_found_however_it_is_spelled() -> None:
    names = [
        "map<int*, char const*, mapscope::hash<int*> >",
        "map<int*, char*, mapscope::hash<int*> >",
        "map<std::array<int, 3>, {anonymous}::point>",
        "map<int, std::vector<int, std::allocator<int> > >::iterator",
    ]
    assert same_template(names, "map<int*, const char*, mapscope::hash<int*>>") == names[0]
    assert same_template(names, "map<int *, char *, mapscope::hash<int *>>") == names[1]
    found = same_template(names, "map<std::array<int, 3ul>, (anonymous namespace)::point>")
    assert found == names[2]
    assert same_template(names, "map<int, std::vector<int, std::allocator<int>>>") is None
    assert same_template(["map<int>", "map< int >"], "map<int>") is None


def test_strings_are_called_as_people_call_them() -> None:
    long = "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >"
    assert as_written(f"std::pair<int, {long} >") == "std::pair<int, std::string>"
    assert as_written(f"const {long}") == "const std::string"
    assert as_written(f"{long} *") == "std::string *"


@pytest.mark.parametrize(
    "spelled, written",
    [
        ("int", "int"),
        ("std::array<int, 3ul>", "std::array<int, 3>"),
        ("std::vector<std::vector<int, std::allocator<int> >, own<int> >", None),
        ("std::vector<int, std::allocator<long> >", "std::vector<int, std::allocator<long>>"),
        (
            "mapscope::map<int, ns::a, mapscope::hash<int>, mapscope::equal_to<int> >",
            "mapscope::map<int, ns::a>",
        ),
        ("mapscope::map<int, ns::a, my<int>, mapscope::equal_to<int> >", None),
        (
            "std::map<char, int, std::less<char>, std::allocator<std::pair<char const, int> > >",
            "std::map<char, int>",
        ),
        ("std::function<int (char, long)>", "std::function<int (char, long)>"),
        ("a<(anonymous namespace)::b<1u>, 2>::c<3>", "a<(anonymous namespace)::b<1>, 2>::c<3>"),
        ("broken<", "broken<"),
        ("a<b", "a<b"),
        ("bool operator< <int>", "bool operator< <int>"),
    ],
)
def test_a_type_is_written_without_what_it_has_anyway(spelled: str, written: Optional[str]) -> None:
    expected = {
        "std::vector<std::vector<int, std::allocator<int> >, own<int> >": (
            "std::vector<std::vector<int>, own<int>>"
        ),
        "mapscope::map<int, ns::a, my<int>, mapscope::equal_to<int> >": (
            "mapscope::map<int, ns::a, my<int>>"
        ),
    }
    assert as_written(spelled) == (written or expected[spelled])


def test_names_are_made_plain_once_for_many_questions() -> None:
    """A program has hundreds of instances, and each of its map types is looked for among them."""
    names = [f"map<const key_{n} *, (anonymous namespace)::value_{n}>" for n in range(500)]
    started = time.process_time()
    assert same_template(names, "map<key_0 const*, {anonymous}::value_0>") == names[0]
    once = time.process_time() - started
    started = time.process_time()
    for n in range(20):
        assert same_template(names, f"map<key_{n} const*, {{anonymous}}::value_{n}>") == names[n]
    assert time.process_time() - started < 10 * once
