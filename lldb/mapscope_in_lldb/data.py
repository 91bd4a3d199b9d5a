# SPDX-License-Identifier: MIT
"""LLDB's SBData -> bytes, and back; its global variables as they are declared."""

import re
from typing import Iterator, Optional, Union

import lldb

ABI_TAG = re.compile(r"\[abi:\w+\]")


def bytes_of_data(data: lldb.SBData) -> Optional[bytes]:
    """All of it; None where it is empty, or cannot be read."""
    size = data.GetByteSize()
    if not size:
        return None
    error = lldb.SBError()
    raw: Optional[bytes] = data.ReadRawData(error, 0, size)
    return raw if error.Success() else None


def data_of_bytes(target: lldb.SBTarget, raw: bytes) -> lldb.SBData:
    """As the target's memory would hold it."""
    data, error = lldb.SBData(), lldb.SBError()
    # a copy of LLDB's own: a value may be looked at when `raw` is long gone
    data.SetDataWithOwnership(error, raw, target.GetByteOrder(), target.GetAddressByteSize())
    return data


def global_variables(
    owner: Union[lldb.SBTarget, lldb.SBModule], name: str, most: int, *target: lldb.SBTarget
) -> Iterator[lldb.SBValue]:
    """Variables with the last part of a name, as they are declared and without their types'
    formatters: LLDB 22 ends itself where it looks for the type of an object at run time, or for
    its children, and cannot parse what GCC says of the library's classes.

    :param owner: where they are looked for
    :param most: at most so many
    :param target: of a module
    """
    for value in owner.FindGlobalVariables(*target, name, most):
        value.SetPreferSyntheticValue(False)
        value.SetPreferDynamicValue(lldb.eNoDynamicValues)
        yield value


def variable_name(value: lldb.SBValue) -> str:
    """A variable's name in full, as people write it: GCC's tags of the library's ABI, which stand
    behind those whose type leads to a std::string, are none of it."""
    return ABI_TAG.sub("", str(value.GetName() or "")).removeprefix("::")
