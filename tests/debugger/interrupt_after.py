# SPDX-License-Identifier: MIT
"""gdb commands for tests: what does Ctrl-C do to a command?

    interrupt-after SECONDS COMMAND...
    interrupt-when-written FILE COMMAND...

run COMMAND and send gdb a SIGINT, as a terminal's Ctrl-C does: after SECONDS, or
once FILE has some text, however long that takes. They fail if the command was done
by then: the test needs more work for it.
"""

import os
import signal
import threading
import time
from typing import Callable

import gdb


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def _wait(done: threading.Event, seconds: float) -> None:
    done.wait(seconds)


def _run(command: str, wait: Callable[[threading.Event], None]) -> None:
    """Run a command; send the signal when `wait` returns, unless it is done before."""
    done = threading.Event()

    def watch() -> None:
        wait(done)
        if not done.is_set():
            sent.set()
            _interrupt()

    sent = threading.Event()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        output = gdb.execute(command, to_string=True)
        print(f"ended with: {output.splitlines()[-1] if output else 'nothing'}")
    except (gdb.error, KeyboardInterrupt) as error:
        print(f"ended with: {type(error).__name__} {error}")
    done.set()
    watcher.join()
    if not sent.is_set():
        raise gdb.GdbError("the command was done before it was interrupted")


class InterruptAfter(gdb.Command):
    """interrupt-after SECONDS COMMAND...: run COMMAND, interrupt it meanwhile."""

    def __init__(self) -> None:
        super().__init__("interrupt-after", gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Run it."""
        delay, _, command = argument.partition(" ")
        _run(command, lambda done: _wait(done, float(delay)))


class InterruptWhenWritten(gdb.Command):
    """interrupt-when-written FILE COMMAND...: run COMMAND, interrupt it when FILE has text."""

    def __init__(self) -> None:
        super().__init__("interrupt-when-written", gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Run it."""
        file, *words = gdb.string_to_argv(argument)

        def wait(done: threading.Event) -> None:
            while not done.is_set() and not (os.path.exists(file) and os.path.getsize(file)):
                time.sleep(0.01)

        _run(" ".join(words), wait)


InterruptAfter()
InterruptWhenWritten()
