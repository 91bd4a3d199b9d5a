# SPDX-License-Identifier: MIT
"""Entries of one sync.Map that are written and deleted: at the methods that do it.

Some are also called where nothing comes of it: what the map holds at that moment tells whether
something will. Registers are those of ABIInternal (cmd/compile/abi-internal.md); a method of a
type with parameters is given a dictionary behind its receiver.
"""

import struct
from typing import Dict, List, Optional, Tuple

from ...errors import UsageError
from ...flavours.go_sync.read_dirty import ReadDirtyMap
from ...go.layouts import ARGUMENT_REGISTERS
from ...maps.found import Found, KeyTest
from ...maps.key_text import parse_key
from ...program.values import Decoded, InterfaceValue, Unreadable, json_text
from ...session import Session
from ...stops.engine import Plan, Stop
from ...stops.host import Hit, Host, OnHit
from ...stops.occurrence import Occurrence
from .sync_plan import SyncPlan, SyncView

#: what a method does if the key is there, and if it is not; with an old value: if it is that one
ALWAYS, IF_ABSENT, IF_PRESENT, IF_SAME = "always", "absent", "present", "same"
#: of each event: methods, and when they do it
_METHODS: Dict[str, Tuple[Tuple[str, str], ...]] = {
    "assign": (("Swap", ALWAYS), ("LoadOrStore", IF_ABSENT), ("CompareAndSwap", IF_SAME)),
    "delete": (("LoadAndDelete", IF_PRESENT), ("CompareAndDelete", IF_SAME)),
}
#: a method of the trie that all types of one shape share: by its symbol, and as Go's own table of
#: functions has it
_SHARED = (
    "internal/sync.(*HashTrieMap[go.shape.interface {},go.shape.interface {}]).",
    "internal/sync.(*HashTrieMap[...]).",
)
_OWN = ("sync.(*Map).",)


class CallPlan(SyncPlan):
    """`assign` and `delete` of one map."""

    def __init__(self, stop: Stop, host: Host, session: Session, map: SyncView) -> None:
        super().__init__(stop, host, session, map)
        self._test: Optional[KeyTest] = None
        self._key_type = map.types()[0]
        if self.request.key is not None:
            self._test = parse_key(self._key_type, self.request.key)
        self._first = 1 if isinstance(map, ReadDirtyMap) else 2

    def arm(self) -> Plan:
        prefixes = _OWN if isinstance(self.map, ReadDirtyMap) else _SHARED
        methods = _METHODS[self.request.event]
        if self.go.minor <= 19 and self.request.event == "assign":
            methods = (("Store", ALWAYS), *methods[1:])
        missing: List[str] = []
        for name, when in methods:
            for prefix in prefixes:
                if self.go.function(prefix + name) is not None:
                    self.at(prefix + name, self._handler(when))
                    break
            else:
                missing.append(name)
        if self.visible is None:
            raise UsageError(
                f"the program has none of {', '.join(missing)} of sync.Map (it never uses them, or "
                "the compiler has put them into their callers): nothing can be stopped at there"
            )
        self.warn_of_stack()
        return self

    def _handler(self, when: str) -> OnHit:
        return lambda hit: self._called(hit, when)

    def _value(self, hit: Hit, number: int) -> bytes:
        """An argument that is an interface: its two words."""
        at = self._first + 2 * number
        return struct.pack("<QQ", *(hit.register(name) for name in ARGUMENT_REGISTERS[at : at + 2]))

    def _called(self, hit: Hit, when: str) -> bool:
        if hit.register(ARGUMENT_REGISTERS[0]) != self.map.receiver:
            return False
        decoder = Session(self.host.target()).decoder()
        raw = self._value(hit, 0)
        key = decoder.decode(self._key_type, raw, None)
        if self._test is not None and (_is_unknown(key) or not self._test.matches(key)):
            return False  # a key that cannot be told is not the one that was asked for
        map = self.map_now()
        if when != ALWAYS:
            found = map.find(KeyTest(lambda other: bool(other == key), raw))
            old = decoder.decode(self._key_type, self._value(hit, 1), None)
            if not _does(when, found, old):
                return False

        def add(occurrence: Occurrence) -> None:
            occurrence.key = json_text(key)

        return self.happened(self.request.event, hit, map, add)


def _is_unknown(value: Decoded) -> bool:
    inner = value.value if isinstance(value, InterfaceValue) else value
    return isinstance(inner, Unreadable)


def _does(when: str, found: Found, old: Decoded) -> bool:
    """Whether a method that is called does something."""
    if when == IF_ABSENT:
        return found.where is None
    if when == IF_PRESENT:
        return found.where is not None
    return found.where is not None and bool(found.value == old)
