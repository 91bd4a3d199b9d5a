# SPDX-License-Identifier: MIT
"""Go's classic map: Go 1.17 to 1.23, and later ones built without Swiss maps.

Offsets and rules: runtime/map.go, runtime/map_fast*.go and runtime/type.go of
those versions (amd64). An hmap does not say what it holds; the type comes from
debug information, from the type table by name, or from the runtime function
that is working on the map.

Go orders its stores for its collector, not for readers: while hashWriting is
set, the frames of the threads tell which write is stopped, and where.
"""

import struct
from dataclasses import replace
from functools import lru_cache, partial
from itertools import groupby
from typing import Callable, Iterator, List, Optional, Tuple

from ...cells.layout import BucketLayout
from ...cells.level import BucketArray
from ...cells.marks import CELLS, EVACUATED_X, MIN_TOP_HASH, TOP_HASHES
from ...classic.classic_map import ClassicMap
from ...classic.header import HASH_WRITING, Header, Writing
from ...classic.tally import tally_array
from ...classic.walker import Walker
from ...errors import MemoryUnreadable, NotAMap
from ...go import layouts
from ...go.size_classes import allocated
from ...kernels.scanning import Records
from ...maps.facts import Held
from ...maps.view import MapView
from ...program.memory import ADDRESS_LIMIT, Memory
from ...program.target import Frame, Variable
from ...program.types import Kind
from ...session import Session
from .go_maps import GoMaps, argument, fast_variant, type_of, word
from .hash_function import key_hash
from .map_types import MapType, map_type
from .nameless import assigned_cell, deleted_cell, is_partly, moved_buckets, words_of

NAME = "go-classic"

_HMAP = layouts.HMAP_FIELDS
_KNOWN_FLAGS = 15
#: largest old array searched for a half-moved chain when no frame tells, in buckets
_SEARCHED = 1 << 20


class GoClassicMaps(GoMaps):
    """Maps of Go 1.17 to 1.23, and later ones built with noswissmap."""

    name = NAME
    swiss = False

    def open(self, session: Session, address: int, typed: Optional[MapType]) -> MapView:
        return _open(session, address, typed)

    def require(self, session: Session, address: int) -> None:
        _require_plausible(session.memory, address)

    def from_variable(self, session: Session, variable: Variable) -> Optional[MapView]:
        """A map[K]V, or a runtime.hmap."""
        if variable.type.kind is Kind.GO_HMAP and variable.address is not None:
            return _open(session, variable.address, type_of(session, variable.address, None))
        return super().from_variable(session, variable)

    def evacuated_bucket(self, session: Session, frame: Frame, view: MapView) -> Optional[int]:
        """The old bucket that a frame of evacuate* is moving."""
        if not frame.function.startswith("runtime.evacuate") or not isinstance(view, ClassicMap):
            return None
        _, old = view.arrays()
        if old is None or view.layout is None:
            return None
        found = _evacuated_bucket(session, frame, view.walker(), old)
        if found is None:
            spilled = argument(session, frame, "oldbucket", 2)
            if spilled is not None and spilled < old.count:
                found = spilled
        return found


def _open(session: Session, address: int, typed: Optional[MapType]) -> MapView:
    header: Optional[Header] = None
    writing = Writing(copies_late=True)
    spare = None
    held: Optional[Callable[[Optional[int], Optional[int]], Held]] = None
    minor = session.go.minor
    if address:
        memory = session.memory
        try:
            raw = memory.read(address, _HMAP.size)
        except MemoryUnreadable as error:
            raise NotAMap(f"no Go map at {address:#x}: {error}") from None
        header = Header(*_HMAP.unpack(raw))
        header.validate(address)
        frames = _write_frames(session, address) if header.flags & HASH_WRITING else []
        header = _resolve(header, raw, frames, typed, memory, minor)
        if typed is not None:
            layout = typed.layout
            layout.validate()
            writing = _writing(session, address, header, frames, typed)
            found = header

            @lru_cache(maxsize=None)
            def count_spare() -> Optional[int]:
                return _spare(session, address, found, layout)

            spare = count_spare

            def hold(overflow: Optional[int], old_overflow: Optional[int]) -> Held:
                own = allocated(layouts.hmap(minor).size)
                return _held(found, layout, overflow, old_overflow, count_spare, own)

            held = hold

    view = ClassicMap(
        session.memory,
        address or None,
        typed.name if typed else "map[?]?",
        typed.key if typed else None,
        typed.elem if typed else None,
        header,
        typed.layout if typed else None,
        partial(layouts.load_limit, minor),
        writing,
        spare,
        held=held,
        overflow=lambda: header.overflow_estimate() if header else None,
        hashing=lambda: key_hash(session, typed, header.hash0 if header else 0),
    )
    view.flavor = NAME
    view.fast = fast_variant(typed) if typed else ""
    view.go_version = session.go.version or None
    view.runtime = session.go.place
    view.decoder = session.decoder()
    view.problems += session.go.doubts()
    if address:
        view.reopen = lambda later: _open(later, address, typed)
    return view


