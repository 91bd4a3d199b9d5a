#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an IDE shows of a map whose adapter is gdb itself, which speaks the protocol since gdb 14.

    gdb_adapter.py GDB MAPSCOPE FUNCTION VARIABLE PROGRAM

Launches PROGRAM, stops at FUNCTION, evaluates VARIABLE, turns to its first page and to one further
on, and runs a `map` command in the console. Prints what an IDE would show; "left out: REASON" where
this gdb has no adapter. Facts: the protocol's specification; gdb's documentation, "Debugger Adapter
Protocol".
"""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "in_lldb"))

from dap_client import PAGE, Client  # noqa: E402

_FIRST = 14


def main() -> int:
    """One session."""
    gdb, mapscope, function, variable, program = sys.argv[1:]
    said = subprocess.run([gdb, "--version"], capture_output=True, encoding="utf-8", check=False)
    version = re.search(r" (\d+)\.\d", said.stdout)
    if version is None or int(version[1]) < _FIRST:
        print(f"left out: gdb {version[1] if version else '?'} is no adapter, {_FIRST} is")
        return 0
    client = Client(
        [gdb, "-nx", "--interpreter=dap", "-iex", "set debuginfod enabled off", "-ix", mapscope]
    )
    # gdb gives all children to whom does not say that they are asked for by pages
    frame = client.stop_at(function, {"supportsVariablePaging": True}, program=program)
    map = client.ask("evaluate", expression=variable, frameId=frame["id"], context="watch")
    print(f"{variable}: {map['result']}")
    print(f"indexed: {map.get('indexedVariables')}")
    for start in (0, (map.get("indexedVariables") or 0) // 2):
        page = client.ask(
            "variables", variablesReference=map["variablesReference"], start=start, count=PAGE
        )["variables"]
        for at, child in enumerate(page):
            print(f"child {start + at}: {child['name']} = {child['value']}")
    command = f"map inspect {variable}"
    answer = client.ask("evaluate", expression=command, frameId=frame["id"], context="repl")
    print(f"console: {answer['result'].rstrip()}")
    client.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
