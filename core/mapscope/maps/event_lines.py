# SPDX-License-Identifier: MIT
"""What happens to maps, a line for each event: for `map trace` and `map history`.

The runtime prints the same lines for MAPDEBUG=maptrace=1 (runtime/src/trace.cpp).
"""

from typing import Optional


def created_line(address: int, hint: int, buckets: int) -> str:
    """A map was made."""
    return f"map[{address:#x}] created with hint {hint} (buckets: {buckets})"


def hundredths(entries: int, buckets: int) -> str:
    """A load factor with two decimals, halves rounded up."""
    value = (200 * entries + buckets) // (2 * max(buckets, 1))
    return f"{value // 100}.{value % 100:02}"


def grow_line(
    address: int, kind: Optional[str], old: int, new: int, count: int, over: Optional[int]
) -> str:
    """A growth starts, for the insert of one more entry.

    :param over: hmap.noverflow; None: not known any more
    """
    if kind == "same-size":
        overflow = "" if over is None else f" (overflow: {over})"
        return f"map[{address:#x}] grows same-size at {old} buckets{overflow}"
    verb = "shrinks" if kind == "shrink" else "grows"
    entries = count if kind == "shrink" else count + 1
    which = "" if kind == "shrink" else " with the new one"
    return (
        f"map[{address:#x}] {verb} from {old} to {new} buckets (entries: {entries}{which}, "
        f"load factor: {hundredths(entries, old)} -> {hundredths(entries, new)})"
    )


def resize_line(address: int, old: int, new: int, count: int) -> str:
    """A migration of a table that is not for the insert of one more entry alone."""
    return (
        f"map[{address:#x}] {'grows' if new > old else 'shrinks'} from {old} to {new} buckets "
        f"(entries: {count}, load factor: {hundredths(count, old)} -> {hundredths(count, new)})"
    )


def scattered_line(address: int, bucket: int, moved: int) -> str:
    """An old bucket's entries were moved to more than two."""
    return f"map[{address:#x}] bucket migration: bkt#{bucket} ({moved} keys moved)"


def passed_line(address: int, bucket: int, old: int, new: int) -> str:
    """An old bucket was moved; with how many entries is not known."""
    where = f"bkt#{bucket} -> bkt#{bucket & (new - 1)}"
    if new == 2 * old:
        where += f", bkt#{bucket + old}"
    elif new > old:
        where = f"bkt#{bucket}"
    return f"map[{address:#x}] bucket migration: {where}"


def swiss_created_line(address: int, hint: int, slots: int) -> str:
    """A Swiss map was made."""
    return f"map[{address:#x}] created with hint {hint} (slots: {slots})"


def table_line(
    address: int, table: Optional[int], tables: int, old: int, new: int, count: int
) -> str:
    """A Swiss map's table is replaced, for the insert of one more entry.

    :param table: its number; None: there was none yet
    :param old: its slots, and `new` those of the table that replaces it; the same: of two
    """
    entries = f"entries: {count + 1} with the new one"
    if table is None:
        return f"map[{address:#x}] grows from a group to a table of {new} slots ({entries})"
    what = f"map[{address:#x}] table {table}"
    if new == old:
        return (
            f"{what} splits into two of {new} slots ({entries}, tables: {tables} -> {tables + 1})"
        )
    return f"{what} grows from {old} to {new} slots ({entries}, tables: {tables})"


def moved_line(address: int, bucket: int, old: int, new: int, x: int, y: int) -> str:
    """An old bucket was evacuated: `x` entries to the same index, `y` to index + old."""
    where = f"bkt#{bucket} -> bkt#{bucket & (new - 1)}"
    if new <= old:
        return f"map[{address:#x}] bucket migration: {where} ({x} keys moved)"
    return f"map[{address:#x}] bucket migration: {where}, bkt#{bucket + old} ({x} + {y} keys moved)"


def done_line(address: int, buckets: int, how: str) -> str:
    """A migration has ended."""
    return f"map[{address:#x}] growth {how or 'done'}: {buckets} buckets"


def cleared_line(address: int, count: int) -> str:
    """All entries are about to be removed."""
    return f"map[{address:#x}] cleared (entries: {count})"


def rebuild_line(address: int, hint: int, count: int, buckets: int) -> str:
    """rebuild() begins."""
    return f"map[{address:#x}] rebuild with hint {hint} (entries: {count}, buckets: {buckets})"


def race_line(address: int, message: str) -> str:
    """A concurrent access was noticed, in the program's words."""
    return f"map[{address:#x}] race: {message}"


def destroyed_line(address: int, count: int) -> str:
    """A map is about to go."""
    return f"map[{address:#x}] destroyed (entries: {count})"
