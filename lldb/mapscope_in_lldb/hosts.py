# SPDX-License-Identifier: MIT
"""The hosts of all targets that have had stops, as the stop hook and callbacks know them."""

from typing import List, Optional, Protocol

import lldb


class Hooked(Protocol):
    """What the hook and the callbacks tell a host."""

    def native(self) -> lldb.SBTarget:
        """LLDB's target."""

    def stopped(self, context: lldb.SBExecutionContext) -> None:
        """The program has stopped."""

    def hit_breakpoint(self, frame: lldb.SBFrame, number: int) -> bool:
        """A breakpoint is hit. Returns whether to stop."""

    def hit_watchpoint(self, frame: lldb.SBFrame, number: int) -> bool:
        """A watchpoint is hit. Returns whether to stop."""


HOSTS: List[Hooked] = []


def host_of(target: lldb.SBTarget) -> Optional[Hooked]:
    """The host of a target that has had stops."""
    HOSTS[:] = [host for host in HOSTS if host.native().IsValid()]
    return next((host for host in HOSTS if host.native() == target), None)
