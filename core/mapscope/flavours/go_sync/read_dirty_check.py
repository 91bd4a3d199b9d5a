# SPDX-License-Identifier: MIT
"""Is a sync.Map of two maps whole? Each of its maps, and what one says of the other."""

from typing import Dict, List, Set, Tuple

from ...maps.problems import is_cut_short
from ...maps.progress import Progress
from ...maps.report import Activity, Finding, Report
from ...maps.view import MapView
from ...program.values import text_form
from .two_maps import Part, State, TwoMaps


def check_read_dirty(view: MapView, maps: TwoMaps, report: Report, progress: Progress) -> None:
    """Report what cannot be in a healthy one."""
    known: Dict[int, Tuple[Part, int]] = {}
    dirty: Set[int] = set()
    for part in maps.parts(progress):
        if part.name == "read":
            known.update((entry, (part, at)) for at, entry in enumerate(part.entries))
        else:
            dirty.update(part.entries)
        _check_entries(view, maps, part, report)
    if maps.dirty is not None and not maps.same and maps.amended:
        _compare(view, maps, known, dirty, report)
    _check_header(view, maps, report)
    for name, half in maps.maps():
        writes = _writes(name, maps)
        if writes and not half.count:
            # its first group is put in place before it is marked as empty
            text = f"the {name} map has no entries yet, and somebody writes to it"
            report.add("note", "in-flight", text, half.address)
            report.buckets += 1
            continue
        _check_half(name, half, writes, report, progress)
    own = [p for p in maps.problems if not _is_of_half(p)]
    report.problems(own)
    if is_cut_short(maps.problems) and not report.left_out:
        report.left_out = "what could not be read"


def _is_of_half(problem: str) -> bool:
    """Whether the check of one of the maps reports it."""
    return getattr(problem, "array", "") != ""


def _text(view: MapView, part: Part, at: int) -> str:
    key = part.batch.keys.value(part.order[at], view.decoder)
    return f"{part.name} map: the key {text_form(key, 40)}"


def _check_entries(view: MapView, maps: TwoMaps, part: Part, report: Report) -> None:
    """Entries, each by itself."""
    live = [at for at, state in enumerate(part.states) if state is State.LIVE]
    values = maps.memory.gather([part.values[at] for at in live], 8)
    readable = {at for at, value in zip(live, values) if value is not None}
    for at in range(len(part.entries)) if len(readable) < len(part.entries) else ():
        if at not in readable:
            _check_entry(view, maps, part, at, report)


def _check_entry(view: MapView, maps: TwoMaps, part: Part, at: int, report: Report) -> None:
    """One that has no value that can be read."""
    entry, state, value = part.entries[at], part.states[at], part.values[at]
    in_flight = part.order[at] in part.batch.in_flight
    if state is State.PENDING:
        if maps.locked and part.name == "dirty" or in_flight:
            text = f"{_text(view, part, at)} is just being stored or deleted"
            report.add("note", "in-flight", text, view.address)
        else:
            text = f"{_text(view, part, at)} has no entry, and nobody writes"
            report.add("error", "sync-entry", text, part.batch.elems.address(part.order[at]))
    elif state is State.EXPUNGED and part.name == "dirty":
        text = f"{_text(view, part, at)} has an expunged entry, which a dirty map never has"
        report.add("error", "expunged-in-dirty", text, entry)
    elif state is State.LIVE:
        text = f"{_text(view, part, at)} has a value at {value:#x}, which cannot be read"
        report.add("error", "sync-entry", text, entry)


def _compare(
    view: MapView,
    maps: TwoMaps,
    known: Dict[int, Tuple[Part, int]],
    dirty: Set[int],
    report: Report,
) -> None:
    """An amended map's dirty one has all entries of the read one that are not expunged."""
    missing: List[Tuple[Part, int]] = []
    for entry, (part, at) in known.items():
        if part.states[at] in (State.LIVE, State.DELETED) and entry not in dirty:
            missing.append((part, at))
    whole = not is_cut_short(maps.problems)
    for part, at in missing if whole else ():
        text = f"{_text(view, part, at)} has an entry that the dirty map does not have"
        if maps.locked and len(missing) == 1:
            # it was expunged until now, and is put there next
            report.add("note", "in-flight", f"{text} yet", part.entries[at])
        else:
            text += ": it is lost when that map takes the read map's place"
            report.add("error", "not-in-dirty", text, part.entries[at])


def _check_header(view: MapView, maps: TwoMaps, report: Report) -> None:
    """What the sync.Map itself says."""
    missing = maps.dirty is None and "dirty" not in maps.unread
    if maps.amended and missing and not maps.locked:
        text = "the read map says that it is amended, and there is no dirty map"
        report.add("error", "sync-amended", text, view.address)
    if maps.locked:
        return
    if maps.misses < 0:
        report.add("error", "sync-misses", f"misses is {maps.misses}", view.address)
    elif maps.misses and missing:
        text = f"misses is {maps.misses}, and there is no dirty map"
        report.add("error", "sync-misses", text, view.address)
    elif maps.misses and maps.dirty is not None and maps.misses >= maps.dirty.count:
        text = (
            f"misses is {maps.misses}, and the dirty map with {maps.dirty.count} entries has not "
            "taken the read map's place"
        )
        report.add("error", "sync-misses", text, view.address)
    if maps.same:
        text = "the dirty map is the read map, and nobody holds the lock"
        report.add("error", "sync-amended", text, view.address)
    elif maps.dirty is not None and maps.amended is False and maps.dirty.count:
        text = (
            f"the dirty map has {maps.dirty.count} entries, and the read map does not say that "
            "it is amended"
        )
        report.add("error", "sync-amended", text, view.address)


def _writes(name: str, maps: TwoMaps) -> Tuple[str, ...]:
    """What may be going on in one of the maps. Whoever writes to the dirty one holds the lock; to
    the read one nobody does."""
    if name == "read" or not maps.locked:
        return ()
    # Clear has put an empty read map in place before it clears the dirty one
    clears = maps.amended is False and (maps.read is None or not maps.read.count)
    return ("clear",) if clears else ("?",)


def _check_half(
    name: str, half: MapView, writes: Tuple[str, ...], report: Report, progress: Progress
) -> None:
    """One of the maps as the ordinary map that it is.

    :param writes: what may be going on in it
    """
    own = Report(lambda: Activity(writes, True), report.hashes)
    half.check(own, progress)
    for finding in own.findings:
        text = f"{name} map: {finding.message}"
        _add(report, finding, text)
    for code, number in own.more.items():
        report.more[code] = report.more.get(code, 0) + number
    report.buckets += 1
    report.cells += half.count
    report.hashed += own.hashed
    report.unhashed += own.unhashed
    report.left_out = report.left_out or own.left_out


def _add(report: Report, finding: Finding, text: str) -> None:
    report.add(finding.severity, finding.code, text, finding.address, finding.bucket, finding.cell)
