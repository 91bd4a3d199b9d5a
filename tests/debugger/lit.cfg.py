# SPDX-License-Identifier: MIT
"""How lit runs the debugger scenarios.

A test is a file NAME.test: RUN lines, and the output that FileCheck expects.
They run in bash, with pipefail. A clone's path may hold spaces: what stands
below is quoted already; lit's own %s, %S and %t are not, so write "%s".

  %gdb           gdb as it comes, in batch mode and without init files: it loads
                 libstdc++'s printers, and declines Go's runtime-gdb.py; ended
                 after five minutes
  %gdb-autoload  the same, but it loads what a program names: runtime-gdb.py
  %mapscope      gdb/mapscope_gdb.py
  %mapscope-path the same without quotes, for "source %mapscope-path": gdb's
                 source takes the rest of the line as it is
  %gdbserver, %gcore, %strip, %go, %python
                 these tools
  %FileCheck     FileCheck; takes blank-separated words as they are
  %source        the project's folder
  %build         the build's folder; programs are at %build/examples/... and
                 %build/tests/debugger/programs/...
  %same-entries  same_entries.py: TRUTH ENTRIES
  %printed       printed.py, for gdb to source: `printed EXPRESSION FILE` writes
                 what the pretty-printer shows, to compare it with --bare

Features (REQUIRES: ...): gdb, gdbserver, gcore, strip, go, go-classic (its
maps are those of Go 1.17 to 1.23), go-runtime-gdb.
"""
import os
import shlex

import lit.formats

config.name = "mapscope-debugger"
config.test_format = lit.formats.ShTest(execute_external=True)
config.pipefail = True
config.suffixes = [".test"]
config.test_source_root = config.suite
config.test_exec_root = config.suite_build
config.available_features.update(config.found_features)

# The same on every machine: no user's settings, no network, no terminal.
config.environment.update(
    {
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "DEBUGINFOD_URLS": "",
        "HOME": config.suite_build,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
)

q = shlex.quote
gdb = (
    f"timeout --kill-after=5 300 {q(config.gdb)} -nx -nh -batch -q"
    " -iex 'set debuginfod enabled off' -iex 'set width 0'"
)
tools = {
    "%gdb": gdb,
    "%gdb-autoload": f"{gdb} -iex 'set auto-load safe-path /'",
    "%mapscope": q(os.path.join(config.source, "gdb", "mapscope_gdb.py")),
    "%mapscope-path": os.path.join(config.source, "gdb", "mapscope_gdb.py"),
    "%gdbserver": f"timeout --kill-after=5 300 {q(config.gdbserver)}",
    "%gcore": q(config.gcore),
    "%strip": q(config.strip),
    "%go": q(config.go),
    "%python": q(config.python),
    "%FileCheck": f"{q(config.filecheck)} --dump-input-context=20",
    "%source": q(config.source),
    "%build": q(config.build),
    "%printed": q(os.path.join(config.suite, "printed.py")),
    "%same-entries": f"{q(config.python)} {q(os.path.join(config.suite, 'same_entries.py'))}",
}
# lit takes patterns; %gdb must not match the beginning of %gdbserver.
config.substitutions.extend(
    (name + r"(?![\w-])", text.replace("\\", "\\\\")) for name, text in tools.items()
)
