# SPDX-License-Identifier: MIT
"""`--perfetto FILE`: the timeline that commands write."""

import argparse
import time

from ..errors import UsageError
from ..maps.timeline import Timeline
from ..program.values import named

#: where a timeline is opened
VIEWER = "https://ui.perfetto.dev"


def add_perfetto(parser: argparse.ArgumentParser) -> None:
    """The option --perfetto."""
    parser.add_argument(
        "--perfetto",
        metavar="FILE",
        help=f"write a timeline that {VIEWER} opens: migrations of each map, what each thread did",
    )


def open_timeline(path: str) -> Timeline:
    """Begin a timeline.

    :raises UsageError: if the file cannot be written
    """
    try:
        file = open(path, "wb")
        try:
            return Timeline(file, time.time_ns())
        except BaseException:
            file.close()
            raise
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: str, error: OSError) -> UsageError:
    """What is said of a file that cannot be written."""
    return UsageError(f"cannot write {named(path)}: {error.strerror or error}")
