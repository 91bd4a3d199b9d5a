# SPDX-License-Identifier: MIT
"""The half of mapscope that knows LLDB; mapscope_lldb.py, beside it, loads it."""
