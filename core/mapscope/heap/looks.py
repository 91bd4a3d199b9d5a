# SPDX-License-Identifier: MIT
"""A look at all maps of a process, kept in a file, and what differs between two.

A look has a sum for each type and owner. The file is JSON: {"schema", "complete", "groups":
[{"type", "owner", "maps", "count", "bytes", "wasted", "retained"}]}.
"""

import json
from typing import Dict, List, Optional, Tuple

from ..errors import UsageError
from ..program.values import dumps, escape
from ..records import dataclass
from .totals import Group

SCHEMA = "mapscope.heap-look/1"
#: bytes of such a file, at most
_MOST_BYTES = 1 << 30
#: a sum is less; characters of another schema that are shown
_MOST, _MOST_SHOWN = 1 << 80, 100

#: by type and owner
Look = Dict[Tuple[str, str], Group]


@dataclass
class Difference:
    """A group, before and now.

    :ivar what: "appeared", "went", "grew", "shrank"
    """

    type: str
    owner: str
    what: str
    before: Group
    now: Group

    @property
    def bytes(self) -> Optional[int]:
        """How much more there is now; None: not known."""
        if self.now.unknown or self.before.unknown:
            return None
        return self.now.bytes - self.before.bytes

    @property
    def entries(self) -> Optional[int]:
        """The same of entries."""
        if self.now.uncounted or self.before.uncounted:
            return None
        return self.now.entries - self.before.entries

    def form(self) -> Dict[str, object]:
        """As JSON."""
        return {
            "type": self.type,
            "owner": self.owner,
            "change": self.what,
            "bytes": self.bytes,
            "count": self.entries,
            "maps": self.now.maps - self.before.maps,
            "before": self.before.form(),
            "now": self.now.form(),
        }


def text_of(look: Look, complete: bool) -> str:
    """A look as its file has it."""
    groups: List[Dict[str, object]] = []
    for (type, owner), group in look.items():
        groups.append({"type": type, "owner": owner})
        groups[-1].update(group.form())
    return dumps({"schema": SCHEMA, "complete": complete, "groups": groups}) + "\n"


def read(path: str) -> Tuple[Look, bool]:
    """A look from a file, and whether it was of all maps.

    :raises UsageError: if it has none
    """
    try:
        with open(path, encoding="utf-8") as file:
            form = json.loads(file.read(_MOST_BYTES))
        if form["schema"] != SCHEMA:
            schema = escape(str(form["schema"])[:_MOST_SHOWN])
            raise UsageError(f"{escape(path)}: its schema is {schema}, not {SCHEMA}")
        look: Look = {}
        groups, complete = form["groups"], form["complete"]
        if not isinstance(groups, list) or not isinstance(complete, bool):
            raise ValueError
        for row in groups:
            type, owner = row["type"], row["owner"]
            if not isinstance(type, str) or not isinstance(owner, str) or (type, owner) in look:
                raise ValueError
            unknown = row["bytes"] is None
            look[type, owner] = Group(
                maps=_number(row["maps"]),
                entries=0 if row["count"] is None else _number(row["count"]),
                uncounted=int(row["count"] is None),
                bytes=0 if unknown else _number(row["bytes"]),
                wasted=0 if row["wasted"] is None else _number(row["wasted"]),
                retained=_number(row["retained"]),
                unknown=int(unknown),
            )
        return look, complete
    except OSError as error:
        raise UsageError(f"{escape(path)}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(f"{escape(path)} holds no look that map heap --save wrote") from None


def _number(value: object) -> int:
    """A sum as a look may have it.

    :raises ValueError: if it is none
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST:
        raise ValueError
    return value


def differences(before: Look, now: Look) -> List[Difference]:
    """What differs, the largest change first."""
    found: List[Difference] = []
    for key in {**before, **now}:
        old, new = before.get(key, Group()), now.get(key, Group())
        # bytes that are not known did not change as far as anybody can tell
        bytes = 0 if old.unknown or new.unknown else new.bytes - old.bytes
        more_entries = 0 if old.uncounted or new.uncounted else new.entries - old.entries
        if not bytes and not more_entries and old.maps == new.maps:
            continue
        if not old.maps:
            what = "appeared"
        elif not new.maps:
            what = "went"
        else:
            more = (bytes, more_entries, new.maps - old.maps)
            what = "grew" if more > (0, 0, 0) else "shrank"
        found.append(Difference(key[0], key[1], what, old, new))
    found.sort(key=lambda one: (-abs(one.bytes or 0), one.type, one.owner))
    return found
