# SPDX-License-Identifier: MIT
"""Redis's dict as a flavour: databases by their names, any dict by its address."""

import re
from dataclasses import replace
from typing import Iterator, List, Optional, Tuple

from ...chained.chained_map import ChainedMap
from ...chained.two_tables import Tables
from ...errors import MapscopeError, NotAMap
from ...maps.key_text import parse_key
from ...maps.view import Hashing, MapView
from ...program.hashing import KeyHash
from ...program.target import Frame, Variable
from ...program.types import Kind
from ...program.values import NestedMap, escape
from ...session import Session
from ..flavour import Flavour
from .dict_header import read_dict
from .dict_nodes import DictNodes
from .dict_types import MSTR, SDS, SDS_NOCASE, VALUES, Holds
from .in_flight import FindLost
from .redis_server import ALLOW, AVOID, FORBID, KEYS, Database, RedisProgram, program_of
from .siphash import SipKeyHash

NAME = "redis-dict"

#: db0, db0.keys, db12.expires, db0.keys[5], db0.keys["user:1"]
_NAMED = re.compile(r"db(\d{1,7})(?:\.(keys|expires))?(?:\[(.*)\])?", re.DOTALL)

#: functions that write to a dict: what they do
_OPERATIONS = {
    **dict.fromkeys(("dictAdd", "dictAddRaw", "dictReplace", "dictAddOrFind"), "assign"),
    **dict.fromkeys(("dictDelete", "dictUnlink", "dictTwoPhaseUnlinkFree"), "delete"),
    **dict.fromkeys(("dictExpand", "_dictExpand", "dictTryExpand", "_dictResize"), "grow"),
    **dict.fromkeys(("dictRehash", "dictRehashMilliseconds", "dictRehashMicroseconds"), "evacuate"),
    **dict.fromkeys(("dictEmpty", "_dictClear"), "clear"),
}


class RedisDicts(Flavour):
    """Dicts of a Redis server."""

    name = NAME
    not_listed = (
        "hashes, sets and sorted sets that are tables of their own are not listed: map entries db0 "
        "shows their addresses; nor are databases without a table"
    )

    def present(self, session: Session) -> bool:
        return program_of(session).present

    def has_databases(self, session: Session) -> bool:
        """Whether the keyspace lies in such maps."""
        return self.present(session) and program_of(session).has_databases

    def databases(self, session: Session) -> Tuple[List[Database], List[Tuple[str, str]]]:
        """(all tables of all databases, what could not be read and why)."""
        return program_of(session).databases()

    def open(self, session: Session, address: int) -> ChainedMap:
        """The map at an address.

        :raises NotAMap: if there is none
        """
        return open_dict(session, address)

    def from_variable(self, session: Session, variable: Variable) -> Optional[MapView]:
        """A dict, as debug information has it."""
        type = variable.type
        if type.kind is not Kind.STRUCT or type.name not in ("dict", "struct dict"):
            return None
        if variable.address is None or not self.present(session):
            return None
        return open_dict(session, variable.address)

    def from_address(
        self, session: Session, address: int, type: Optional[str]
    ) -> Optional[MapView]:
        return open_dict(session, address) if self.present(session) else None

    def from_frame(self, session: Session, frame: Frame) -> Optional[MapView]:
        """The dict that a function is working on, where debug information names it."""
        if self.operation(frame.function) is None or not self.present(session):
            return None
        variable = frame.variable("d")
        if variable is None or variable.type.kind is not Kind.POINTER:
            return None
        data = variable.data
        if data is None and variable.address is not None:
            data = session.memory.read(variable.address, 8)
        address = int.from_bytes((data or b"")[:8], "little")
        return open_dict(session, address) if address else None

    def from_name(self, session: Session, name: str) -> Optional[MapView]:
        match = _NAMED.fullmatch(name)
        if match is None or not self.has_databases(session):
            return None
        number, part, inner = int(match[1]), match[2] or KEYS, match[3]
        found = self._database(session, number, part)
        if inner is None or (inner.isdecimal() and len(found) > 1):
            return self._of_slot(session, found, name, None if inner is None else int(inner))
        return self._nested(session, found, name, inner)

    def _database(self, session: Session, number: int, part: str) -> List[Database]:
        """The tables of a database.

        :raises NotAMap: if there is no such database
        """
        every, _ = self.databases(session)
        found = [one for one in every if (one.number, one.part) == (number, part)]
        if not found:
            last = max((one.number for one in every), default=-1)
            if number <= last:
                raise NotAMap(f"db{number}.{part} has no table yet: nothing was written to it")
            raise NotAMap(f"there is no db{number}: there are db0 to db{last}")
        return found

    def _of_slot(
        self, session: Session, found: List[Database], name: str, slot: Optional[int]
    ) -> MapView:
        if slot is None and len(found) > 1:
            slots = ", ".join(str(one.slot) for one in found[:5])
            raise NotAMap(
                f"{escape(name)} has {len(found)} dicts, one for each slot with keys: name one, "
                f"as {escape(name)}[{found[0].slot}] (slots {slots}, ...)"
            )
        for one in found:
            if slot is None or one.slot == slot:
                return self.open(session, one.dict)
        raise NotAMap(f"{escape(name)}: that slot has no dict")

    def _nested(self, session: Session, found: List[Database], name: str, inner: str) -> MapView:
        """The table that is the value of a key."""
        for one in found:
            view = self.open(session, one.dict)
            key, _ = view.types()
            at = view.find(parse_key(key, inner))
            if at.where is None:
                continue
            if isinstance(at.value, NestedMap):
                return self.open(session, at.value.address)
            raise NotAMap(f"the value of {escape(name)} is no table: map find shows what it is")
        raise NotAMap(f"{escape(name)}: there is no such key")

    def operation(self, function: str) -> Optional[str]:
        return _OPERATIONS.get(function)

    def enumerate_maps(self, session: Session) -> Iterator[Tuple[str, MapView]]:
        if not self.has_databases(session):
            return
        try:
            found, unread = self.databases(session)
        except MapscopeError as error:
            session.unread.append(("databases", str(error)))
            return
        session.unread += unread
        for one in found:
            try:
                view = self.open(session, one.dict)
            except MapscopeError as error:
                session.unread.append((one.name, str(error)))
                continue
            if any(view.tables.sizes):
                yield one.name, view


