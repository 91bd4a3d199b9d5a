# SPDX-License-Identifier: MIT
"""A description, as the program at hand has it: its expressions, tied to types and variables."""

from dataclasses import replace
from typing import Dict, List, Optional, Tuple

from ...errors import MapscopeError
from ...program.target import Target
from ...program.types import Kind, Type
from ...records import dataclass
from .description import C_STRING, TEXT, VALUE, Description
from .formulas import OWN, TABLE, Env, Formula, Place, Scope, compile_formula, parts_of
from .named_hashes import HASH_BITS, HASHES
from .scopes import completed, struct_scope, variables_scope
from .texts import TEXT_TYPE

HASH, SIZE = "$hash", "$size"
#: the place of a hash in a table of a power of two
_MASKED = f"{HASH} & ({SIZE} - 1)"
#: bytes of a node or slot
_LARGEST = 1 << 20


@dataclass(frozen=True)
class Form:
    """How keys, or values, are found.

    :ivar kind: as `as` has it
    :ivar type: what they are shown as
    :ivar at: the value, or the address of its text
    :ivar length: bytes of a text
    :ivar unless: if it is not 0, the value is elsewhere
    """

    kind: str
    type: Type
    at: Formula
    length: Optional[Formula] = None
    unless: Optional[Formula] = None
    why_unless: str = ""

    def offset(self) -> Optional[int]:
        """Where in an entry that is what leads to it; None: it is computed."""
        return None if self.at.place is None else self.at.place.offset

    def where(self, env: Env) -> int:
        """The address of a value, or of a text."""
        place = self.at.place
        if self.kind == VALUE and place is not None:
            return place.at(env)
        return self.at.value(env)


@dataclass(frozen=True)
class Shape:
    """A description that fits the program.

    :ivar own: the struct that a table is; None: variables are the table
    :ivar segment: buckets of what each pointer of the array leads to; None: it has them itself
    :ivar entry: the type of a node, or of a slot
    :ivar row: bytes of it that are read
    :ivar stride: bytes from a bucket to the next one
    :ivar head: where in a bucket its pointer to the first node is
    :ivar following: of a node: the next one; None: entries lie in slots
    """

    description: Description
    own: Optional[Type]
    array: Formula
    segment: Optional[Formula]
    size: Formula
    count: Optional[Formula]
    paused: Optional[Formula]
    grows_above: Optional[Formula]
    place: Formula
    when: Optional[Formula]
    old_array: Optional[Formula]
    old_size: Optional[Formula]
    done: Optional[Formula]
    old_place: Formula
    entry: Type
    row: int
    stride: int
    head: int
    following: Optional[Formula]
    live: Optional[Formula]
    deleted: Optional[Formula]
    stored: Optional[Formula]
    key: Form
    value: Optional[Form]
    seed: Optional[Formula]
    watched: Tuple[Place, ...]

    def hash_bits(self) -> int:
        """Which bits a hash has."""
        width = 64
        if self.stored is not None and self.stored.place is not None:
            width = 8 * self.stored.place.type.size
        name = self.description.get("lookup.hash")
        if name in HASHES:
            width = min(width, HASH_BITS.get(name, 64))
        return (1 << width) - 1

    @property
    def chains(self) -> bool:
        """Whether entries are nodes of chains."""
        return self.following is not None


