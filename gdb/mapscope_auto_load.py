# SPDX-License-Identifier: MIT
"""What gdb loads by itself with a program that uses mapscope's library: it loads mapscope.

Installed below share/gdb/auto-load, where gdb trusts what it finds (where that is its own), under
the name of the shared library, and under the one that a program's .debug_gdb_scripts has
(mapscope_gdb_script.h). mapscope itself is in share/mapscope of the same prefix.
"""

import importlib.util
import os
import sys


def _load() -> None:
    if "mapscope_in_gdb" in sys.modules:
        return  # the user's own copy stays, or this one is loaded for another program
    folder = os.path.dirname(os.path.realpath(__file__))
    while folder != os.path.dirname(folder):
        script = os.path.join(folder, "mapscope", "gdb", "mapscope_gdb.py")
        if os.path.isfile(script):
            # not by gdb's `source`: within a script it would leave __file__ as it is
            spec = importlib.util.spec_from_file_location("mapscope_gdb", script)
            if spec is not None and spec.loader is not None:
                spec.loader.exec_module(importlib.util.module_from_spec(spec))
            return
        folder = os.path.dirname(folder)


_load()
