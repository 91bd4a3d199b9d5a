# SPDX-License-Identifier: MIT
"""How long work tells how far it is."""

from typing import Callable

#: (done, total): called now and then while long work runs
Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Where nobody watches."""