def open_at(session: Session, address: int, maptype: int) -> MapView:
    """The map whose hmap is at `address`, of the type that a runtime function was given.

    :raises MapscopeError: if there is none
    """
    session = session.for_type(maptype)
    return _open(session, address, map_type(session.go, maptype))


def _resolve(
    header: Header,
    raw: bytes,
    frames: List[Frame],
    typed: Optional[MapType],
    memory: Memory,
    minor: int,
) -> Header:
    """The header with a growth that is being installed, or is installed, made plain."""
    old: int = struct.unpack_from("<Q", raw, 24)[0]
    same_size = bool(header.flags & layouts.SAME_SIZE_GROW)
    if not old:
        header = replace(header, nevacuate=0)
        in_hash_grow = any(f.function == "runtime.hashGrow" for f in frames)
        if in_hash_grow and not same_size and header.B:
            # h.B += bigger comes before h.oldbuckets = oldbuckets. hashGrow is called where
            # there are too many entries for B, or too many overflow buckets.
            too_many = header.noverflow >= 1 << min(header.B, 15)
            if header.count < layouts.load_limit(minor, header.B) and not too_many:
                return replace(header, B=header.B - 1)
        return header
    old_B = header.B if same_size else header.B - 1
    if old_B < 0:
        raise NotAMap("no Go map: B is 0 in the middle of a doubling")
    if header.buckets == old:
        # hashGrow has set oldbuckets and not yet buckets: nothing is migrating
        return replace(header, oldbuckets=0, nevacuate=0, noverflow=0, B=old_B, installing=True)
    if typed is not None and any(f.function == "runtime.hashGrow" for f in frames):
        # h.nevacuate = 0 and h.noverflow = 0 come last
        head = memory.read(old, 8)[0]
        if not EVACUATED_X <= head < MIN_TOP_HASH:
            return replace(header, nevacuate=0, noverflow=0, kind=_kind(same_size), old_B=old_B)
    return replace(header, kind=_kind(same_size), old_B=old_B)


def _kind(same_size: bool) -> str:
    return "same-size" if same_size else "double"


def _require_plausible(memory: Memory, address: int) -> None:
    """:raises NotAMap: if the bytes at `address` cannot be an hmap"""
    try:
        count, flags, B, _, _, buckets, old, _ = _HMAP.unpack(memory.read(address, _HMAP.size))
    except MemoryUnreadable as error:
        raise NotAMap(f"no Go map at {address:#x}: {error}") from None
    reason = ""
    if flags & ~_KNOWN_FLAGS:
        reason = f"flags is {flags:#x}, at most {_KNOWN_FLAGS:#x} expected"
    elif B > 43:
        reason = f"B is {B}, at most 43 expected"
    elif count and not buckets:
        reason = f"count is {count} and buckets is nil"
    elif count > 1 << 47:
        reason = f"count is {count}"
    else:
        for name, pointer in (("buckets", buckets), ("oldbuckets", old)):
            if pointer and (pointer % 8 or not 4096 <= pointer < ADDRESS_LIMIT):
                reason = f"{name} is {pointer:#x}"
            elif pointer and not memory.readable(pointer, 8):
                reason = f"{name} is {pointer:#x}, which cannot be read"
    if reason:
        raise NotAMap(f"no Go map at {address:#x}: {reason}")


# --- writes that are stopped half-way ---


def _write_frames(session: Session, address: int) -> List[Frame]:
    """Frames of runtime functions that are writing to this map, of all threads; if there are
    none, of goroutines that wait in the middle of it."""

    def of(stack: List[Frame]) -> List[Frame]:
        found = [frame for frame in stack if layouts.operation_of(frame.function)]
        known = [argument(session, frame, "h", 1) for frame in found]
        # one calls the other, for the same map
        if address in known:
            return found
        if not any(known) and address in words_of(stack):
            return found  # registers have it, or slots that nothing names
        return []

    threads = [list(s) for _, s in groupby(session.runtime_frames(), lambda frame: frame.thread)]
    return [frame for stack in threads for frame in of(stack)] or [
        frame for _, stack in session.parked_writers() for frame in of(stack)
    ]


