# SPDX-License-Identifier: MIT
"""A command for tests, in gdb and LLDB: kernels-loaded says whether mapscope has loaded its library
of kernels."""

from in_debugger import define
from mapscope.kernels import native


def kernels_loaded(_: str) -> None:
    """kernels-loaded: says whether they are."""
    print(f"kernels loaded: {native.kernels_for(0) is not None}")


define("kernels-loaded", kernels_loaded)
