# SPDX-License-Identifier: MIT
"""What a dict holds, by its dictType: the names that servers export, and the functions in it
(src/server.c, t_hash.c; 6.2 to 8.0, Valkey 8.0)."""

from typing import Dict, Optional, Tuple

from ...program.types import Kind, Type
from ...records import dataclass
from .objects import OBJECT
from .sds import TEXT

#: kinds of keys
SDS, SDS_NOCASE, MSTR, POINTER = "sds", "sds of any case", "mstr", "pointer"
#: kinds of values
NONE, ROBJ, MILLISECONDS, SCORE, WORD = "none", "robj", "milliseconds", "score", "pointer"


@dataclass(frozen=True)
class Holds:
    """What keys and values are.

    :ivar name: of the dictType
    """

    name: str
    key: str
    value: str

    @property
    def type_name(self) -> str:
        """What the map is called."""
        return f"dict<{self.name}>"

    @property
    def key_type(self) -> Type:
        """Of a key, as commands look at it."""
        return _WORD if self.key == POINTER else TEXT

    @property
    def value_type(self) -> Type:
        """Of a value."""
        return _VALUES[self.value]


_WORD = Type(Kind.POINTER, "pointer", 8)
_VALUES: Dict[str, Type] = {
    NONE: Type(Kind.VOID, "none", 0),
    ROBJ: OBJECT,
    SDS: TEXT,
    MILLISECONDS: Type(Kind.INT, "milliseconds", 8),
    SCORE: Type(Kind.FLOAT, "double", 8),
    WORD: _WORD,
}

#: dictType: kinds of keys and values
TYPES: Dict[str, Tuple[str, str]] = {
    "dbDictType": (SDS, ROBJ),
    "dbExpiresDictType": (SDS, MILLISECONDS),
    "kvstoreKeysDictType": (SDS, ROBJ),
    "kvstoreExpiresDictType": (SDS, MILLISECONDS),
    "hashDictType": (SDS, SDS),
    "mstrHashDictType": (MSTR, SDS),
    "mstrHashDictTypeWithHFE": (MSTR, SDS),
    "setDictType": (SDS, NONE),
    "zsetDictType": (SDS, SCORE),
    "commandTableDictType": (SDS_NOCASE, WORD),
    "modulesDictType": (SDS_NOCASE, WORD),
    "stringSetDictType": (SDS_NOCASE, WORD),
    "sdsHashDictType": (SDS_NOCASE, WORD),
    "sdsReplyDictType": (SDS, WORD),
    "migrateCacheDictType": (SDS, WORD),
    "shaScriptObjectDictType": (SDS_NOCASE, WORD),
    "sentinelValkeyInstanceDictType": (SDS, WORD),
}

#: dictTypes of values of the keyspace: what those are
VALUES: Dict[str, str] = {
    "hashDictType": "a hash",
    "mstrHashDictType": "a hash",
    "mstrHashDictTypeWithHFE": "a hash",
    "setDictType": "a set",
    "zsetDictType": "a sorted set",
}

#: dictTypes of what clients have stored
KEYSPACE = frozenset(
    ("dbDictType", "dbExpiresDictType", "kvstoreKeysDictType", "kvstoreExpiresDictType", *VALUES)
)

#: functions that hash keys: what keys are
HASHES: Dict[str, str] = {
    "dictSdsHash": SDS,
    "dictSdsCaseHash": SDS_NOCASE,
    "dictMstrHash": MSTR,
}
#: functions that end values: what values are
ENDS: Dict[str, str] = {"dictObjectDestructor": ROBJ, "dictSdsDestructor": SDS}


def by_name(name: Optional[str]) -> Optional[Holds]:
    """What a dictType of this name says."""
    if name is None or name not in TYPES:
        return None
    return Holds(name, *TYPES[name])
