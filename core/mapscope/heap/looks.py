# SPDX-License-Identifier: MIT
"""A look at all maps of a process, kept in a file, and what differs between two.

A look has a sum for each type and owner. The file is JSON: {"schema", "complete", "groups":
[{"type", "owner", "maps", "count", "bytes", "wasted", "retained"}]}.
"""

import json
from dataclasses import dataclass
from typing import Dict, List, Tuple

from ..errors import UsageError
from ..program.values import dumps, escape
from .totals import Group

SCHEMA = "mapscope.heap-look/1"
#: bytes of such a file, at most
_MOST_BYTES = 1 << 30

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
    def bytes(self) -> int:
        """How much more there is now."""
        return self.now.bytes - self.before.bytes

    def form(self) -> Dict[str, object]:
        """As JSON."""
        return {
            "type": self.type,
            "owner": self.owner,
            "change": self.what,
            "bytes": self.bytes,
            "count": self.now.entries - self.before.entries,
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
            raise UsageError(f"{escape(path)}: its schema is {escape(str(form['schema']))}")
        look: Look = {}
        for row in form["groups"]:
            group = Group(
                maps=int(row["maps"]),
                entries=int(row["count"]),
                bytes=int(row["bytes"] or 0),
                wasted=int(row["wasted"] or 0),
                retained=int(row["retained"]),
                unknown=int(row["bytes"] is None),
            )
            look[str(row["type"]), str(row["owner"])] = group
        return look, bool(form["complete"])
    except OSError as error:
        raise UsageError(f"{escape(path)}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(f"{escape(path)} holds no look that map heap --save wrote") from None


def differences(before: Look, now: Look) -> List[Difference]:
    """What differs, the largest change first."""
    found: List[Difference] = []
    for key in {**before, **now}:
        old, new = before.get(key, Group()), now.get(key, Group())
        if (old.maps, old.entries, old.bytes) == (new.maps, new.entries, new.bytes):
            continue
        if not old.maps:
            what = "appeared"
        elif not new.maps:
            what = "went"
        else:
            more = (new.bytes - old.bytes, new.entries - old.entries, new.maps - old.maps)
            what = "grew" if more > (0, 0, 0) else "shrank"
        found.append(Difference(key[0], key[1], what, old, new))
    found.sort(key=lambda one: (-abs(one.bytes), one.type, one.owner))
    return found