def open_dict(session: Session, address: int) -> ChainedMap:
    """The dict at an address.

    :raises NotAMap: if there is none
    """
    program = program_of(session)
    header, holds = program.dict_at(address)
    tables = replace(header.tables, in_order=program.in_order)
    header = replace(header, tables=tables)
    hashing = _hashing(session, program, holds)
    find_lost = FindLost(session, hashing)

    def count(at: int) -> int:
        return read_dict(session.memory, at).tables.count

    nodes = DictNodes(
        session.memory, header.tables, holds, count, hashing, find_lost, find_lost.held_by_writers
    )
    view = ChainedMap(
        session.memory,
        address,
        holds.type_name,
        holds.key_type,
        holds.value_type,
        header.tables,
        nodes,
        lambda: _grows_above(program, header.tables),
        lambda: _notes(program, header.tables, holds.name),
        hashing,
        header.size,
    )
    view.flavor = NAME
    view.decoder = session.decoder()
    view.reopen = lambda later: open_dict(later, address)
    return view


def _ratio(program: RedisProgram) -> int:
    """dict_force_resize_ratio."""
    return 5 if program.in_order else 4


def _grows_above(program: RedisProgram, tables: Tables) -> Optional[int]:
    """Entries; None: not known, or it does not grow now."""
    size, policy = tables.sizes[tables.target], program.policy()
    if policy == AVOID:
        # until 7.2 the ratio must be above it (dict.c, _dictExpandIfNeeded)
        return size * (_ratio(program) + (1 if program.in_order else 0)) or None
    return size or None if policy == ALLOW else None


def child_note(program: RedisProgram, policy: str) -> str:
    """Why tables are to be resized as little as possible.

    :param policy: as the process calls that
    """
    child = program.child()
    if child is None:
        return f"a child process runs ({policy} is AVOID)"
    if not child:
        return f"{policy} is AVOID, as while a child process runs, though none does"
    return f"child process {child} runs, forked to save or the like ({policy} is AVOID)"


def value_note(what: str) -> str:
    """Why the table of a value may stand still."""
    return (
        f"{what} migrates only when commands use it: what the server does on its own is for the "
        "keys of databases and their times to live"
    )


def _notes(program: RedisProgram, tables: Tables, type: str) -> Iterator[str]:
    if tables.paused and tables.migrating:
        yield (
            f"paused: {tables.paused} safe iterators, or scans of it, that are not done "
            "(pauserehash) forbid steps, so rehashidx stands still"
        )
    elif tables.paused:
        yield f"pauserehash is {tables.paused}"
    policy, (old, new), ratio = program.policy(), tables.sizes, _ratio(program)
    if policy == FORBID:
        yield (
            "resizing is forbidden (dict_can_resize), as in a child process that saves: it does "
            "not grow, and no steps are done"
        )
    elif policy == AVOID:
        stalls = tables.migrating and (new < ratio * old if new > old else old < ratio * new)
        if not program.in_order and new < old:
            stalls = tables.migrating and old < 8 * ratio * new
        yield (
            f"{child_note(program, 'dict_can_resize')}: "
            + ("no steps are done" if stalls else "it grows later than else")
        )
    if tables.migrating and type in VALUES:
        yield value_note(VALUES[type])


def _hashing(session: Session, program: RedisProgram, holds: Holds) -> Hashing:
    """Gives a dict's hash function."""

    def hashing() -> Tuple[Optional[KeyHash], str]:
        if holds.key not in (SDS, SDS_NOCASE, MSTR):
            return None, "the hash function of this dict is not known"
        seed, why = program.seed()
        if seed is None:
            return None, why
        return SipKeyHash(session.memory, seed, holds.key == SDS_NOCASE), ""

    return hashing
