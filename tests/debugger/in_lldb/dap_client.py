#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an IDE does with a map: a client of the Debug Adapter Protocol.

    dap_client.py LLDB-DAP MAPSCOPE FUNCTION VARIABLE PROGRAM [ARGUMENTS...]

Launches PROGRAM under LLDB-DAP, stops at FUNCTION, shows VARIABLE in the variables pane,
turns to its first page and to one further on, asks for a child by the name that the adapter
gives it, and runs `map` commands in the console. Prints what an IDE would show. Facts: the
protocol's specification, "Base Protocol" and "Requests"; LLDB's documentation of lldb-dap for
initCommands.
"""

import json
import subprocess
import sys
from typing import Any, Callable, Dict, List

Message = Dict[str, Any]
#: children that are asked for, as for the first page of a pane
PAGE = 5


class Client:
    """Talks to an adapter over its standard input and output."""

    def __init__(self, command: List[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._number = 0
        self._waiting: List[Message] = []
        self.output = ""

    def request(self, command: str, **arguments: Any) -> int:
        """Send a request; its number."""
        self._number += 1
        body = json.dumps(
            {"seq": self._number, "type": "request", "command": command, "arguments": arguments}
        ).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()
        return self._number

    def _read(self) -> Message:
        pipe = self._process.stdout
        assert pipe is not None
        size = 0
        while True:
            line = pipe.readline()
            if not line:
                raise SystemExit("the adapter has ended")
            if line.lower().startswith(b"content-length:"):
                size = int(line.split(b":")[1])
            elif line == b"\r\n":
                message: Message = json.loads(pipe.read(size))
                if message.get("event") == "output":
                    self.output += message["body"]["output"]
                return message

    def _wait(self, wanted: Callable[[Message], bool]) -> Message:
        for message in self._waiting:
            if wanted(message):
                self._waiting.remove(message)
                return message
        while True:
            message = self._read()
            if wanted(message):
                return message
            self._waiting.append(message)

    def event(self, name: str) -> Message:
        """Wait for an event."""
        return self._wait(lambda message: message.get("event") == name)

    def answer(self, number: int) -> Any:
        """Wait for the answer to a request; its body."""
        message = self._wait(lambda message: message.get("request_seq") == number)
        if not message["success"]:
            raise SystemExit(f"{message['command']}: {message.get('message')} {message}")
        return message.get("body")

    def ask(self, command: str, **arguments: Any) -> Any:
        """Send a request and wait for its answer."""
        return self.answer(self.request(command, **arguments))

    def stop_at(self, function: str, told: Message, **launch: Any) -> Message:
        """Launch a program and wait until it stops at a function; its innermost frame.

        :param told: what the adapter is told of this client beside what all tell
        """
        self.ask("initialize", adapterID="mapscope", linesStartAt1=True, pathFormat="path", **told)
        launched = self.request("launch", **launch)
        self.event("initialized")
        self.ask("setFunctionBreakpoints", breakpoints=[{"name": function}])
        self.ask("configurationDone")
        self.answer(launched)
        stopped = self.event("stopped")["body"]
        print(f"stopped: {stopped['reason']}")
        thread = stopped["threadId"]
        frame: Message = self.ask("stackTrace", threadId=thread, levels=1)["stackFrames"][0]
        return frame

    def end(self) -> None:
        """Take leave."""
        self.ask("disconnect", terminateDebuggee=True)
        self._process.wait(60)


def main() -> int:
    adapter, mapscope, function, variable, program, *arguments = sys.argv[1:]
    client = Client([adapter])
    frame = client.stop_at(
        function,
        {},
        program=program,
        args=arguments,
        initCommands=[f"command script import '{mapscope}'"],
    )
    scopes = client.ask("scopes", frameId=frame["id"])["scopes"]
    shown = [
        value
        for scope in scopes
        for value in client.ask("variables", variablesReference=scope["variablesReference"])[
            "variables"
        ]
        if value["name"] == variable
    ]
    print(f"{variable}: {shown[0]['value']}")
    print(f"indexed: {shown[0].get('indexedVariables')}")
    for start in (0, shown[0].get("indexedVariables", 0) // 2):
        page = client.ask(
            "variables", variablesReference=shown[0]["variablesReference"], start=start, count=PAGE
        )["variables"]
        for child in page:
            print(f"child {child['name']} = {child['value']}")
    parts = client.ask("variables", variablesReference=page[0]["variablesReference"])["variables"]
    for value in (page[0], *parts):
        name = value["evaluateName"]
        answer = client.ask("evaluate", expression=name, frameId=frame["id"], context="hover")
        print(f"hover {name} = {answer['result']}, {answer['result'] == value['value']}")
    for command in (f"map inspect {variable}", f"`map find {variable} --json nobody"):
        answer = client.ask("evaluate", expression=command, frameId=frame["id"], context="repl")
        print(f"console: {command}\n{answer['result'].rstrip()}")
    client.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
