# SPDX-License-Identifier: MIT
"""How lit runs the debugger scenarios.

A test is a file NAME.test: RUN lines, and the output that FileCheck expects.
They run in bash, with pipefail. A clone's path may hold spaces: what stands
below is quoted already; lit's own %s, %S and %t are not, so write "%s".

A test that says %debug is run twice, in gdb and in LLDB (lit's -Ddebugger=lldb;
gdb without it), each time in folders of its own.

  %debug         gdb with mapscope loaded, or LLDB with mapscope loaded that takes
                 gdb's options and commands (lldb_steps.py says which)
  %in-gdb, %in-lldb
                 the one or the other, for tests that use both
  %gdb           gdb as it comes, in batch mode and without init files: it loads
                 libstdc++'s printers, and declines Go's runtime-gdb.py; ended
                 after a quarter of an hour (28 minutes with "long")
  %gdb-autoload  the same, but it loads what a program names: runtime-gdb.py
  %lldb          LLDB, in batch mode and without init files
  %lldb-dap      LLDB's debug adapter
  %debugger-path gdb or LLDB, the file
  %gdb-mi        gdb that reads gdb/MI
  %mapscope      the script that %debug loads: gdb/mapscope_gdb.py or
                 lldb/mapscope_lldb.py
  %mapscope-path the same without quotes, for "source %mapscope-path": gdb's
                 source takes the rest of the line as it is
  %gdbserver     gdbserver; in LLDB: lldb-server gdbserver
  %gcore, %strip, %go, %python
                 these tools
  %FileCheck     FileCheck; takes blank-separated words as they are. A line of one
                 debugger alone is GDB: or LLDB: with --check-prefixes=CHECK,%DEBUGGER
  %source        the project's folder
  %build         the build's folder; programs are at %build/examples/... and
                 %build/tests/debugger/programs/...
  %compare       compare.py: TRUTH OUTPUTS
  %same-entries  same_entries.py: TRUTH ENTRIES
  %lit           lit itself
  %skip-if-left-out
                 left_out.py: LOG; skips the test if all that it was to test was left out
  %printed       printed.py, for gdb to source: `printed EXPRESSION FILE` writes
                 what the pretty-printer shows, to compare it with --bare

Features (REQUIRES: ...): debugger, the one of this run; gdb or lldb, the same by its
name, for tests and lines (%if gdb %{ ... %}) that make sense in one alone; gdbserver
(lldb-server in LLDB), gcore (which is gdb's), strip, go, go-classic (its maps are
those of Go 1.17 to 1.23), go-runtime-gdb; kernels, if they were built; long, if more
places are to be looked at (scripts/test --long).
"""
import os
import shlex
import sys

import lit.formats

config.name = "mapscope-debugger"
config.test_format = lit.formats.ShTest(execute_external=True)
config.pipefail = True
config.suffixes = [".test"]
config.test_source_root = config.suite
debugger = lit_config.params.get("debugger", "gdb")
# another one of that name, with its servers beside it: lit's -Dpath=FILE
other = lit_config.params.get("path")
if other:
    setattr(config, debugger, other)
    if debugger == "lldb":
        config.lldb_server, config.lldb_dap = (f"{other}-{one}" for one in ("server", "dap"))
name = debugger if not other else os.path.basename(os.path.dirname(os.path.dirname(other)))
config.test_exec_root = os.path.join(config.suite_build, "in", name)
others = {"gdb", "lldb", "gdbserver", "lldb-server"}
config.available_features.update(set(config.found_features) - others)
if debugger in config.found_features:
    config.available_features.update({debugger, "debugger"})
if {"gdb": "gdbserver", "lldb": "lldb-server"}[debugger] in config.found_features:
    config.available_features.add("gdbserver")

is_long = bool(os.environ.get("MAPSCOPE_LONG"))
if is_long:
    config.available_features.add("long")

if {"gdb", "lldb"} <= set(config.found_features):
    config.available_features.add("both")

