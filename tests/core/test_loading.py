# SPDX-License-Identifier: MIT
"""What is loaded when it is needed: flavours by their signs, plans with the first stop, and
dataclasses with their first objects."""

import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from mapscope.flavours.deferred import Deferred
from mapscope.flavours.flavour import Flavour
from mapscope.flavours.registry import FLAVOURS, LIBRARIES, operation
from mapscope.records import dataclass, fields

CORE = Path(__file__).resolve().parents[2] / "core"


@pytest.mark.parametrize("one", FLAVOURS, ids=lambda one: str(one.name))
def test_a_flavour_is_what_the_registry_calls_it(one: Deferred) -> None:
    assert isinstance(one.flavour, Flavour)
    assert one.flavour.name == one.name
    assert type(one.flavour).__name__ == one.code.rpartition(".")[2]


def test_what_stands_for_a_flavour_answers_nothing_itself() -> None:
    """A method that it lacks would say "none" for all flavours."""
    asked = {name for name, own in vars(Flavour).items() if callable(own)}
    asked -= {"__init__", "__new__"}
    assert "heap" in asked
    assert not asked - set(vars(Deferred))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("runtime.mapassign_faststr", "assign"),
        ("internal/runtime/maps.(*table).grow", "grow"),
        ("runtime.evacuate_fast64", "evacuate"),
        ("mapscope::map<int, int>::erase(int const&)", "delete"),
        ("mapscope::evacuate(mapscope::maptype const*, mapscope::hmap*)", "evacuate"),
        ("dictRehash", "evacuate"),
        ("_dictExpand", "grow"),
        ("hashtableAdd", "assign"),
        ("std::_Hashtable<int, int>::_M_rehash", "grow"),
        ("absl::lts_20220623::container_internal::raw_hash_set<A, B>::resize", "grow"),
        ("boost::unordered::detail::table<T>::rehash_impl", "grow"),
        ("boost::unordered::detail::foa::table_core<T>::unchecked_rehash", "grow"),
        ("hashbrown::raw::RawTable<T, A>::reserve_rehash<T, A>", "grow"),
        ("tbb::detail::d2::hash_map_base<A, B>::enable_segment", "grow"),
        ("main.main", None),
    ],
)
def test_functions_of_every_flavour_are_known(function: str, expected: str) -> None:
    assert operation(function) == expected


def test_libraries() -> None:
    assert "runtime" not in LIBRARIES
    assert "std-unordered" in LIBRARIES


def loaded_by(code: str) -> List[str]:
    """Modules of mapscope that are loaded when some code has run."""
    code += "\nimport sys\nprint(*sorted(name for name in sys.modules if 'mapscope.' in name))"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=CORE, capture_output=True, text=True, check=True
    )
    return ran.stdout.split()


def test_commands_load_no_flavour_and_no_plan() -> None:
    loaded = loaded_by("from mapscope import shell, locate\nfrom mapscope.plans import later")
    assert "mapscope.locate" in loaded
    wrong = [
        name
        for name in loaded
        if name.startswith(("mapscope.flavours.", "mapscope.plans."))
        and name.split(".")[2]
        not in ("registry", "deferred", "flavour", "later", "cpp", "described")
    ]
    assert not wrong
    assert "mapscope.flavours.cpp.runtime_maps" not in loaded
    assert "mapscope.flavours.described.described_tables" not in loaded


def test_dataclasses_are_the_standard_library_s() -> None:
    @dataclass(frozen=True)
    class Base:
        one: int
        two: int = 2

    @dataclass(frozen=True)
    class Derived(Base):
        three: int = 3

        def __post_init__(self) -> None:
            if self.three < 0:
                raise ValueError

    assert Derived(1) == Derived(one=1, two=2, three=3)
    assert hash(Derived(1)) == hash(Derived(1))
    assert repr(Base(1)).endswith("Base(one=1, two=2)")
    assert Base(1) != Derived(1)
    with pytest.raises(AttributeError):
        Derived(1).one = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        Derived()  # type: ignore[call-arg]
    with pytest.raises(ValueError):
        Derived(1, three=-1)
    assert [field.name for field in fields(Derived)] == ["one", "two", "three"]


def test_a_class_without_decorator_has_its_own_beginning() -> None:
    @dataclass
    class Base:
        one: int

    class Derived(Base):
        def __init__(self) -> None:
            super().__init__(1)
            self.two = 2

    made = Derived()
    assert (made.one, made.two) == (1, 2)
    assert Base(1).one == 1


def test_fields_before_the_first_object() -> None:
    @dataclass
    class Own:
        one: int

    assert [field.name for field in fields(Own)] == ["one"]
    assert Own(1) == Own(1)
