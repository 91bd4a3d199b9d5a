# SPDX-License-Identifier: MIT
"""Paths to one map of a Go heap, with every index and key, from what was kept of the way."""

from typing import Iterator, List, Optional, Set, Tuple

from ...errors import MapscopeError
from ...go import layouts
from ...maps.on_heap import Owner, Step
from ...program.types import Kind, Type
from ...program.values import text_form
from ...session import Session
from .heap_types import short_name
from .map_types import MapType
from .references import SYNC_MAP, Node, Shape, Trail

#: steps of a path, and characters of a key
_MOST_STEPS, _KEY = 256, 40


def owners_of(session: Session, trail: Trail, most: int) -> Iterator[Owner]:
    """Paths to a map, the first that was found first.

    :param trail: of a walk that looked for it
    """
    seen: Set[int] = set()
    for node, holder, shape, offset in trail.hits:
        place = holder + offset if holder else -1 - len(seen)
        if place in seen:
            continue
        if len(seen) >= most:
            return
        seen.add(place)
        yield Owner(_steps(session, trail, node, holder, shape, offset))


def _steps(
    session: Session, trail: Trail, node: Node, holder: int, shape: Optional[Shape], offset: int
) -> List[Step]:
    steps: List[Step] = []
    # a map is held by a value: what leads to it there, and where the value itself lies
    for _ in range(_MOST_STEPS):
        if not holder:
            steps.append(Step(node.root().label, "", 0))
            break
        found = trail.holding(holder)
        text, type = _inside(session, holder, shape, offset)
        if found is None:
            steps.append(Step(text, short_name(type), holder + offset))
            steps.append(Step(node.root().label, "", 0))
            break
        batch, number = found
        start, size = batch.starts[number], batch.sizes[number]
        is_cells = batch.offset == -1
        if shape is not None and size > shape.size and not is_cells:
            text = f"[{(holder - start) // shape.size}]" + text
        steps.append(Step(text, short_name(type), holder + offset))
        above = batch.holders[number]
        node = batch.node
        if is_cells:
            # what leads to the map itself
            map = trail.holding_map(above)
            if map is None:
                steps.append(Step(node.root().label, "", 0))
                break
            batch, number = map
            above, node = batch.holders[number], batch.node
        holder, shape, offset = above, batch.shape, batch.offset
    return steps[::-1]


def _inside(session: Session, holder: int, shape: Optional[Shape], offset: int) -> Tuple[str, str]:
    """(how a place in a value is written, its type)"""
    if shape is None:
        return f"+{offset:#x}", ""
    if shape.cells is not None:
        return _in_cell(session, holder, shape.cells, offset)
    return field_text(shape.type, offset)


def field_text(type: Type, offset: int) -> Tuple[str, str]:
    """(path to what lies at an offset, as `.field[2].other`, its type)"""
    text = ""
    for _ in range(64):
        if type.kind is Kind.STRUCT:
            if type.name == SYNC_MAP and not offset:
                break
            inner = [f for f in type.fields if f.offset <= offset < f.offset + f.type.size]
            if not inner:
                break
            field = inner[0]
            text, offset, type = f"{text}.{field.name}", offset - field.offset, field.type
        elif type.kind is Kind.ARRAY and type.target().size:
            element = type.target()
            index = offset // element.size
            text, offset, type = f"{text}[{index}]", offset - index * element.size, element
        else:
            break
    return text, type.name


def _in_cell(session: Session, bucket: int, type: MapType, offset: int) -> Tuple[str, str]:
    """What lies at an offset of a bucket or group: which key's it is."""
    layout = type.layout
    if layout.overflow and offset == layout.overflow:
        return "", ""
    for cell in range(layouts.CELLS):
        at = layout.keys + cell * layout.keysize
        key = _key_text(session, type, bucket + at)
        size = 8 if layout.indirect_key else type.key.size
        if at <= offset < at + size:
            text, name = field_text(type.key, offset - at)
            return f"(key {key}){text}", name
        at = layout.elems + cell * layout.elemsize
        size = 8 if layout.indirect_elem else type.elem.size
        if at <= offset < at + size:
            if layout.indirect_elem:
                return f"[{key}]", type.elem.name
            text, name = field_text(type.elem, offset - at)
            return f"[{key}]{text}", name
    return "", ""


def _key_text(session: Session, type: MapType, address: int) -> str:
    try:
        place = session.memory.read_word(address) if type.layout.indirect_key else address
        data = session.memory.read(place, type.key.size)
        return text_form(session.decoder().decode(type.key, data, place), _KEY)
    except MapscopeError:
        return "?"
