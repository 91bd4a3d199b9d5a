# SPDX-License-Identifier: MIT
"""Names of C++ functions and types, as demanglers and compilers write them."""

import time
from typing import Dict, List, Optional

import pytest

from mapscope.program.cpp_names import (
    as_written,
    function_name,
    same_template,
    same_type,
    with_enumerators,
    with_plain_values,
)


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
        (
            "mapscope::map<int, int>::assign<int>(int const&)::{lambda()#1}::operator()() const",
            "operator()",
        ),
        ("auto a::f(int)::'lambda'(char)::operator()(char) const", "operator()"),
        ("a::f(std::function<void (int)>) const::local::g(int)", "local::g"),
        ("a::operator->()::{lambda(int)#2}::operator()(int) const", "operator()"),
        ("f(int)::", ""),
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


@pytest.mark.parametrize(
    "written, others",
    [
        (
            "const char *const *",
            ["char const* const*", "const char * const *", "char const *const*"],
        ),
        ("unsigned long", ["long unsigned int", "unsigned long int", "long unsigned"]),
        ("unsigned int", ["unsigned"]),
        ("long long", ["long long int", "signed long long"]),
        ("signed char", ["char signed"]),
        ("long double", ["double long"]),
        ("void (*)(int, const char *)", ["void(*)(int,char const*)"]),
        ("int (*)[3]", ["int(*)[3ul]"]),
        ("int shop::item::*", ["int shop::item::*"]),
        ("void (shop::item::*)() const", ["void (shop::item::*)(void) const"]),
        (
            "std::function<unsigned long (const std::string &)>",
            ["std::function<long unsigned int(const std::__cxx11::basic_string<char>&)>"],
        ),
        ("std::list<std::wstring>", ["std::__cxx11::list<std::__1::basic_string<wchar_t> >"]),
        (
            "a<'x', -3, true>",
            ["a<(char)120, (signed char)'\\xfd', (bool)1>", "a<(char)'x', -3, true>"],
        ),
        ("a<&b>", ["a<(& b)>", "a<(&b)>"]),
        ("a<(anonymous namespace)::b>", ["a<{anonymous}::b>"]),
        ("m<int, local>", ["m<int, main()::local>", "m<int, f(int, char) const::local>"]),
        (
            "m<int, (unnamed class)>",
            [
                "m<int, main()::{lambda(int)#1}>",
                "m<int, main()::<lambda(int)> >",
                "m<int, (lambda at a.cpp:75:14)>",
                "m<int, (unnamed struct at a.cpp:7:1)>",
            ],
        ),
        (
            "std::unordered_map<const char *, volatile int *>",
            [
                "std::unordered_map<char const*, int volatile*, std::hash<char const*>, "
                "std::equal_to<char const*>, "
                "std::allocator<std::pair<char const* const, int volatile*> > >"
            ],
        ),
    ],
)
def test_one_spelling(written: str, others: List[str]) -> None:
    for other in [*others, written]:
        assert as_written(other) == written
        assert same_type(other) == same_type(written)


@pytest.mark.parametrize(
    "name",
    [
        *("map[string]int", "func(int) string", "[]*main.T", "chan<- int", "struct { X int }"),
        *("&[u8]", "(i32, i32)", "dyn Fn(i32) -> bool", "fn(i32)", "interface {}"),
        *(
            "decltype(f(1))",
            "a<(b)>",
            "a<b",
            "a<<b>",
            "int (",
            "a::",
            "*",
            "'",
            "a<'>",
            "(((",
            "a<1,>",
        ),
    ],
)
def test_what_is_no_name_of_a_cpp_type_stays(name: str) -> None:
    assert as_written(name) == name


def test_names_that_people_use_for_others() -> None:
    assert same_type("map<std::size_t, uint8_t>") == same_type("map<unsigned long,unsigned char>")
    assert same_type("own::size_t") != same_type("unsigned long")
    assert same_type("map<size_t::a, int>") == "map<size_t::a,int>"


def test_enumerators_have_their_names() -> None:
    asked: List[str] = []

    def values(name: str) -> Dict[int, str]:
        asked.append(name)
        return {1: "ns::colour::blue"} if name == "ns::colour" else {}

    name = "a<(ns::colour)1, (ns::colour)2, (char)65, (other)-1>"
    assert with_enumerators(name, values) == (
        "a<ns::colour::blue, (ns::colour)2, (char)65, (other)-1>"
    )
    assert asked == ["ns::colour", "ns::colour", "other"]


def test_values_as_debug_information_has_them() -> None:
    found = with_plain_values("a<b<2ul>, (char)120, (char)39, 3u>")
    assert found == "a<b<2>, 'x', (char)39, 3>"


@pytest.mark.parametrize(
    "name",
    [
        *("a<" * 4000 + ">" * 4000, "(" * 9000, "a" + "*" * 9000),
        *("a(" * 4000, "a<(" * 3000, "x::" * 5000),
    ],
    ids=range(6),
)
def test_names_made_to_take_long(name: str) -> None:
    started = time.process_time()
    assert as_written(name)
    assert time.process_time() - started < 2