def _writing(
    session: Session, address: int, header: Header, frames: List[Frame], typed: MapType
) -> Writing:
    writing = Writing(copies_late=True)
    if not header.flags & HASH_WRITING:
        return writing
    memory, layout = session.memory, typed.layout
    walker = Walker(memory, layout, [])
    new = BucketArray("new", header.buckets, 1 << header.B)
    old = BucketArray("old", header.oldbuckets, 1 << header.old_B) if header.oldbuckets else None
    # growWork ends before mapdelete looks for its cell
    growing = {f.thread for f in frames if f.function.startswith("runtime.growWork")}
    for frame in frames:
        name = frame.function[len("runtime.") :]
        if name.startswith("evacuate") and old is not None and frame.has_variables:
            bucket = _evacuated_bucket(session, frame, walker, old)
            if bucket is not None:
                verdict = _is_moving(session, frame, walker, new, old, bucket, header)
                if verdict is not None:
                    (writing.evacuating if verdict else writing.perhaps).append(bucket)
        elif name.startswith("mapclear"):
            writing.cleared = True
        elif not frame.has_variables:
            continue
        elif name.startswith("mapassign_fast"):
            found = _assigned_cell(session, frame, walker, new, old, header.count)
            if found is not None:
                writing.pending[found[0]] = found[1]
        elif name.startswith("mapdelete") and frame.thread not in growing:
            place = _deleted_cell(session, frame, walker, new, typed)
            if place is not None:
                writing.pending[place] = None
    unnamed = [frame for frame in frames if not frame.has_variables]
    for thread in sorted({frame.thread for frame in unnamed}):
        stack = [frame for frame in _stack(session, thread) if not frame.has_variables]
        _unnamed_write(session, stack, walker, new, old, header, writing)
    if old is not None and not frames:
        # Nobody is known to write: what memory alone tells.
        head = old.address + header.nevacuate * layout.size
        if header.nevacuate < old.count and memory.readable(head, 1):
            # nevacuate advances after its bucket is moved, so a mark there means that
            # the move is running or has just ended
            if EVACUATED_X <= memory.read(head, 1)[0] < MIN_TOP_HASH:
                writing.evacuating.append(header.nevacuate)
        if not writing.evacuating and old.count <= _SEARCHED:
            writing.evacuating += _half_moved(memory, layout, old)
    return writing


def _stack(session: Session, thread: int) -> List[Frame]:
    """The frames of a thread, or of a parked goroutine, up to its write."""
    frames = [frame for frame in session.runtime_frames() if frame.thread == thread] or [
        frame
        for _, parked in session.parked_writers()
        for frame in parked
        if frame.thread == thread
    ]
    writes = [at for at, f in enumerate(frames) if layouts.operation_of(f.function)]
    return frames[: writes[-1] + 1] if writes else []


def _unnamed_write(
    session: Session,
    stack: List[Frame],
    walker: Walker,
    new: BucketArray,
    old: Optional[BucketArray],
    header: Header,
    writing: Writing,
) -> None:
    """What frames without variables tell of a write.

    :param stack: of one thread, from its innermost frame to the write
    """
    operations = [layouts.operation_of(frame.function) for frame in stack]
    if "evacuate" in operations or "grow" in operations:
        moving = [f for f in stack if f.function.startswith("runtime.evacuate")]
        if old is not None and moving:
            named = [argument(session, frame, "oldbucket", 2) for frame in moving]
            buckets = [header.nevacuate, *(b for b in named if b is not None)]
            words = words_of(stack[: stack.index(moving[-1]) + 1])
            writing.evacuating += moved_buckets(walker, new, old, words, buckets)
            if not writing.evacuating:
                half = _half_moved(session.memory, walker.layout, old)
                writing.evacuating += half if old.count <= _SEARCHED else []
        return
    outer = stack[-1]
    name = outer.function[len("runtime.") :]
    words = words_of(stack)
    key = _bytes_at(session.memory, outer.spilled(2), walker.layout.keysize)
    if name.startswith("mapassign_fast"):
        # count, increased last, tells whether a cell is live that should not be yet
        if _live_cells(walker, new, old) == header.count + 1:
            place = assigned_cell(walker, new, words, key)
            if place is not None:
                writing.pending[place] = key
    elif name.startswith("mapdelete"):
        if "_fast" not in name:
            at = argument(session, outer, "key", 2)
            key = _bytes_at(session.memory, at, walker.layout.keysize)
        place = deleted_cell(walker, new, words, key)
        if place is not None:
            writing.pending[place] = None