class _Builder:
    """Ties a description to a program."""

    def __init__(self, target: Target, description: Description) -> None:
        self.target = target
        self.description = description
        self.complete = completed(target)

    def formula(self, key: str, scope: Scope, otherwise: str = "") -> Formula:
        """An expression of the description."""
        try:
            return compile_formula(self.description.get(key, otherwise), scope)
        except MapscopeError as error:
            raise self.description.error(key, str(error)) from None

    def maybe(self, key: str, scope: Scope) -> Optional[Formula]:
        """The same, if there is one."""
        return self.formula(key, scope) if key in self.description.lines else None

    def named_type(self, key: str) -> Type:
        """A type that the description names."""
        name = self.description.get(key)
        plain = name.partition("struct ")[2] or name
        # of C a struct's name alone is none
        found = self.target.find_type(plain) or self.target.find_type(f"struct {plain}")
        if found is None or not found.size:
            raise self.description.error(key, f"the program has no type {name}")
        return found

    def own_type(self) -> Type:
        """The struct that a table is."""
        return self.named_type("table.type")

    def table_scope(self, own: Optional[Type], given: Tuple[str, ...] = ()) -> Scope:
        """What names in [table] and [old] mean."""
        if own is not None:
            return struct_scope(own, self.target, given)
        return variables_scope(self.target, self.description.words("table.file"), given)

    def entry(self, array: Formula) -> Tuple[Type, int, int]:
        """(type of a node or slot, bytes of a bucket, where its pointer to a node is)."""
        slots = self.description.has("slot")
        key = "slot.type" if slots else "node.type"
        bucket: Optional[Type] = None
        if array.place is not None and array.place.type.kind in (Kind.POINTER, Kind.ARRAY):
            bucket = self.complete(array.place.type.target())
        if "table.segment" in self.description.lines:
            if bucket is None or bucket.kind is not Kind.POINTER:
                what = "not known" if bucket is None else f"a {bucket.name}"
                text = f"with `segment` it has pointers to segments, and an element is {what}"
                raise self.description.error("table.array", text)
            bucket = self.complete(bucket.target())
        if slots:
            entry = self.named_type(key) if key in self.description.lines else bucket
            if entry is None or not entry.size or entry.kind is Kind.VOID:
                raise self.description.error("table.array", "of what? [slot] may name a type")
            return entry, entry.size, 0
        stride, head = 8, 0
        pointer = bucket
        if "node.head" in self.description.lines:
            if bucket is None or not bucket.size:
                raise self.description.error("node.head", "what a bucket is is not known")
            found = self.formula("node.head", struct_scope(bucket, self.target))
            if found.place is None or found.place.offset is None:
                raise self.description.error("node.head", "it is to be a part of a bucket")
            pointer, stride, head = found.place.type, bucket.size, found.place.offset
        if key in self.description.lines:
            return self.named_type(key), stride, head
        if pointer is None or pointer.kind is not Kind.POINTER:
            what = "no pointer to nodes" if pointer is None else f"a {pointer.name}"
            hint = "name the type of nodes ([node] type) or where a bucket has its first (head)"
            raise self.description.error("table.array", f"a bucket is {what}: {hint}")
        return self.complete(pointer.target()), stride, head

    def form(self, section: str, scope: Scope) -> Form:
        """How keys or values are found."""
        description = self.description
        kind = description.get(f"{section}.as", VALUE)
        at = self.formula(f"{section}.at", scope)
        unless = self.maybe(f"{section}.unless", scope)
        why = ""
        if unless is not None:
            why = f"it is elsewhere: {description.get(f'{section}.unless')}"
        if kind in (TEXT, C_STRING):
            length = self.maybe(f"{section}.length", scope)
            return Form(kind, TEXT_TYPE, at, length, unless, why)
        if f"{section}.type" in description.lines:
            return Form(kind, self.named_type(f"{section}.type"), at, None, unless, why)
        if at.place is None:
            raise description.error(f"{section}.at", "of which type? Name one (type = TYPE)")
        return Form(kind, self.complete(at.place.type), at, None, unless, why)

    def watched(self, scope: Scope) -> Tuple[Place, ...]:
        """What changes when a migration goes on."""
        description = self.description
        texts = description.words("stops.watch")
        key = "stops.watch"
        if not texts:
            texts, key = [description.get("old.done")], "old.done"
            if "old.when" in description.lines:
                texts.append(description.get("old.when"))
        places: List[Place] = []
        for text in texts:
            try:
                found = compile_formula(text, scope)
            except MapscopeError as error:
                raise description.error(key, str(error)) from None
            place = found.place
            if place is not None and place.type.size in (1, 2, 4, 8):
                places.append(place)
            elif key == "stops.watch":
                raise description.error(key, f"{text!r} is no variable of 1, 2, 4 or 8 bytes")
        return tuple(places)


def shape_of(target: Target, description: Description, own: Optional[Type] = None) -> Shape:
    """A description, tied to the program.

    :param own: the struct that a table is, where it is at hand
    :raises MapscopeError: if the program has not what it names
    """
    make = _Builder(target, description)
    if own is None and description.type_name:
        own = make.own_type()
    if own is not None:
        own = make.complete(own)
        if not parts_of(own):
            raise description.error("table.type", f"nothing is known of what is in a {own.name}")
    table = make.table_scope(own)
    placing = make.table_scope(own, (HASH, SIZE))
    has_old = description.has("old")
    array = make.formula("table.array", table)
    entry, stride, head = make.entry(array)
    if not 0 < entry.size <= _LARGEST:
        raise description.error("table.array", f"the size of a {entry.name} is not known")
    scope = struct_scope(entry, target, (OWN,))
    if own is not None:
        scope = replace(scope, given=(OWN, TABLE), table=own)
    place = make.formula("table.bucket", placing, _MASKED)
    when = make.maybe("old.when", table)
    if has_old and when is None:
        when = make.formula("old.array", table)
    chains = description.has("node")
    return Shape(
        description,
        own,
        array,
        make.maybe("table.segment", table),
        make.formula("table.size", table),
        make.maybe("table.count", table),
        make.maybe("table.paused", table),
        make.maybe("table.grows_above", table),
        place,
        when,
        make.maybe("old.array", table),
        make.maybe("old.size", table),
        make.maybe("old.done", table),
        make.maybe("old.bucket", placing) or place,
        entry,
        (entry.size + 7) & ~7 if chains else entry.size,
        stride,
        head,
        make.formula("node.next", scope) if chains else None,
        None if chains else make.formula("slot.live", scope),
        make.maybe("slot.deleted", scope),
        make.maybe("node.hash" if chains else "slot.hash", scope),
        make.form("key", scope),
        make.form("value", scope) if description.has("value") else None,
        make.maybe("lookup.seed", table),
        make.watched(table) if has_old else (),
    )


def placed(formula: Formula, env: Env, key_hash: int, size: int) -> int:
    """The bucket of a hash."""
    values: Dict[str, int] = {HASH: key_hash, SIZE: size}
    return formula.value(Env(env.memory, env.base, b"", values))
