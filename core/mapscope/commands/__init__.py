# SPDX-License-Identifier: MIT
"""The subcommands of `map`: one table, from which the debuggers' commands,
help and completion are made.
"""

from typing import Dict

from . import bucket, entries, find, inspect, list, stats
from .base import Command

#: by name, in the order of the manual
COMMANDS: Dict[str, Command] = {
    module.COMMAND.name: module.COMMAND for module in (inspect, entries, bucket, find, stats, list)
}
