# SPDX-License-Identifier: MIT
"""Stops at functions of the program that a description names for an event: of one table, or of
any table that is described so."""

from typing import Optional, Set

from ...chained.chained_map import ChainedMap
from ...errors import MapscopeError, UsageError
from ...flavours.described.described_map import NAME, DescribedMap, open_table
from ...flavours.described.described_tables import is_named
from ...flavours.described.description import (
    C_STRING,
    MOVES,
    STORED,
    TEXT,
    VALUE,
    WRITES,
    Call,
    Description,
)
from ...flavours.described.loaded import LOADED
from ...flavours.described.shape import shape_of
from ...flavours.described.texts import Texts, c_strings
from ...maps.found import KeyTest
from ...maps.key_text import parse_key
from ...maps.view import MapView
from ...program.target import Frame, Variable
from ...program.types import Kind
from ...program.values import Decoded, Unreadable, escape, json_text, named
from ...records import dataclass
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host
from ...stops.occurrence import Occurrence
from ...stops.request import Request
from ..redis.table_stops import Kind as TableKind
from ..redis.table_stops import TablePlan

#: events of a migration
STEPS = ("grow", "evacuate", "progress", "done")
#: tables that it is said of that they cannot be read
_MOST_UNREAD = 8


@dataclass(frozen=True)
class Called:
    """A function that a description names for an event."""

    description: Description
    call: Call

    def table(self, session: Session) -> DescribedMap:
        """The one table that there is, of a description of variables."""
        return open_table(session, shape_of(session.target, self.description), 0)


def check_event(event: str) -> None:
    """:raises UsageError: if described tables have no such event"""
    if event not in (*STEPS, *WRITES, *MOVES):
        known = ", ".join(dict.fromkeys((*STEPS, *WRITES, *MOVES)))
        raise UsageError(f"{event}: there is none for described tables; there are {known}")


def described_call(request: Request, session: Session) -> Called:
    """The function that an event of any table is noticed at.

    :raises UsageError: if no description names one, or several do
    """
    event, only = request.event, request.only_type
    if event == "trace":
        raise UsageError("trace: name a table, whose variables are watched")
    check_event(event)
    meant = [one for one in LOADED.values() if only is None or is_named(one, only)]
    if not meant:
        raise UsageError(f"--type {named(only or '')}: there are {', '.join(LOADED)}")
    found = [Called(one, call) for one in meant for call in [one.call(event)] if call is not None]
    if len(found) > 1:
        names = ", ".join(one.description.name for one in found)
        raise UsageError(f"{event}: of which tables? --type may be one of {names}")
    if not found:
        names = ", ".join(one.name for one in meant[:4])
        watched = "; name a table, whose variables are watched" if event in STEPS else ""
        what = "names no function" if len(meant) == 1 else "name no functions"
        raise UsageError(
            f"{event}: the description{'s' if len(meant) > 1 else ''} of {names} {what} for it "
            f"([stops] {event}){watched}"
        )
    return found[0]


