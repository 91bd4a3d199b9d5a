# SPDX-License-Identifier: MIT
"""LLDB's SBData -> bytes, and back."""

from typing import Optional

import lldb


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