# The same on every machine: no user's settings, no network, no terminal.
config.environment.update(
    {
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "DEBUGINFOD_URLS": "",
        "HOME": config.suite_build,
        # Compiled once, not in each of some hundred debuggers; and not in the source folder.
        "PYTHONPYCACHEPREFIX": os.path.join(config.suite_build, "pycache"),
        # Commands for tests import in_debugger.
        "PYTHONPATH": config.suite,
    }
)

# What the debuggers make out of debug information is kept, too: of most C++ programs it takes
# them longer than the commands. The long form has them read it as they do by default.
indexes = os.path.join(config.suite_build, "indexes")
keep_indexes = ""
if not is_long:
    config.environment["MAPSCOPE_TEST_INDEXES"] = indexes
    keep_indexes = (
        f" -iex {shlex.quote(f'set index-cache directory {indexes}')}"
        " -iex 'set index-cache enabled on'"
    )

# The kernels of the build that is tested, if it has them.
kernels = os.environ.get("MAPSCOPE_KERNELS") or os.path.join(
    config.build, "kernels", "mapscope_kernels.so"
)
if os.path.exists(kernels):
    config.environment["MAPSCOPE_KERNELS"] = kernels
    config.available_features.add("kernels")

# Where scripts/toolchains looks for Go's, if somebody says so.
for name in ("MAPSCOPE_TOOLCHAINS", "MAPSCOPE_SOURCES"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

q = shlex.quote
timeout = f"timeout --kill-after=5 {1700 if is_long else 900}"
gdb = (
    f"{timeout} {q(config.gdb)} -nx -nh -batch -q"
    f" -iex 'set debuginfod enabled off' -iex 'set width 0'{keep_indexes}"
)
scripts = {
    "gdb": os.path.join(config.source, "gdb", "mapscope_gdb.py"),
    "lldb": os.path.join(config.source, "lldb", "mapscope_lldb.py"),
}
mapscope = scripts[debugger]
in_debugger = {
    "gdb": f"{gdb} -x {q(scripts['gdb'])}",
    "lldb": f"{timeout} {q(config.python)}"
    f" {q(os.path.join(config.suite, 'lldb_steps.py'))} {q(config.lldb)} {q(scripts['lldb'])}",
}
servers = {"gdb": q(config.gdbserver), "lldb": f"{q(config.lldb_server)} gdbserver"}
tools = {
    "%debug": in_debugger[debugger],
    "%DEBUGGER": debugger.upper(),
    "%compare": f"{q(config.python)} {q(os.path.join(config.suite, 'compare.py'))}"
    f" --debugger {debugger}",
    "%in-gdb": in_debugger["gdb"],
    "%in-lldb": in_debugger["lldb"],
    "%gdb": gdb,
    "%gdb-autoload": f"{gdb} -iex 'set auto-load safe-path /'",
    "%lldb": f"{timeout} {q(config.lldb)} --batch --no-lldbinit",
    "%lldb-dap": q(config.lldb_dap),
    "%debugger-path": q(config.lldb if debugger == "lldb" else config.gdb),
    "%gdb-mi": gdb.replace("-batch", "--interpreter=mi"),
    "%mapscope": q(mapscope),
    "%mapscope-path": mapscope,
    "%gdbserver": f"{timeout} {servers[debugger]}",
    "%gcore": q(config.gcore),
    "%strip": q(config.strip),
    # The compiler is through a fifth earlier if it collects less of its garbage.
    "%go build": f"env GOGC=400 {q(config.go)} build",
    "%go": q(config.go),
    "%python": q(config.python),
    "%FileCheck": f"{q(config.filecheck)} --dump-input-context=20",
    "%lit": f"{q(config.python)} {q(os.path.abspath(sys.argv[0]))}",
    "%source": q(config.source),
    "%build": q(config.build),
    "%printed": q(os.path.join(config.suite, "printed.py")),
    "%skip-if-left-out": f"{q(config.python)} {q(os.path.join(config.suite, 'left_out.py'))}",
    "%same-entries": f"{q(config.python)} {q(os.path.join(config.suite, 'same_entries.py'))}",
}
# lit takes patterns; %gdb must not match the beginning of %gdbserver.
config.substitutions.extend(
    (name + r"(?![\w-])", text.replace("\\", "\\\\")) for name, text in tools.items()
)
