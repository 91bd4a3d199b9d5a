# SPDX-License-Identifier: MIT
"""A command for tests, in gdb and LLDB: run a command of mapscope's by the library of kernels and
by Python alone.

    by-kernels FOLDER LINE

It says whether both have written the same, how many lines those are, and which kernels were called.
"""

import shlex
from pathlib import Path
from typing import Set

from in_debugger import define, execute
from mapscope.kernels import native
from truth_file import quoted


def by_kernels(argument: str) -> None:
    """Run the command both ways, and compare."""
    folder, line = argument.split(None, 1)
    kernels = native.load()
    if kernels is None:
        print("no kernels")
        return
    called: Set[str] = set()
    call = kernels.call

    def noted(name: str, *arguments: native.Argument) -> int:
        called.add(name)
        return call(name, *arguments)

    setattr(kernels, "call", noted)
    written = []
    for number, used in enumerate((kernels, None)):
        output = Path(*shlex.split(folder)) / f"{number}.out"
        before = native.use(used)
        try:
            execute(f"{line} -o {quoted(str(output))}")
        finally:
            native.use(before)
        written.append(output.read_bytes())
    verdict = "the same" if written[0] == written[1] else "DIFFERENT"
    print(f"{line}: {verdict}, {written[0].count(10)} lines, by {' '.join(sorted(called))}")


define("by-kernels", by_kernels)