def _is_moving(
    session: Session,
    frame: Frame,
    walker: Walker,
    new: BucketArray,
    old: BucketArray,
    bucket: int,
    header: Header,
) -> Optional[bool]:
    """Whether evacuate* is moving this bucket, rather than passing one moved long ago.

    Old cells that Go keeps are stale then, and their new cells may hold anything.

    :return: False where it may be either, None where it is not moving
    """
    tops = [top for _, data in walker.chain(old, bucket) for top in data[:CELLS]]
    if any(top >= MIN_TOP_HASH for top in tops):
        return True
    if bucket <= header.nevacuate:
        # nevacuate advances as soon as its bucket is moved
        return True if bucket == header.nevacuate else None
    # These live in the loop over a bucket's cells alone.
    if any(word(session, frame, name) is not None for name in ("top", "useY", "i", "k", "e")):
        return True
    if _live_cells(walker, new, old) < header.count:
        return True
    # At its entry evacuate* has not looked at the bucket, b, yet.
    return None if word(session, frame, "b") is None else False


def _live_cells(walker: Walker, new: BucketArray, old: Optional[BucketArray]) -> int:
    arrays = [array for array in (new, old) if array is not None]
    return sum(tally_array(walker, array, cells=False).live for array in arrays)


def _evacuated_bucket(
    session: Session, frame: Frame, walker: Walker, old: BucketArray
) -> Optional[int]:
    """The old bucket that a frame of evacuate* is moving."""
    bucket = word(session, frame, "oldbucket")
    if bucket is not None:
        return bucket if bucket < old.count else None
    # Optimised code forgets oldbucket in the loop; b is the bucket it is at.
    at = word(session, frame, "b")
    if not frame.has_variables:
        spilled = argument(session, frame, "oldbucket", 2)
        return spilled if spilled is not None and spilled < old.count else None
    if at:
        index, rest = divmod(at - old.address, walker.layout.size)
        if rest == 0 and 0 <= index < old.count:
            return index
    if not at:
        return None
    spilled = argument(session, frame, "oldbucket", 2)
    if spilled is not None and spilled < old.count:
        if any(address == at for address, _ in walker.chain(old, spilled)):
            return spilled
    for levels in walker.walk(old):
        for level in levels[1:]:
            if at in level.addresses:
                return level.owners[level.addresses.index(at)]
    return None


def _assigned_cell(
    session: Session,
    frame: Frame,
    walker: Walker,
    new: BucketArray,
    old: Optional[BucketArray],
    count: int,
) -> Optional[Tuple[Tuple[int, int], bytes]]:
    """The new cell that mapassign_fast* has marked as live, and the key it is to hold.

    The tophash is stored before the key (runtime/map_fast64.go), so the cell
    shows what it held before. The key lies in the frame: its address is taken
    for the hasher.
    """
    layout = walker.layout
    key = _bytes_at(session.memory, frame.spilled(2), layout.keysize)
    key_hash = word(session, frame, "hash")
    if key is None or key_hash is None:
        return None
    same = _cells(walker, new, key_hash)
    if any(slot == key for _, slot in same):
        return None
    insertb, inserti = word(session, frame, "insertb"), word(session, frame, "inserti")
    insertk = word(session, frame, "insertk")
    for place, _ in same:
        if insertk == place[0] + layout.key_offset(place[1]):
            return place, key
        if insertb == place[0] and inserti == place[1]:
            return place, key
    # Optimised code has lost one of them, or shows what else the register holds. Where
    # several cells have the tophash, take the one in insertb, or the one never used.
    if len(same) > 1:
        same = [c for c in same if c[0][0] == insertb] or same
    if len(same) > 1:
        same = [c for c in same if not any(c[1])]
    if len(same) == 1:
        # count, increased last, tells whether a cell is live that should not be yet
        if _live_cells(walker, new, old) == count + 1:
            return same[0][0], key
    return None


def _deleted_cell(
    session: Session, frame: Frame, walker: Walker, new: BucketArray, typed: MapType
) -> Optional[Tuple[int, int]]:
    """The cell that mapdelete* is clearing: key and element go before the tophash."""
    memory, layout = session.memory, walker.layout
    key_hash = word(session, frame, "hash")
    if "_fast" in frame.function:
        key = _bytes_at(memory, frame.spilled(2), layout.keysize)
    else:
        key = _bytes_at(memory, argument(session, frame, "key", 2), typed.key.size)
    if key is None:
        return None
    if key_hash is not None:
        cells = _cells(walker, new, key_hash)
    else:
        at = word(session, frame, "b")
        data = _bytes_at(memory, at, layout.size)
        cells = [] if at is None or data is None else list(_live(layout, at, data))
    decoder = session.decoder()
    wanted = decoder.decode(typed.key, key)
    for place, slot in cells:
        if layout.indirect_key:
            slot = _bytes_at(memory, int.from_bytes(slot, "little"), typed.key.size) or b""
        # memclrHasPointers clears a key word by word; an equal string may lie elsewhere
        if is_partly(slot, key) or decoder.decode(typed.key, slot) == wanted:
            return place
    return None


