# SPDX-License-Identifier: MIT
"""Asks delve for variables of a core dump, over its JSON-RPC interface."""

import json
import re
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, Optional, Type

#: All entries of a map, and the whole of their strings.
LOAD = {
    "FollowPointers": True,
    "MaxVariableRecurse": 1,
    "MaxStringLen": 1000,
    "MaxArrayValues": 10_000_000,
    "MaxStructFields": -1,
}
TIMEOUT = 120


class DelveFailed(Exception):
    """Delve's error: its first line."""


class Delve:
    """delve as a server, with one core dump, until the with statement ends."""

    def __init__(self, command: str, program: Path, core: Path) -> None:
        self._calls = 0
        options = ["--headless", "--api-version=2", "--listen=127.0.0.1:0"]
        self._server = subprocess.Popen(
            [command, "core", str(program), str(core), *options, "--check-go-version=false"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        try:
            self._socket = socket.create_connection(self._address(), timeout=TIMEOUT)
        except BaseException:
            self._end()
            raise
        self._stream = self._socket.makefile("rw", encoding="utf-8")

    def __enter__(self) -> "Delve":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._stream.close()
        self._socket.close()
        self._end()

    def _address(self) -> Any:
        """Where it listens, which it says first of all.

        :raises DelveFailed: if it says anything else
        """
        assert self._server.stdout is not None
        said = self._server.stdout.readline()
        listening = re.search(r"listening at: ([\d.]+):(\d+)", said)
        if listening is None:
            raise DelveFailed(said.strip() or "delve ended at once")
        return listening[1], int(listening[2])

    def _end(self) -> None:
        self._server.kill()
        self._server.wait()
        if self._server.stdout is not None:
            self._server.stdout.close()

    def call(self, method: str, **argument: Any) -> Dict[str, Any]:
        """Call one of delve's methods.

        :raises DelveFailed: with its error
        """
        self._calls += 1
        request = {"method": f"RPCServer.{method}", "params": [argument], "id": self._calls}
        self._stream.write(json.dumps(request) + "\n")
        self._stream.flush()
        line = self._stream.readline()
        if not line:
            raise DelveFailed("delve ended")
        answer = json.loads(line)
        if answer["error"] is not None:
            raise DelveFailed(str(answer["error"]).split("\n", maxsplit=1)[0])
        result: Dict[str, Any] = answer["result"]
        return result

    def evaluate(self, expression: str) -> Dict[str, Any]:
        """A variable, as its newest frame of the current goroutine has it.

        :raises DelveFailed: with delve's error
        """
        scope = {"GoroutineID": -1, "Frame": 0}
        variable: Dict[str, Any] = self.call("Eval", Scope=scope, Expr=expression, Cfg=LOAD)[
            "Variable"
        ]
        if variable["unreadable"]:
            raise DelveFailed(variable["unreadable"])
        return variable


def plain(variable: Dict[str, Any]) -> Any:
    """A string or an integer; None if delve cannot read it."""
    if variable["unreadable"]:
        return None
    return variable["value"] if variable["type"] == "string" else int(variable["value"])


def look(command: str, program: Path, core: Path, name: str, key: str) -> Dict[str, Any]:
    """What delve shows of a map: its entries, len() of it, and one key's value."""

    def number(delve: Delve, expression: str) -> Dict[str, Any]:
        try:
            return {"value": int(delve.evaluate(expression)["value"])}
        except DelveFailed as failed:
            return {"error": str(failed)}

    with Delve(command, program, core) as delve:
        entries: Dict[str, Any] = {"shown": [], "error": None}
        try:
            children = delve.evaluate(name)["children"]
            entries["shown"] = [
                (plain(children[i]), plain(children[i + 1])) for i in range(0, len(children), 2)
            ]
        except DelveFailed as failed:
            entries["error"] = str(failed)
        return {
            "entries": entries,
            "length": number(delve, f"len({name})"),
            "key": number(delve, f'{name}["{key}"]'),
        }
