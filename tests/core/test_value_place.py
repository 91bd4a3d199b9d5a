# SPDX-License-Identifier: MIT
"""Which bytes of a value `map watch` has the processor watch."""

import pytest

from mapscope.errors import UsageError
from mapscope.plans.values.value_place import extent, part_of
from mapscope.program.types import Kind, Type


def of(size: int) -> Type:
    return Type(Kind.STRUCT, "T", size)


def test_whole_values() -> None:
    assert [extent(of(size), None) for size in (1, 2, 4, 8)] == [(0, 1), (0, 2), (0, 4), (0, 8)]
    for size in (3, 5, 12, 16, 24):
        with pytest.raises(UsageError, match=f"has {size} bytes, and the processor watches"):
            extent(of(size), None)
    with pytest.raises(UsageError, match="no bytes: nothing of it can change"):
        extent(of(0), None)


def test_parts() -> None:
    assert part_of("8") == (8, 8) and part_of("0x10:4") == (16, 4)
    assert extent(of(24), part_of("16")) == (16, 8)
    with pytest.raises(UsageError, match="has 24 bytes"):
        extent(of(24), part_of("17"))
    for wrong in ("", "-1", "x", "4:3", "4:16", "1:2:3", ":"):
        with pytest.raises(UsageError, match="expected OFFSET or OFFSET:SIZE"):
            part_of(wrong)
