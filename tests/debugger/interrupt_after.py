# SPDX-License-Identifier: MIT
"""Commands for tests, in gdb and LLDB: what does Ctrl-C do to a command?

    interrupt-after SECONDS COMMAND...
    interrupt-when-written FILE COMMAND...

run COMMAND and send the debugger a SIGINT, as a terminal's Ctrl-C does: after SECONDS, or
once FILE has some text, however long that takes. They fail if the command was done
by then: the test needs more work for it.
"""

import os
import shlex
import signal
import threading
import time
from typing import Callable

from in_debugger import Failed, define, execute


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
        output = execute(command)
        print(f"ended with: {output.splitlines()[-1] if output else 'nothing'}")
    except (Failed, KeyboardInterrupt) as error:
        print(f"ended with: {type(error).__name__} {error}")
    done.set()
    watcher.join()
    if not sent.is_set():
        raise Failed("the command was done before it was interrupted")


def interrupt_after(argument: str) -> None:
    """interrupt-after SECONDS COMMAND...: run COMMAND, interrupt it meanwhile."""
    delay, _, command = argument.partition(" ")
    _run(command, lambda done: _wait(done, float(delay)))


def interrupt_when_written(argument: str) -> None:
    """interrupt-when-written FILE COMMAND...: run COMMAND, interrupt it when FILE has text."""
    file, *words = shlex.split(argument)

    def wait(done: threading.Event) -> None:
        while not done.is_set() and not (os.path.exists(file) and os.path.getsize(file)):
            time.sleep(0.01)

    _run(" ".join(words), wait)


define("interrupt-after", interrupt_after)
define("interrupt-when-written", interrupt_when_written)
