# SPDX-License-Identifier: MIT
"""What happens to maps, a line for each event: for `map trace` and `map history`.

The runtime prints the same lines for MAPDEBUG=maptrace=1 (runtime/src/trace.cpp).
"""

from typing import Optional

#: what happened, as EventLine has it; "grow" begins a migration, "done" ends it, "replace" is a
#: growth within one write
CREATED, GROW, MOVED, DONE, REPLACE = "created", "grow", "moved", "done", "replace"
CLEARED, REBUILD, RACE, DESTROYED = "cleared", "rebuild", "race", "destroyed"


class EventLine(str):
    """A line, with what it tells.

    :ivar event: what happened
    :ivar said: the line without the map
    :ivar entries: of the map as the event leaves it, without the one that a growth is for; None:
        the line does not tell
    :ivar buckets: of the present array; None: the line does not tell, or there are none
    :ivar old: buckets of the array that is migrated; None: the line does not tell
    """

    event: str
    address: int
    said: str
    entries: Optional[int]
    buckets: Optional[int]
    old: Optional[int]

    def __new__(
        cls,
        event: str,
        address: int,
        said: str,
        entries: Optional[int] = None,
        buckets: Optional[int] = None,
        old: Optional[int] = None,
    ) -> "EventLine":
        line = super().__new__(cls, f"map[{address:#x}] {said}")
        line.event, line.address, line.said = event, address, said
        line.entries, line.buckets, line.old = entries, buckets, old
        return line


def created_line(address: int, hint: int, buckets: int) -> EventLine:
    """A map was made."""
    said = f"created with hint {hint} (buckets: {buckets})"
    return EventLine(CREATED, address, said, 0, buckets)


def hundredths(entries: int, buckets: int) -> str:
    """A load factor with two decimals, halves rounded up."""
    value = (200 * entries + buckets) // (2 * max(buckets, 1))
    return f"{value // 100}.{value % 100:02}"


def grow_line(
    address: int, kind: Optional[str], old: int, new: int, count: int, over: Optional[int]
) -> EventLine:
    """A growth starts, for the insert of one more entry.

    :param over: hmap.noverflow; None: not known any more
    """
    if kind == "same-size":
        overflow = "" if over is None else f" (overflow: {over})"
        said = f"grows same-size at {old} buckets{overflow}"
        return EventLine(GROW, address, said, count, new, old)
    verb = "shrinks" if kind == "shrink" else "grows"
    entries = count if kind == "shrink" else count + 1
    which = "" if kind == "shrink" else " with the new one"
    said = (
        f"{verb} from {old} to {new} buckets (entries: {entries}{which}, "
        f"load factor: {hundredths(entries, old)} -> {hundredths(entries, new)})"
    )
    return EventLine(GROW, address, said, count, new, old)


def resize_line(address: int, old: int, new: int, count: int) -> EventLine:
    """A migration of a table that is not for the insert of one more entry alone."""
    said = (
        f"{'grows' if new > old else 'shrinks'} from {old} to {new} buckets "
        f"(entries: {count}, load factor: {hundredths(count, old)} -> {hundredths(count, new)})"
    )
    return EventLine(GROW, address, said, count, new, old)


def begun_line(address: int, old: int, new: int, count: int) -> EventLine:
    """A migration of a table whose load says nothing."""
    said = f"{'grows' if new > old else 'shrinks'} from {old} to {new} buckets (entries: {count})"
    return EventLine(GROW, address, said, count, new, old)


def unfinished_line(address: int, bucket: int, old: int, new: int) -> EventLine:
    """An old bucket is being moved."""
    said = f"bucket migration: bkt#{bucket} begun, not finished"
    return EventLine(MOVED, address, said, None, new, old)


def left_line(address: int, bucket: int, old: int, new: int) -> EventLine:
    """An old bucket was moved; to where is not known."""
    said = f"bucket migration: old bkt#{bucket} of {old}"
    return EventLine(MOVED, address, said, None, new, old)


def scattered_line(address: int, bucket: int, moved: int) -> EventLine:
    """An old bucket's entries were moved to more than two."""
    said = f"bucket migration: bkt#{bucket} ({moved} keys moved)"
    return EventLine(MOVED, address, said)


def filled_line(address: int, bucket: int, source: int, old: int, new: int) -> EventLine:
    """A new bucket is about to be filled from another one."""
    said = f"bucket migration: bkt#{source} -> bkt#{bucket}"
    return EventLine(MOVED, address, said, None, new, old)


def passed_line(address: int, bucket: int, old: int, new: int) -> EventLine:
    """An old bucket was moved; with how many entries is not known."""
    where = f"bkt#{bucket} -> bkt#{bucket & (new - 1)}"
    if new == 2 * old:
        where += f", bkt#{bucket + old}"
    elif new > old:
        where = f"bkt#{bucket}"
    return EventLine(MOVED, address, f"bucket migration: {where}", None, new, old)


def swiss_created_line(address: int, hint: int, slots: int) -> EventLine:
    """A Swiss map was made."""
    return EventLine(CREATED, address, f"created with hint {hint} (slots: {slots})", 0)


def table_line(
    address: int, table: Optional[int], tables: int, old: int, new: int, count: int
) -> EventLine:
    """A Swiss map's table is replaced, for the insert of one more entry.

    :param table: its number; None: there was none yet
    :param old: its slots, and `new` those of the table that replaces it; the same: of two
    """
    entries = f"entries: {count + 1} with the new one"
    if table is None:
        said = f"grows from a group to a table of {new} slots ({entries})"
    elif new == old:
        said = (
            f"table {table} splits into two of {new} slots "
            f"({entries}, tables: {tables} -> {tables + 1})"
        )
    else:
        said = f"table {table} grows from {old} to {new} slots ({entries}, tables: {tables})"
    return EventLine(REPLACE, address, said, count)


def moved_line(
    address: int,
    bucket: int,
    old: int,
    new: int,
    x: int,
    y: int,
    entries: Optional[int] = None,
) -> EventLine:
    """An old bucket was evacuated: `x` entries to the same index, `y` to index + old.

    :param entries: of the map; None: not looked up
    """
    where = f"bkt#{bucket} -> bkt#{bucket & (new - 1)}"
    if new <= old:
        said = f"bucket migration: {where} ({x} keys moved)"
    else:
        said = f"bucket migration: {where}, bkt#{bucket + old} ({x} + {y} keys moved)"
    return EventLine(MOVED, address, said, entries, new, old)


def done_line(address: int, buckets: int, how: str, entries: Optional[int] = None) -> EventLine:
    """A migration has ended.

    :param entries: of the map; None: not looked up
    """
    said = f"growth {how or 'done'}: {buckets} buckets"
    return EventLine(DONE, address, said, entries, buckets)


def cleared_line(address: int, count: Optional[int]) -> EventLine:
    """All entries are about to be removed.

    :param count: None: they are gone already
    """
    said = "cleared" if count is None else f"cleared (entries: {count})"
    return EventLine(CLEARED, address, said, 0)


def rebuild_line(address: int, hint: int, count: int, buckets: int) -> EventLine:
    """rebuild() begins."""
    said = f"rebuild with hint {hint} (entries: {count}, buckets: {buckets})"
    return EventLine(REBUILD, address, said, count, buckets)


def race_line(address: int, message: str) -> EventLine:
    """A concurrent access was noticed, in the program's words."""
    return EventLine(RACE, address, f"race: {message}")


def destroyed_line(address: int, count: int) -> EventLine:
    """A map is about to go."""
    return EventLine(DESTROYED, address, f"destroyed (entries: {count})", 0)
