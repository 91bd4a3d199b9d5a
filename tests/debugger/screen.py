#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a terminal shows of gdb, with its windows.

    screen.py SOURCE STEP... -- COMMAND...

Runs COMMAND in a terminal of 30 lines and 100 columns, and does the steps in order:

    type:TEXT    types it; \\n and the like as in Python
    until:TEXT   waits until the screen has it, for 60 seconds
    without:TEXT waits until it has it no more
    size:RxC     gives the terminal another size
    show:NAME    prints the screen, between lines with NAME

SOURCE is the project's folder: its scripts/toolchains has the emulator, where Python has none.
Says "left out: REASON" where it cannot be had.
"""

import fcntl
import importlib
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from typing import Any, List

#: seconds until what is waited for must be there
PATIENCE = 60.0


def emulator(source: str) -> Any:
    """The module pyte; ends the script, with a line, where there is none."""
    try:
        return importlib.import_module("pyte")
    except ImportError:
        asked = [f"{source}/scripts/toolchains", "pyte"]
        said = subprocess.run(asked, stdout=subprocess.PIPE, encoding="utf-8", check=False).stdout
        folder = said.strip().partition(" ")[2]
        if not folder.startswith("/"):
            print(f"left out: python3-pyte: {folder}")
            sys.exit()
        sys.path.append(folder)
        return importlib.import_module("pyte")


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, module: Any, command: List[str], lines: int, columns: int) -> None:
        self._screen = module.Screen(columns, lines)
        self._stream = module.ByteStream(self._screen)
        self.process, self._file = pty.fork()
        if not self.process:
            os.environ["TERM"] = "vt100"  # xterm repeats characters by a sequence that pyte has not
            time.sleep(0.2)  # until the terminal has its size
            os.execvp(command[0], command)
        self.resize(lines, columns)

    def resize(self, lines: int, columns: int) -> None:
        """The kernel tells the program of it."""
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._screen.resize(lines, columns)

    def type(self, text: str) -> None:
        """As if keys were pressed."""
        os.write(self._file, text.encode())

    def text(self) -> str:
        """The screen."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def wait(self, text: str, there: bool) -> None:
        """Until the screen has a text, or has it no more; and nothing new comes."""
        end = time.monotonic() + PATIENCE
        quiet = False
        while not quiet or (text in self.text()) != there:
            left = end - time.monotonic()
            if left < 0:
                sys.exit(f"waited for {text!r} in vain:\n{self.text()}")
            quiet = not select.select([self._file], [], [], min(0.3, left))[0]
            if not quiet:
                try:
                    self._stream.feed(os.read(self._file, 1 << 16))
                except OSError:
                    sys.exit(f"it has ended, without {text!r}:\n{self.text()}")


def main() -> None:
    at = sys.argv.index("--")
    module = emulator(sys.argv[1])
    terminal = Terminal(module, sys.argv[at + 1 :], 30, 100)
    try:
        for step in sys.argv[2:at]:
            kind, _, rest = step.partition(":")
            if kind == "type":
                terminal.type(rest.encode("latin-1").decode("unicode_escape"))
            elif kind in ("until", "without"):
                terminal.wait(rest, kind == "until")
            elif kind == "size":
                terminal.resize(*map(int, rest.split("x")))
            elif kind == "show":
                print(f"<<< {rest}\n{terminal.text()}\n>>> {rest}")
            else:
                sys.exit(f"no step: {step}")
    finally:
        os.kill(terminal.process, 9)
        os.waitpid(terminal.process, 0)


main()
