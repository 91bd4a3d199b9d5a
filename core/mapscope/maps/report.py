# SPDX-License-Identifier: MIT
"""What a check found, and what people can make of it.

What this knows: kinds of findings, their usual causes, what to look at next. What it must not
know: how a map is walked.
"""

from dataclasses import field
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from ..records import dataclass
from .problems import Problem

#: findings of one code that are kept; the others are counted
MOST = 1000


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth a note.

    :ivar severity: "error", "warning" or "note"
    :ivar code: which kind, a key of ADVICE
    :ivar message: one line, which says it all
    :ivar address: of the memory that is wrong
    :ivar bucket: index of the bucket, new or old as the message says; of a Swiss map, of the
        group in its table
    :ivar cell: in that bucket; slot in that group
    """

    severity: str
    code: str
    message: str
    address: Optional[int] = None
    bucket: Optional[int] = None
    cell: Optional[int] = None

    def form(self) -> Dict[str, object]:
        """As docs/commands.md has it."""
        return {
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "address": None if self.address is None else hex(self.address),
            "bucket": self.bucket,
            "cell": self.cell,
        }


@dataclass(frozen=True)
class Activity:
    """Who is inside a write to the map.

    :ivar operations: one for each thread or goroutine: "assign", "delete", ...
    :ivar certain: whether nobody can have been missed
    """

    operations: Tuple[str, ...] = ()
    certain: bool = True


@dataclass
class Report:
    """What a check found so far.

    :param activity: asked once, where it matters: finding out takes a walk over all threads
    :ivar hashes: whether to compare keys with their hashes
    :ivar buckets: walked so far
    :ivar cells: looked at so far
    :ivar hashed: keys whose hash was compared so far
    :ivar unhashed: keys that were looked at and have no hash that can be computed, as NaN
    :ivar left_out: what was not looked at; "": nothing
    """

    activity: Callable[[], Activity]
    hashes: bool = True
    findings: List[Finding] = field(default_factory=list)
    more: Dict[str, int] = field(default_factory=dict)
    buckets: int = 0
    cells: int = 0
    hashed: int = 0
    unhashed: int = 0
    left_out: str = ""
    _counts: Dict[str, int] = field(default_factory=dict)
    _activity: Optional[Activity] = None
    _doubts: List[Finding] = field(default_factory=list)

    def add(
        self,
        severity: str,
        code: str,
        message: str,
        address: Optional[int] = None,
        bucket: Optional[int] = None,
        cell: Optional[int] = None,
    ) -> None:
        """One more finding; past MOST of a kind they are counted."""
        number = self._counts.get(code, 0)
        self._counts[code] = number + 1
        if number < MOST:
            self.findings.append(Finding(severity, code, message, address, bucket, cell))
        else:
            self.more[code] = number + 1 - MOST

    def doubt(
        self,
        code: str,
        message: str,
        address: int,
        bucket: int,
        cell: int,
    ) -> None:
        """An error, unless a write that is half done explains it: settle() tells."""
        if len(self._doubts) < MOST:
            self._doubts.append(Finding("error", code, message, address, bucket, cell))
        else:
            self.more[code] = self.more.get(code, 0) + 1

    def settle(self, writers: int) -> None:
        """Doubts about no more cells than there are writers are notes, others are errors."""
        explained = len({finding.address for finding in self._doubts}) <= writers
        for doubt in self._doubts:
            place = (doubt.address, doubt.bucket, doubt.cell)
            if explained:
                self.add("note", "in-flight", f"{doubt.message} (a write is half done)", *place)
            else:
                self.add("error", doubt.code, doubt.message, *place)
        self._doubts = []

    def drop_doubts(self, *codes: str) -> None:
        """Forget doubts of these kinds."""
        self._doubts = [doubt for doubt in self._doubts if doubt.code not in codes]
        for code in codes:
            self.more.pop(code, None)

    def has(self, *codes: str) -> bool:
        """Whether there is a finding of one of these kinds."""
        return any(code in self._counts for code in codes)

    def problems(self, problems: Sequence[str]) -> None:
        """What a view noted on its way."""
        for problem in problems:
            if isinstance(problem, Problem):
                self.add("error", problem.code, problem, problem.address, problem.bucket)
            else:
                self.add("warning", "doubt", problem)

    def operations(self) -> Tuple[str, ...]:
        """What threads and goroutines are doing to a map whose write flag is set; "?" where
        nobody can be seen, and somebody may be there."""
        who = self._who()
        return who.operations or (() if who.certain else ("?",))

    def writers(self, flag: str, address: Optional[int]) -> None:
        """Report a write flag that nobody holds, or more than one."""
        who = self._who()
        if not who.operations:
            severity, nobody = "error", "no thread and no goroutine is inside a write to this map"
            if not who.certain:
                severity, nobody = "warning", "no thread could be seen inside a write to this map"
            self.add(severity, "write-flag", f"{flag} is set, but {nobody}", address)
        elif len(who.operations) > 1:
            text = f"{len(who.operations)} are inside writes to this map: "
            self.add("warning", "race", text + ", ".join(who.operations), address)

    def _who(self) -> Activity:
        if self._activity is None:
            self._activity = self.activity()
        return self._activity

    @property
    def ok(self) -> Optional[bool]:
        """Whether nothing is wrong; None: not all was looked at, and nothing was found in the
        rest."""
        if any(finding.severity == "error" for finding in self.findings):
            return False
        return None if self.left_out else True


_RACE = "two goroutines or threads wrote without a lock"
_STRAY = "something else wrote to this memory: a stray pointer, a buffer overrun, a use after free"
_WHO = "map writers; in C++ map history MAP; a run under Go's -race or ThreadSanitizer"
_WATCH = "map bucket MAP N; where a run can be repeated, a hardware watchpoint on the address"
_COPIED = "the sync.Map was copied after its first use, and both copies were written to"
_WATCH_WORD = "go vet (copylocks); in a run that can be repeated, a watchpoint on the address"

#: of each kind of finding: (what usually causes it, what to look at next)
ADVICE: Dict[str, Tuple[str, str]] = {
    "header": (
        f"{_STRAY}; or this is no map (yet), or one that is gone",
        "map history MAP (C++: created, destroyed?); a watchpoint on the header",
    ),
    "flags": (_STRAY, _WATCH),
    "count": (f"{_RACE}: each changed count, and one change was lost", _WHO),
    "write-flag": (
        "a writer ended by a panic, exception or signal in the middle of a write, or "
        f"{_RACE}: the second to end set the flag again",
        "where the program recovers from panics in map operations, or leaves a signal handler by "
        "longjmp; every later write dies of it; in C++ map history MAP",
    ),
    "race": (
        "no lock, or not the same lock, around writes to the map",
        "map writers shows both; map break race in a new run",
    ),
    "stuck": (
        "what the next evacuation needs is damaged, or growing ended half-way",
        "writes to this map hang or crash; the other findings of this bucket",
    ),
    "mark-place": (
        f"{_STRAY}; or {_RACE}, one of them into an array that was replaced meanwhile",
        _WHO,
    ),
    "empty-rest": (
        f"{_RACE}: one deleted or cleared while the other inserted behind it",
        "map find MAP KEY says whether lookups see the entry; " + _WHO,
    ),
    "not-evacuated": (f"{_RACE}: both moved nevacuate on", "map bucket MAP N --old; " + _WHO),
    "half-evacuated": (
        f"{_RACE}, one of them to a bucket that the other evacuated; or the evacuation was cut "
        "short",
        "entries left there are not seen by lookups; map bucket MAP N --old; " + _WHO,
    ),
    "nevacuate": (_STRAY, _WATCH),
    "early-entry": (
        f"{_RACE}: one wrote to the new array before the other's growth moved the old bucket",
        "lookups go to the old bucket alone; map find KEY; " + _WHO,
    ),
    "duplicate-key": (
        f"{_RACE}: both inserted the same new key",
        "map bucket MAP N; an update or delete reaches the first of the two alone; " + _WHO,
    ),
    "wrong-hash": (
        f"{_RACE} into one cell: one's tophash, the other's key; or the key was "
        "changed after it went in (memory that it points at, a string's bytes through unsafe)",
        "map find MAP KEY; " + _WATCH,
    ),
    "wrong-bucket": (
        f"{_RACE} while the map grew, or the key was changed after it went in",
        "map find MAP KEY says why lookups miss it; " + _WHO,
    ),
    "behind-empty": (
        f"{_RACE}: one deleted while the other inserted behind it",
        "map find MAP KEY says why lookups miss it; " + _WHO,
    ),
    "key-unreadable": (
        f"the key's memory is gone (freed, unmapped) or {_STRAY}",
        "map bucket MAP N shows the cell's bytes; in a core dump, whether that memory was saved",
    ),
    "overflow-loop": (f"{_RACE}: both linked an overflow bucket", "writes to it may hang; " + _WHO),
    "overflow-shared": (
        f"{_RACE}: both took the same spare overflow bucket",
        "map bucket MAP N of both; " + _WHO,
    ),
    "overflow-pointer": (_STRAY, _WATCH),
    "unreadable": (
        f"the pointer is wrong ({_STRAY}), or the core dump was saved without this memory",
        "info files or maintenance info sections; coredump_filter; map inspect",
    ),
    "node-loop": (f"{_RACE}: both linked a node", "lookups in it may hang; " + _WHO),
    "bucket-pointer": (
        f"{_STRAY}; or {_RACE}",
        "map bucket MAP N; a hardware watchpoint on the address",
    ),
    "noverflow": (f"{_RACE}: a change of the counter was lost", _WHO),
    "child-buckets": (
        "the server has lost them (Valkey 8.1 did, until its bug 2271 was mended)",
        "their memory is given back when the server ends; a newer one loses none",
    ),
    "control-byte": (_STRAY, _WATCH),
    "directory": (f"{_RACE}: two splits of tables overlapped", "map inspect; " + _WHO),
    "growth-left": (
        f"{_RACE}: a change of the table's counter was lost",
        "a table that is fuller than it counts to may make lookups run on for ever; " + _WHO,
    ),
    "no-empty-slot": (
        f"{_RACE}: more was inserted than growthLeft had room for",
        "a lookup of a key that is not there never ends; " + _WHO,
    ),
    "tombstones": (_STRAY, _WATCH),
    "sync-entry": (f"{_COPIED}; or {_STRAY}", _WATCH_WORD),
    "sync-amended": (f"{_COPIED}; or {_STRAY}", _WATCH_WORD),
    "sync-misses": (f"{_COPIED}; or {_STRAY}", _WATCH_WORD),
    "expunged-in-dirty": (f"{_COPIED}; or {_STRAY}", _WATCH_WORD),
    "not-in-dirty": (f"{_COPIED}; or {_STRAY}", "go vet (copylocks); map find MAP KEY"),
    "trie-node": (f"{_STRAY}; or {_COPIED}", _WATCH_WORD),
    "doubt": (
        "a version of Go that these scripts were not tested with",
        "the other findings with care",
    ),
    "in-flight": (
        "the program stopped in the middle of a write: so it should look",
        "finish the write (finish), and check again",
    ),
    "lost": (
        "the program stopped in the middle of moving a chain, and the rest of it is known to a "
        f"register alone; or {_STRAY}",
        "finish the step (finish), and look again",
    ),
    "hash-skipped": ("", "everything else was checked; map check --help"),
    "type-needed": ("", "--type 'map[K]V' for an address in a Go program"),
    "interrupted": ("", "what was found up to there is shown"),
    "more": ("", ""),
}
