# SPDX-License-Identifier: MIT
"""Valkey's hashtable as a flavour: databases by their names, any hashtable by its address."""

from typing import Iterator, List, Optional, Tuple

from ...chained.chained_map import ChainedMap
from ...maps.view import Hashing, MapView
from ...program.hashing import KeyHash
from ...program.target import Frame, Variable
from ...program.types import Kind
from ...session import Session
from ..redis.redis_dicts import RedisDicts, child_note, value_note
from ..redis.redis_server import ALLOW, AVOID, FORBID, Database
from ..redis.sds import TEXT
from ..redis.siphash import SipKeyHash
from .child_buckets import FindChildren
from .table_header import SIZE, TableHeader, read_table
from .table_nodes import POSITIONS, TableNodes
from .valkey_entries import VALUES, Entries
from .valkey_server import ValkeyProgram, valkey_of

NAME = "valkey-hashtable"

#: functions that write to a hashtable: what they do
_OPERATIONS = {
    **dict.fromkeys(("hashtableAdd", "hashtableAddOrFind", "hashtableInsertAtPosition"), "assign"),
    **dict.fromkeys(("hashtableDelete", "hashtablePop", "hashtableTwoPhasePopDelete"), "delete"),
    **dict.fromkeys(("hashtableExpand", "hashtableTryExpand"), "grow"),
    **dict.fromkeys(("hashtableRehashMicroseconds",), "evacuate"),
    **dict.fromkeys(("hashtableEmpty",), "clear"),
}


class ValkeyTables(RedisDicts):
    """Hashtables of a Valkey server."""

    name = NAME

    def present(self, session: Session) -> bool:
        return valkey_of(session).present

    def has_databases(self, session: Session) -> bool:
        return self.present(session)

    def databases(self, session: Session) -> Tuple[List[Database], List[Tuple[str, str]]]:
        return valkey_of(session).databases()

    def open(self, session: Session, address: int) -> ChainedMap:
        return open_table(session, address)

    def from_variable(self, session: Session, variable: Variable) -> Optional[MapView]:
        """A hashtable, as debug information has it."""
        type = variable.type
        if type.kind is not Kind.STRUCT or type.name not in ("hashtable", "struct hashtable"):
            return None
        if variable.address is None or not self.present(session):
            return None
        return open_table(session, variable.address)

    def from_address(
        self, session: Session, address: int, type: Optional[str]
    ) -> Optional[MapView]:
        return open_table(session, address) if self.present(session) else None

    def from_frame(self, session: Session, frame: Frame) -> Optional[MapView]:
        return None

    def operation(self, function: str) -> Optional[str]:
        return _OPERATIONS.get(function)


def open_table(session: Session, address: int) -> ChainedMap:
    """The hashtable at an address.

    :raises NotAMap: if there is none
    """
    program = valkey_of(session)
    header, name, kind = program.table_at(address)
    hashing = _hashing(session, program)

    def count(at: int) -> int:
        return read_table(session.memory, at).tables.count

    entries = Entries(session.memory, kind, program.version(), count)
    nodes = TableNodes(
        session.memory,
        header,
        entries,
        program.is_first,
        program.is_first,
        FindChildren(session, hashing),
    )
    tables = header.tables
    view = ChainedMap(
        session.memory,
        address,
        f"hashtable<{name}>",
        TEXT,
        entries.value_type,
        tables,
        nodes,
        lambda: _grows_above(program, tables.sizes[tables.target]),
        lambda: _notes(program, header, kind),
        hashing,
        SIZE,
    )
    view.flavor = NAME
    view.mark = "hash byte"
    view.decoder = session.decoder()
    view.reopen = lambda later: open_table(later, address)
    return view


def _grows_above(program: ValkeyProgram, size: int) -> Optional[int]:
    """Entries; None: not known, or it does not grow now. (MAX_FILL_PERCENT_SOFT and _HARD of
    hashtable.c)"""
    policy = program.policy()
    times = None if policy is None else {ALLOW: 1, AVOID: 5}.get(policy)
    return None if times is None else times * POSITIONS * size or None


def _notes(program: ValkeyProgram, header: TableHeader, kind: str) -> Iterator[str]:
    tables, policy = header.tables, program.policy()
    if policy == AVOID:
        yield f"{child_note(program, 'resize_policy')}: it grows later, and reads do no steps"
    elif policy == FORBID:
        yield (
            "resizing is forbidden (resize_policy), as in a child process that saves: it does not "
            "grow, and no steps are done"
        )
    if tables.paused and tables.migrating:
        yield (
            f"paused: {tables.paused} safe iterators, or scans of it, that are not done "
            "(pause_rehash) forbid steps, so rehash_idx stands still"
        )
    elif tables.paused:
        yield f"pause_rehash is {tables.paused}"
    if tables.migrating and kind in VALUES:
        yield value_note(VALUES[kind])
    yield f"{sum(header.children)} child buckets"


def _hashing(session: Session, program: ValkeyProgram) -> Hashing:
    """Gives the hash function of all hashtables whose keys are strings."""

    def hashing() -> Tuple[Optional[KeyHash], str]:
        seed, why = program.seed()
        return (None, why) if seed is None else (SipKeyHash(session.memory, seed), "")

    return hashing
