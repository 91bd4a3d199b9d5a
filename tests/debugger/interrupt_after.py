# SPDX-License-Identifier: MIT
"""A gdb command for tests: what does Ctrl-C do to a command?

    interrupt-after SECONDS COMMAND...

runs COMMAND and sends gdb a SIGINT after SECONDS, as a terminal's Ctrl-C does.
It fails if the command was done by then: the test needs more work for it.
"""

import os
import signal
import threading

import gdb


class InterruptAfter(gdb.Command):
    """interrupt-after SECONDS COMMAND...: run COMMAND, interrupt it meanwhile."""

    def __init__(self) -> None:
        super().__init__("interrupt-after", gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        delay, _, command = argument.partition(" ")
        timer = threading.Timer(float(delay), os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        try:
            output = gdb.execute(command, to_string=True)
            print(f"ended with: {output.splitlines()[-1] if output else 'nothing'}")
        except (gdb.error, KeyboardInterrupt) as error:
            print(f"ended with: {type(error).__name__} {error}")
        if timer.is_alive():
            timer.cancel()
            raise gdb.GdbError("the command was done before it was interrupted")
        timer.join()


InterruptAfter()
