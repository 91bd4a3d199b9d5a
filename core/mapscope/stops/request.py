# SPDX-License-Identifier: MIT
"""What a user asks to stop at: the words behind `map break`, checked."""

import argparse
import re
from typing import Any, Dict, FrozenSet, List, Optional, Tuple

from ..errors import UsageError, near
from ..program.values import escape
from ..records import dataclass

#: event: when it stops
EVENTS: Dict[str, str] = {
    "grow": "a growth starts",
    "evacuate": "an old bucket is evacuated",
    "progress": "so many old buckets are evacuated",
    "done": "a migration ends",
    "assign": "an entry is written",
    "delete": "an entry is deleted",
    "clear": "the map is cleared",
    "race": "a concurrent access was detected",
}

_MIGRATION = ("grow", "evacuate", "progress", "done")
_WRITES = ("assign", "delete")
KINDS = ("double", "same-size", "shrink", "split")
_MOST_BUCKETS = 1 << 44


@dataclass(frozen=True)
class Progress:
    """How far a migration is to be: a number of old buckets, or millionths of them."""

    buckets: int = 0
    millionths: int = 0

    def of(self, old_buckets: int) -> int:
        """The number of evacuated buckets at which it is reached, 1 to `old_buckets`."""
        wanted = self.buckets
        if self.millionths:
            wanted = (old_buckets * self.millionths + 999_999) // 1_000_000
        return max(1, wanted)

    def text(self) -> str:
        """As the user writes it."""
        if self.millionths:
            return f"{self.millionths / 10_000:g}%"
        return str(self.buckets)


@dataclass(frozen=True)
class Request:
    """One stop as it was asked for.

    :ivar map: MAP as typed; None: any map
    :ivar type: of MAP where that is an address; without MAP: only maps of this type
    :ivar kinds: of growth; empty: any
    :ivar min_entries: only maps that have so many at the event
    :ivar thread: the debugger's own number of the thread
    :ivar location: --at
    """

    event: str
    map: Optional[str] = None
    type: Optional[str] = None
    progress: Optional[Progress] = None
    kinds: FrozenSet[str] = frozenset()
    bucket: Optional[int] = None
    migrating: bool = False
    key: Optional[str] = None
    condition: Optional[str] = None
    thread: Optional[int] = None
    ignore: int = 0
    once: bool = False
    log: bool = False
    location: Optional[str] = None
    min_entries: int = 0

    @property
    def only_type(self) -> Optional[str]:
        """The type that any map is to have."""
        return self.type if self.map is None else None

    def wants(self, kind: Optional[str]) -> bool:
        """Whether a growth of this kind is meant."""
        return not self.kinds or kind in self.kinds

    def text(self) -> str:
        """The event and what narrows it down, for a reader."""
        parts = [self.event]
        if self.progress is not None:
            parts.append(self.progress.text())
        if self.bucket is not None:
            parts.append(f"of old bucket {self.bucket}")
        if self.key is not None:
            parts.append(f"of key {escape(self.key)}")
        parts += [{"double": "doubling"}.get(kind, kind) for kind in KINDS if kind in self.kinds]
        if self.migrating:
            parts.append("while migrating")
        if self.min_entries:
            parts.append(f"with {self.min_entries} entries or more")
        if self.thread is not None:
            parts.append(f"by thread {self.thread}")
        if self.condition is not None:
            parts.append(f"if {escape(self.condition)}")
        if self.ignore:
            parts.append(f"after {self.ignore} times")
        if self.once:
            parts.append("once")
        if self.log:
            parts.append("log only")
        return " ".join(parts)


def parse_progress(text: str) -> Progress:
    """P of `map break progress P`.

    :raises UsageError: if it is no number of old buckets, or no part of them
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)%", text)
    if match:
        millionths = round(float(match[1]) * 10_000)
        if not 0 < millionths <= 1_000_000:
            raise UsageError(
                f"progress {escape(text)}: a part of the old buckets is more than 0% "
                "and at most 100%"
            )
        return Progress(millionths=millionths)
    if re.fullmatch(r"\d+", text) and int(text) > 0:
        if int(text) >= _MOST_BUCKETS:
            raise UsageError(f"progress {escape(text)}: no map has so many buckets")
        return Progress(buckets=int(text))
    raise UsageError(
        f"progress {escape(text)}: expected a part of the old buckets, as 50%, or a number "
        "of them, as 50; it stands before MAP"
    )


def from_words(args: argparse.Namespace) -> Request:
    """What `map break EVENT [P] [MAP] [options]` asks for.

    :raises UsageError: if words and options do not go together
    """
    event, words = args.event, list(args.words)
    if event not in EVENTS:
        raise UsageError(
            f"map break: no event {escape(event)}{near(event, EVENTS)}; there are "
            f"{', '.join(EVENTS)}, and map break list, map break delete"
        )
    progress: Optional[Progress] = None
    if event == "progress":
        if not words:
            raise UsageError("map break progress: how far? as in map break progress 50% m")
        progress = parse_progress(words.pop(0))
    if len(words) > 1:
        raise UsageError(f"map break {event}: one MAP is expected, not {_listed(words)}")
    kinds = frozenset(kind for kind in KINDS if getattr(args, kind.replace("-", "_")))
    for given, option, events in _restricted(args, bool(kinds)):
        if given and event not in events:
            raise UsageError(
                f"map break {event}: {option} makes no sense here; it goes with "
                f"{' and '.join(events)}"
            )
    if args.bucket is not None and args.bucket >= _MOST_BUCKETS:
        raise UsageError(f"--bucket {args.bucket}: no map has so many buckets")
    under = conditions(args)
    map = words[0] if words else None
    for given, option in ((args.key is not None, "--key"), (args.at is not None, "--at")):
        if given and map is None:
            raise UsageError(f"map break {event}: {option} needs a MAP")
    return Request(
        event,
        map,
        args.type,
        progress,
        kinds,
        args.bucket,
        args.migrating,
        args.key,
        min_entries=args.min_entries,
        **under,
    )


def conditions(args: argparse.Namespace) -> Dict[str, Any]:
    """What the options of every stop (commands/base.add_conditions) say, as a Request has it.

    :raises UsageError: if one of them makes no sense
    """
    if args.ignore >= 1 << 63:
        raise UsageError(f"--ignore {args.ignore}: nothing happens so often")
    if args.at is not None and not args.at.strip():
        raise UsageError("--at: where? as in --at worker.go:17")
    return {
        "condition": args.condition,
        "thread": args.thread,
        "ignore": args.ignore,
        "once": args.once,
        "log": args.log,
        "location": args.at,
    }


def _restricted(args: argparse.Namespace, kinds: bool) -> List[Tuple[bool, str, Tuple[str, ...]]]:
    """(given, option, the events it goes with)"""
    return [
        (kinds, "--doubling, --same-size, --shrink and --split", _MIGRATION),
        (args.bucket is not None, "--bucket", ("evacuate",)),
        (args.migrating, "--migrating", _WRITES),
        (args.key is not None, "--key", _WRITES),
    ]


def _listed(words: List[str]) -> str:
    return escape(" ".join(words))
