#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an IDE does with a launch configuration of docs/ide.md, over the protocol that it speaks.

    ide_session.py DOCUMENT KIND MAPSCOPE_DIR PROGRAM DEBUGGER [OPTIONS...]

KIND is the configuration's type: cppdbg is spoken to gdb, which reads gdb/MI, as cpptools does;
lldb-dap is what DEBUGGER is then; and lldb has its commands run by LLDB itself. Stops at
`checkpoint`, shows the variable m and some of its entries, and types `map inspect m`.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

sys.path.append(str(Path(__file__).resolve().parent / "in_lldb"))

from dap_client import Client  # noqa: E402

Configuration = Dict[str, Any]


def configuration(document: Path, kind: str, mapscope: str, program: str) -> Configuration:
    """The one of that type, for this program."""
    text = document.read_text(encoding="utf-8")
    found = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    (chosen,) = [one for one in found if one["type"] == kind]
    words = json.dumps(chosen)
    assert "/path/to/mapscope" in words and "${workspaceFolder}/server" in words
    words = words.replace("/path/to/mapscope", mapscope)
    words = words.replace("${workspaceFolder}/server", program)
    made: Configuration = json.loads(words.replace("${workspaceFolder}", str(Path(program).parent)))
    return made


class Gdb:
    """gdb, over its machine interface."""

    def __init__(self, debugger: List[str]) -> None:
        self._process = subprocess.Popen(
            debugger, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def wait(self, start: str) -> str:
        """What gdb says until a line that starts so, which is the last one."""
        said = []
        for line in self._process.stdout or ():
            said.append(line)
            if line.startswith(start):
                return "".join(said)
        raise SystemExit(f"gdb has ended: {''.join(said)}")

    def ask(self, command: str, typed: bool = False) -> str:
        """The answer to a command; one that is typed into the console goes there as it is."""
        if typed:
            command = f"-interpreter-exec console {json.dumps(command)}"
        assert self._process.stdin is not None
        self._process.stdin.write(f"7{command}\n")
        self._process.stdin.flush()
        said = self.wait("7^")
        if "7^error" in said:
            raise SystemExit(f"{command}: {said}")
        return said

    def end(self) -> None:
        """Take leave."""
        self.ask("-gdb-exit")
        self._process.wait(60)


def console(said: str) -> str:
    """What gdb has printed for its user."""
    return "".join(json.loads(line[1:]) for line in said.splitlines() if line.startswith('~"'))


def in_gdb(debugger: List[str], chosen: Configuration) -> None:
    """As cpptools does it."""
    gdb = Gdb(debugger)
    for command in chosen["setupCommands"]:
        gdb.ask(command["text"], typed=not command["text"].startswith("-"))
    gdb.ask(f"-file-exec-and-symbols {json.dumps(chosen['program'])}")
    gdb.ask("-break-insert -f checkpoint")
    gdb.ask("-exec-run")
    print("stopped:", "breakpoint-hit" in gdb.wait("*stopped"))
    made = gdb.ask("-var-create pane * m")
    print("hint:", "map" if 'displayhint="map"' in made else "none", 'dynamic="1"' in made)
    page = gdb.ask("-var-list-children --all-values pane 0 6")
    values = [json.loads(f'"{text}"') for text in re.findall(r'value="((?:[^"\\]|\\.)*)"', page)]
    for key, value in zip(values[::2], values[1::2]):
        print(f"entry [{key}] = {value}")
    print(f"console:\n{console(gdb.ask('map inspect m', typed=True))}")
    gdb.end()


def in_adapter(debugger: List[str], chosen: Configuration) -> None:
    """As VS Code does it."""
    client = Client(debugger)
    client.ask("initialize", adapterID=chosen["type"], linesStartAt1=True, pathFormat="path")
    launch = client.request("launch", **chosen)
    client.event("initialized")
    client.ask("setFunctionBreakpoints", breakpoints=[{"name": "checkpoint"}])
    client.ask("configurationDone")
    client.answer(launch)
    stopped = client.event("stopped")["body"]
    print("stopped:", stopped["reason"] == "breakpoint")
    frame = client.ask("stackTrace", threadId=stopped["threadId"], levels=1)["stackFrames"][0]
    for scope in client.ask("scopes", frameId=frame["id"])["scopes"]:
        of_scope = client.ask("variables", variablesReference=scope["variablesReference"])
        for variable in of_scope["variables"]:
            if variable["name"] == "m":
                reference = variable["variablesReference"]
                page = client.ask("variables", variablesReference=reference, start=0, count=3)
                for child in page["variables"][:3]:
                    print(f"entry {child['name']} = {child['value']}")
    # LLDB 19 takes what is typed without a backquote for an expression
    typed = "`map inspect m"
    answer = client.ask("evaluate", expression=typed, frameId=frame["id"], context="repl")
    print(f"console:\n{answer['result'].rstrip()}")
    client.end()


def in_console(debugger: List[str], chosen: Configuration) -> None:
    """What CodeLLDB has LLDB run, before and after the program is there."""
    words = list(debugger)
    for command in chosen["initCommands"]:
        words += ["--one-line-before-file", command]
    for command in ("b checkpoint", "run", "v m", "map inspect m"):
        words += ["--one-line", command]
    done = subprocess.run(
        [*words, chosen["program"]], capture_output=True, text=True, timeout=100, check=False
    )
    print("stopped:", "stop reason = breakpoint" in done.stdout)
    for line in done.stdout.splitlines():
        print(re.sub(r"^ *(\[.*\] = .*)$", r"entry \1", line))


def main() -> int:
    """Exit status of the session."""
    document, kind, mapscope, program, *debugger = sys.argv[1:]
    chosen = configuration(Path(document), kind, mapscope, program)
    {"cppdbg": in_gdb, "lldb-dap": in_adapter, "lldb": in_console}[kind](debugger, chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