def _cells(
    walker: Walker, array: BucketArray, key_hash: int
) -> List[Tuple[Tuple[int, int], bytes]]:
    """(cell, key slot) of all cells with this hash's tophash in its chain."""
    top = TOP_HASHES[key_hash >> 56]
    layout = walker.layout
    return [
        (place, slot)
        for address, data in walker.chain(array, key_hash & (array.count - 1))
        for place, slot in _live(layout, address, data)
        if data[place[1]] == top
    ]


def _live(
    layout: BucketLayout, address: int, data: bytes
) -> Iterator[Tuple[Tuple[int, int], bytes]]:
    """(cell, key slot) of a bucket's live cells."""
    for cell in range(CELLS):
        if data[cell] >= MIN_TOP_HASH:
            at = layout.key_offset(cell)
            yield (address, cell), data[at : at + layout.keysize]


def _half_moved(memory: Memory, layout: BucketLayout, old: BucketArray) -> List[int]:
    """Old buckets with an evacuated mark in front and live cells behind it."""
    result: List[int] = []
    for levels in Walker(memory, layout, []).walk(old):
        marks = levels[0].evacuated(layout)
        first = levels[0].owners[0]
        for level in levels:
            for owner, live in zip(level.owners, level.live_counts(layout)):
                if live and marks[owner - first]:
                    result.append(owner)
    return result[:16]


def _bytes_at(memory: Memory, address: Optional[int], size: int) -> Optional[bytes]:
    if not address:
        return None
    try:
        return memory.read(address, size)
    except MemoryUnreadable:
        return None


def _array_bytes(B: int, size: int) -> int:
    """Bytes of an array with its spare buckets (makeBucketArray in runtime/map.go)."""
    return allocated(size * ((1 << B) + ((1 << B >> 4) if B >= 4 else 0)))


def _held(
    header: Header,
    layout: BucketLayout,
    overflow: Optional[int],
    old_overflow: Optional[int],
    spare: Callable[[], Optional[int]],
    own: int,
) -> Held:
    """Memory of a map's arrays.

    :param overflow: overflow buckets of the present array, if they were counted
    :param old_overflow: of the old one
    :param own: bytes of the hmap
    """
    size = layout.size
    buckets = _array_bytes(header.B, size) if header.buckets else 0
    old = _array_bytes(header.old_B, size) if header.oldbuckets else 0
    outside = header.overflow_estimate() if overflow is None else overflow
    spares = buckets // size - (1 << header.B) if header.B >= 4 and buckets else 0
    left = spare() if outside and spares else spares
    outside = max(0, outside - (spares - (left or 0)))
    if old:
        old_spares = old // size - (1 << header.old_B) if header.old_B >= 4 else 0
        old += allocated(size) * max(0, (old_overflow or 0) - old_spares)
    return Held(buckets, old, allocated(size) * outside, own)


def _spare(session: Session, address: int, header: Header, layout: BucketLayout) -> Optional[int]:
    """Free spare overflow buckets: from mapextra.nextOverflow to the end mark."""
    memory = session.memory
    try:
        extra = memory.read_word(address + layouts.hmap(session.go.minor).at("extra"))
        following = memory.read_word(extra + layouts.MAPEXTRA.at("nextOverflow")) if extra else 0
        if not following:
            return 0
        # makeBucketArray rounds 2^(B-4) up to a size class: at most one eighth more
        most = (1 << header.B >> 4) * 2 + 1024
        count = 0
        step = max(1, (1 << 16) // layout.size)
        while count < most:
            start = following + count * layout.size
            raw = memory.read_chunk(start, step * layout.size)
            ends = Records(raw, layout.size).links(layout.overflow).indices
            if ends:
                return count + ends[0] + 1
            count += step
    except MemoryUnreadable:
        pass
    return None


# --- keys of writes, for stops ---


def written_key(session: Session, frame: Frame, size: int) -> Optional[bytes]:
    """The bytes of the key that a frame of mapassign* or mapdelete* works on.

    Behind the call of the hasher the fast variants keep the key itself in memory,
    the others its address.

    :param size: of a key, in bytes
    """
    if "_fast" in frame.function:
        return _bytes_at(session.memory, frame.spilled(2), size)
    return _bytes_at(session.memory, argument(session, frame, "key", 2), size)