class DescribedCalls(TablePlan):
    """Stops at the function that a description names for an event: of one table, or of any.

    :param view: the table; None: any that the description is of
    """

    def __init__(
        self, stop: Stop, host: Host, view: Optional[DescribedMap], called: Called
    ) -> None:
        kind = any_kind(self.only(stop)) if view is None else kind_of(view)
        super().__init__(stop, host, kind, view)
        self._table, self._description, self._call = view, called.description, called.call
        if self.request.event == "grow" and self.request.kinds:
            raise UsageError(
                "--doubling, --shrink: the function that is named tells that a table grows, and "
                "not how"
            )
        self._test: Optional[KeyTest] = None
        self._unread: Set[int] = set()
        name = self._description.name
        if view is None:
            self.notes.append(f"tables that {name} describes alone; by its function")
        elif self.request.key is not None:
            self._test = parse_key(view.types()[0], self.request.key)
        looks = "node" not in self._call.parameters and self.request.event in WRITES
        if looks and (view is None or view.hashing()[0] is None):
            computed = self._description.get("lookup.hash") not in ("", STORED)
            if view is not None or not computed:
                self.notes.append(
                    "keys have no hash that can be computed, so it is not looked up whether one "
                    "is there: the program stops at every call"
                )

    @staticmethod
    def only(stop: Stop) -> str:
        """The type that was asked for; "": none."""
        return stop.request.only_type or ""

    def arm(self) -> Plan:
        name = self._call.function
        try:
            self.keep(self.host.breakpoint_at(name, self.guarded(self._called)))
        except UsageError:
            raise UsageError(
                f"the program has no function {name} that can be stopped at, which [stops] names"
            ) from None
        return self

    def map_now(self) -> ChainedMap:
        assert self._table is not None, "one table is meant"
        return now(self.host, self._table)

    def _called(self, hit: Hit) -> bool:
        frame = next(hit.frames(), None)
        map = None if frame is None else self._map(frame)
        if frame is None or map is None:
            return False
        event, parameters = self.request.event, self._call.parameters
        if self.request.migrating and not map.tables.migrating:
            return False
        if event not in WRITES:
            return self._occurs(hit, map)
        key = self._key(map, frame)
        if self._test is not None and not self._test.matches(key):
            return False
        looks = "node" not in parameters and map.hashing()[0] is not None
        if looks and self._holds(map, key) != (event == "delete"):
            return False

        def add(occurrence: Occurrence) -> None:
            occurrence.key = None if isinstance(key, Unreadable) else json_text(key)

        return self.occurred(event, hit, map, add)

    def _occurs(self, hit: Hit, map: DescribedMap) -> bool:
        """An event of the table, and of none of its entries."""
        request, tables = self.request, map.tables
        if tables.migrating and not request.wants(tables.kind()):
            return False
        if request.bucket is not None and tables.index != request.bucket:
            return False

        def add(occurrence: Occurrence) -> None:
            if request.event == "evacuate" and tables.migrating:
                occurrence.bucket = tables.index

        return self.occurred(request.event, hit, map, add)

    def _map(self, frame: Frame) -> Optional[DescribedMap]:
        """The table that a function was called for, as it is now; None: it is not meant."""
        if self._table is not None and self._table.shape.own is None:
            return now(self.host, self._table)
        variable = frame.variable(self._call.parameters["table"])
        address = self._word(variable)
        if address is None or variable is None:
            self._pass_over(0, "debug information does not tell which table it is called for")
            return None
        if self._table is not None:
            return now(self.host, self._table) if address == self.address else None
        session = Session(self.host.target())
        type = variable.type.target() if variable.type.kind is Kind.POINTER else None
        try:
            return open_table(session, shape_of(session.target, self._description, type), address)
        except MapscopeError as error:
            self._pass_over(address, str(error))
            return None

    def _pass_over(self, address: int, why: str) -> None:
        """Say, once of each table, that an event of it is not told."""
        if address not in self._unread and len(self._unread) < _MOST_UNREAD:
            self._unread.add(address)
            name = self._description.name
            where = f"the {name} at {address:#x}" if address else f"a {name}"
            self.host.say(f"{self.stop.name}: {where} is passed over: {escape(why)}")

    def _word(self, variable: Optional[Variable]) -> Optional[int]:
        if variable is None:
            return None
        data = variable.data
        if data is None and variable.address is not None:
            data = bytes(self.host.target().read_memory(variable.address, variable.type.size))
        return None if data is None else int.from_bytes(data[: variable.type.size or 8], "little")

    def _key(self, map: DescribedMap, frame: Frame) -> Decoded:
        """The key that the function was called with."""
        parameters, form = self._call.parameters, map.shape.key
        node = self._word(frame.variable(parameters["node"])) if "node" in parameters else None
        if node is not None:
            return map.nodes.sought(node).value(0, map.decoder)
        if "key" not in parameters:
            return Unreadable("its key is not available here")
        variable = frame.variable(parameters["key"])
        if form.kind == VALUE and variable is not None:
            data = variable.data
            if data is None and variable.address is not None:
                data = bytes(self.host.target().read_memory(variable.address, form.type.size))
            return map.decoder.decode(form.type, data or b"", variable.address)
        start = self._word(variable)
        if start is None:
            return Unreadable("its key is not available here")
        if form.kind == C_STRING:
            return Texts(c_strings(map.memory, [start]), [start], ["no text"]).value(0, map.decoder)
        length = None
        if form.kind == TEXT:
            length = self._word(frame.variable(parameters.get("length", "")))
        if length is None:
            return Unreadable("the length of its key is not available here")
        return Texts([(start, length)], [start], [""]).value(0, map.decoder)

    def _holds(self, map: ChainedMap, key: Decoded) -> bool:
        if isinstance(key, Unreadable):
            return self.request.event == "delete"
        text: Optional[bytes] = None
        if isinstance(key, (str, bytes)):
            text = key if isinstance(key, bytes) else key.encode()
        test = KeyTest(lambda other: bool(other == key), text=text)
        if text is None:
            test = parse_key(map.types()[0], json_text(key))
        try:
            return map.find(test).where is not None
        except MapscopeError:
            return self.request.event == "delete"


def any_kind(only: str) -> TableKind:
    """The kind of any table of a description.

    :param only: as --type has it
    """
    return TableKind(NAME, _no_map, 0, {}, frozenset({only}))


def _no_map(session: Session, address: int) -> ChainedMap:
    raise MapscopeError("one table is to be named")


def kind_of(view: DescribedMap) -> TableKind:
    """What plans of tables are told of a kind: each description is one of its own."""

    def reopened(session: Session, address: int) -> ChainedMap:
        return view if view.reopen is None else _chained(view.reopen(session))

    return TableKind(NAME, reopened, 0, {}, frozenset())


def _chained(view: MapView) -> DescribedMap:
    assert isinstance(view, DescribedMap)
    return view


def now(host: Host, table: DescribedMap) -> DescribedMap:
    """The table as it is now.

    :raises MapscopeError: if there is none any more
    """
    if table.reopen is None:
        raise MapscopeError("it cannot be opened again")
    return _chained(table.reopen(Session(host.target())))
