# SPDX-License-Identifier: MIT
"""The half of mapscope that knows gdb; mapscope_gdb.py, beside it, loads it."""
