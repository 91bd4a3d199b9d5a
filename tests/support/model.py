# SPDX-License-Identifier: MIT
"""A small, independent model of the classic map, written into an Image.

After the rules of Go's runtime/map.go (Go 1.17 to 1.23) and, for RuntimeMap,
the order of stores that runtime/include/mapscope/layout.h promises. It keeps
its truth beside the bytes, and every one of its stores goes through
Image.store, so that a test can look after any of them.

What this must not know: how core decodes.
"""

from abc import ABC, abstractmethod
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Callable, ContextManager, Dict, Iterator, List, Optional, Tuple

from codec import Codec, Value
from image import FakeFrame, Image, number

CELLS = 8
EMPTY_REST, EMPTY_ONE, MOVED_X, MOVED_Y, MOVED_EMPTY, MIN_TOP = range(6)
ITERATOR, OLD_ITERATOR, HASH_WRITING, SAME_SIZE_GROW, SHRINKING = 1, 2, 4, 8, 16
MASK = (1 << 64) - 1

#: (key, hash0) -> 64 bits
Hash = Callable[[Value, int], int]
#: (address of a bucket, cell)
Place = Tuple[int, int]


def mixed(key: Value, hash0: int) -> int:
    """A good hash that is nobody's: the model's default for Go."""
    x = hash0 ^ 0x51ED270B
    for byte in repr(key).encode():
        x = ((x ^ byte) * 0x9E3779B97F4A7C15) & MASK
        x ^= x >> 29
    return (x * 0xBF58476D1CE4E5B9) & MASK


def clashing(key: Value, hash0: int) -> int:
    """A hash with four values in its low bits and few in its top byte: long chains."""
    x = mixed(key, 0)
    return (x & 3) | (x >> 8 & 7) << 56


@dataclass(frozen=True)
class Shape:
    """Where the parts of a bucket are."""

    keysize: int
    elemsize: int
    keys: int
    elems: int
    overflow: int
    size: int
    align: int
    indirect_key: bool
    indirect_elem: bool


def shape(key: Codec, elem: Codec) -> Shape:
    """The bucket of layout.h's diagram, which is Go's where no part needs more than 8."""
    indirect_key, indirect_elem = key.size > 128, elem.size > 128
    keysize = 8 if indirect_key else key.size
    elemsize = 8 if indirect_elem else elem.size
    key_align = 8 if indirect_key else key.align
    elem_align = 8 if indirect_elem else elem.align
    align = max(8, key_align, elem_align)
    keys = -(-8 // key_align) * key_align
    elems = -(-(keys + 8 * keysize) // elem_align) * elem_align
    size = -(-(elems + 8 * elemsize + 8) // align) * align
    return Shape(keysize, elemsize, keys, elems, size - 8, size, align, indirect_key, indirect_elem)


#: field: (offset, bytes) of Go's hmap
HMAP = {
    "count": (0, 8),
    "flags": (8, 1),
    "B": (9, 1),
    "noverflow": (10, 2),
    "hash0": (12, 4),
    "buckets": (16, 8),
    "oldbuckets": (24, 8),
    "nevacuate": (32, 8),
    "extra": (40, 8),
}


class ClassicMap(ABC):
    """What both kinds of map do in the same way.

    :ivar truth: the entries that the map holds
    :ivar touched: the key of the operation that is running, if one is
    :ivar next_overflow: offset of mapextra.nextOverflow
    """

    next_overflow = 16

    def __init__(
        self,
        image: Image,
        key: Codec,
        elem: Codec,
        hasher: Hash = mixed,
        hash0: int = 0x5EED,
        load_num: int = 13,
        fields: Optional[Dict[str, Tuple[int, int]]] = None,
    ) -> None:
        self.image = image
        self.key = key
        self.elem = elem
        self.shape = shape(key, elem)
        self.hasher = hasher
        self.load_num = load_num
        self.fields = fields or HMAP
        self.truth: Dict[Value, Value] = {}
        self.touched: Optional[Value] = None
        self.address = self._allocate_header()
        self.init("hash0", hash0)

    # --- fields ---

    def get(self, name: str) -> int:
        """A field of the header."""
        offset, size = self.fields[name]
        return self.image.word(self.address + offset, size)

    def set(self, name: str, value: int) -> None:
        """The program stores a field."""
        offset, size = self.fields[name]
        self.image.store_word(self.address + offset, value & (1 << 8 * size) - 1, size)

    def init(self, name: str, value: int) -> None:
        """Set a field up, unseen."""
        offset, size = self.fields[name]
        self.image.write_word(self.address + offset, value & (1 << 8 * size) - 1, size)

    def key_at(self, bucket: int, cell: int) -> int:
        """Address of a key slot."""
        return bucket + self.shape.keys + cell * self.shape.keysize

    def elem_at(self, bucket: int, cell: int) -> int:
        """Address of an element slot."""
        return bucket + self.shape.elems + cell * self.shape.elemsize

    def tops(self, bucket: int) -> bytes:
        """The tophash bytes of a bucket."""
        return self.image.read(bucket, CELLS)

    def overflow(self, bucket: int) -> int:
        """A bucket's overflow pointer."""
        return self.image.word(bucket + self.shape.overflow)

    def chain(self, array: int, index: int) -> List[int]:
        """Addresses of the buckets of a chain."""
        result = [array + index * self.shape.size]
        while self.overflow(result[-1]):
            result.append(self.overflow(result[-1]))
        return result

    def growing(self) -> bool:
        """Whether a growth is installed."""
        return self.get("oldbuckets") != 0

    def old_count(self) -> int:
        """Buckets of the old array."""
        flags, B = self.get("flags"), self.get("B")
        if flags & SAME_SIZE_GROW:
            return 1 << B
        return 1 << B + 1 if flags & SHRINKING else 1 << B - 1

    def evacuated(self, index: int) -> bool:
        """Whether an old bucket is evacuated."""
        return MOVED_X <= self.tops(self.get("oldbuckets") + index * self.shape.size)[0] < MIN_TOP

    def hash(self, key: Value) -> int:
        """The key's hash in this map."""
        return self.hasher(key, self.get("hash0"))

    def top(self, key_hash: int) -> int:
        """The tophash of a hash."""
        return key_hash >> 56 if key_hash >> 56 >= MIN_TOP else (key_hash >> 56) + MIN_TOP

    # --- keys and elements ---

    def key_of(self, place: Place) -> Value:
        """The key in a cell."""
        data = self.image.read(self.key_at(*place), self.shape.keysize)
        if self.shape.indirect_key:
            data = self.image.read(int.from_bytes(data, "little"), self.key.size)
        value: Value = self.key.decode(self.image, data)
        return value

    def _slot(self, codec: Codec, value: Value, address: int, indirect: bool) -> bytes:
        """What a slot at `address` holds for `value`."""
        if not indirect:
            return codec.encode(self.image, value, address)
        outside = self.image.allocate(codec.size)
        self.image.write(outside, codec.encode(self.image, value, outside))
        return outside.to_bytes(8, "little")

    def store_key(self, place: Place, key: Value) -> None:
        """The program writes a key into its slot."""
        at = self.key_at(*place)
        self.image.store(at, self._slot(self.key, key, at, self.shape.indirect_key))

    def store_elem(self, place: Place, value: Value) -> None:
        """The program writes an element into its slot."""
        at = self.elem_at(*place)
        self.image.store(at, self._slot(self.elem, value, at, self.shape.indirect_elem))

    def _move_slots(self, source: Place, target: Place) -> None:
        """Key, then element, from cell to cell."""
        for codec, at, size, indirect in (
            (self.key, self.key_at, self.shape.keysize, self.shape.indirect_key),
            (self.elem, self.elem_at, self.shape.elemsize, self.shape.indirect_elem),
        ):
            data = self.image.read(at(*source), size)
            if not indirect:
                data = codec.relocate(data, at(*source), at(*target))
            self.image.store(at(*target), data)

    # --- rules ---

    def over_load_factor(self, count: int, B: int) -> bool:
        """Whether `count` entries are too many for 2^B buckets."""
        return count > CELLS and count > self.load_num * ((1 << B) // 2)

    def _must_grow(self) -> bool:
        B = self.get("B")
        too_many = self.get("noverflow") >= 1 << min(B, 15)
        return self.over_load_factor(self.get("count") + 1, B) or too_many

    def find(self, array: int, index: int, key: Value, top: int) -> Optional[Place]:
        """The cell of a key in one chain."""
        for bucket in self.chain(array, index):
            for cell, mark in enumerate(self.tops(bucket)):
                if mark == top and self.key_of((bucket, cell)) == key:
                    return bucket, cell
        return None

    def _free(self, array: int, index: int) -> Tuple[Optional[Place], int]:
        """(the first free cell of a chain, the chain's last bucket)"""
        chain = self.chain(array, index)
        for bucket in chain:
            for cell, mark in enumerate(self.tops(bucket)):
                if mark in (EMPTY_REST, EMPTY_ONE):
                    return (bucket, cell), chain[-1]
        return None, chain[-1]

    def _make_array(self, B: int) -> int:
        """2^B buckets, and spare ones behind them from B = 4 on; the last spare is marked."""
        spare = 1 << B - 4 if B >= 4 else 0
        size = self.shape.size
        array = self.image.allocate(((1 << B) + spare) * size, max(16, self.shape.align))
        self._pending_spare = array + (size << B) if spare else 0
        if spare:
            self.image.write_word(array + size * ((1 << B) + spare) - 8, array)
        return array

    def _new_overflow(self) -> int:
        """An overflow bucket that nothing points at yet: a spare one if there is one."""
        extra = self.get("extra")
        spare = self.image.word(extra + self.next_overflow) if extra else 0
        if not spare:
            return self.image.allocate(self.shape.size, max(16, self.shape.align))
        following = spare + self.shape.size
        if self.overflow(spare):
            self.image.store_word(spare + self.shape.overflow, 0)
            following = 0
        self.image.store_word(extra + self.next_overflow, following)
        return spare

    def _link(self, last: int, bucket: int) -> None:
        self.image.store_word(last + self.shape.overflow, bucket)

    def grow_work(self, key_hash: int) -> None:
        """Evacuate the key's own old bucket and the one at nevacuate."""
        self.evacuate(key_hash & self.old_count() - 1)
        if self.growing():
            self.evacuate(self.get("nevacuate"))

    def _advance(self, index: int) -> None:
        """advanceEvacuationMark, after old bucket `index` was moved."""
        if index != self.get("nevacuate"):
            return
        total = self.old_count()
        self.set("nevacuate", index + 1)
        stop = min(index + 1 + 1024, total)
        while self.get("nevacuate") < stop and self.evacuated(self.get("nevacuate")):
            self.set("nevacuate", self.get("nevacuate") + 1)
        if self.get("nevacuate") == total:
            self.set("oldbuckets", 0)
            self._old_gone()
            self.set("flags", self.get("flags") & ~(SAME_SIZE_GROW | SHRINKING))

    def _old_gone(self) -> None:
        """Just after oldbuckets became nil."""

    def _sweep_back(self, array: int, index: int, place: Place) -> None:
        """Turn emptyOne into emptyRest backwards where nothing follows the cell."""
        cells = [(b, c) for b in self.chain(array, index) for c in range(CELLS)]
        at = cells.index(place)
        if at + 1 < len(cells) and self.tops(cells[at + 1][0])[cells[at + 1][1]] != EMPTY_REST:
            return
        while at >= 0 and self.tops(cells[at][0])[cells[at][1]] == EMPTY_ONE:
            self.image.store(cells[at][0] + cells[at][1], bytes([EMPTY_REST]))
            at -= 1

    # --- what the kinds do in their own way ---

    @abstractmethod
    def _allocate_header(self) -> int:
        """Memory for the header; its address."""

    @abstractmethod
    def assign(self, key: Value, value: Value) -> None:
        """m[key] = value"""

    @abstractmethod
    def delete(self, key: Value) -> None:
        """delete(m, key)"""

    @abstractmethod
    def evacuate(self, index: int) -> None:
        """Move old bucket `index`, if that was not done yet."""

    # --- for tests ---

    def fill(self, entries: Dict[Value, Value]) -> None:
        """Many assignments, unseen."""
        seen, self.image.after_store = self.image.after_store, None
        for key, value in entries.items():
            self.assign(key, value)
        self.image.after_store = seen

    def cells(self) -> Iterator[Tuple[str, int, int, int, int]]:
        """(array, bucket, chain position, cell, tophash) of all cells, one by one."""
        arrays = [("new", self.get("buckets"), 1 << self.get("B"))]
        if self.growing():
            arrays.append(("old", self.get("oldbuckets"), self.old_count()))
        for name, array, count in arrays:
            for index in range(count if array else 0):
                for position, bucket in enumerate(self.chain(array, index)):
                    for cell, top in enumerate(self.tops(bucket)):
                        yield name, index, position, cell, top


class GoMap(ClassicMap):
    """Go's map.

    :param frames: where the frames of a running operation are shown
    :param maptype: address of its type descriptor, for those frames
    :param variant: "" for the generic functions, else "_fast64", "_faststr", ...
    """

    def __init__(
        self,
        image: Image,
        key: Codec,
        elem: Codec,
        hasher: Hash = mixed,
        hash0: int = 0x5EED,
        load_num: int = 13,
        frames: Optional[List[FakeFrame]] = None,
        maptype: int = 0,
        variant: str = "",
    ) -> None:
        self.frames: List[FakeFrame] = [] if frames is None else frames
        self.maptype = maptype
        self.variant = variant
        #: whether its frames have no variables, but words
        self.nameless = False
        #: called around each function of the runtime, with its frame and registers
        self.at_entry: Callable[
            [FakeFrame, Dict[str, int]], ContextManager[None]
        ] = lambda frame, registers: nullcontext()
        super().__init__(image, key, elem, hasher, hash0, load_num)

    def _allocate_header(self) -> int:
        return self.image.allocate(48)

    @contextmanager
    def _in(
        self, function: str, key: Optional[Dict[str, int]] = None, **variables: int
    ) -> Iterator[FakeFrame]:
        """Inside a function of the runtime, as its frame shows.

        :param key: registers that the key is passed in
        """
        frame = FakeFrame(1, f"runtime.{function}", has_variables=not self.nameless)
        known = dict(variables, t=self.maptype, h=self.address)
        frame.variables = {name: number(value) for name, value in known.items()}
        self.frames.insert(0, frame)
        try:
            self.image.pause()
            with self.at_entry(frame, self._registers(function, variables, key)):
                yield frame
            self.image.pause()
        finally:
            self.frames.remove(frame)

    def _registers(
        self, function: str, variables: Dict[str, int], key: Optional[Dict[str, int]]
    ) -> Dict[str, int]:
        """The arguments as ABIInternal passes them."""
        registers = {"rax": self.maptype, "rbx": self.address}
        if function == "advanceEvacuationMark":
            registers = {"rax": self.address, "rbx": self.maptype}
        if "oldbucket" in variables:
            registers["rcx"] = variables["oldbucket"]
        if "bucket" in variables:
            registers["rcx"] = variables["bucket"] & (1 << self.get("B")) - 1
        return {**registers, **(key or {})}

    def _key_registers(self, key: Value) -> Dict[str, int]:
        """A key as a parameter: itself, a string's pointer and length, or its address."""
        place = self.image.allocate(self.key.size)
        data = self.key.encode(self.image, key, place)
        self.image.write(place, data)
        if self.variant == "_faststr":
            pointer, length = (int.from_bytes(data[at : at + 8], "little") for at in (0, 8))
            return {"rcx": pointer, "rdi": length}
        return {"rcx": int.from_bytes(data, "little") if self.variant else place}

    def _spill_key(self, frame: FakeFrame, key: Value) -> None:
        """A copy of the key parameter where Go keeps it, or a pointer to it."""
        codec = self.key
        place = self.image.allocate(codec.size)
        self.image.write(place, codec.encode(self.image, key, place))
        if not self.variant:
            place = self.image.place(place.to_bytes(8, "little"))
        frame.spill[2] = place

    def assign(self, key: Value, value: Value) -> None:
        self.touched = key
        function, registers = "mapassign" + self.variant, self._key_registers(key)
        with self._in(function, registers, hash=self.hash(key)) as frame:
            self._spill_key(frame, key)
            self.set("flags", self.get("flags") ^ HASH_WRITING)
            place = self._assign(frame, key)
            self.set("flags", self.get("flags") & ~HASH_WRITING)
        self._store_returned(place, value)
        self.truth[key] = value
        self.touched = None

    def _store_returned(self, place: Place, value: Value) -> None:
        """The caller's store through the pointer that mapassign returned."""
        at = self.elem_at(*place)
        if self.shape.indirect_elem:
            at = self.image.word(at)
        self.image.store(at, self.elem.encode(self.image, value, at))

    def _assign(self, frame: FakeFrame, key: Value) -> Place:
        key_hash = self.hash(key)
        top = self.top(key_hash)
        if not self.get("buckets"):
            self.set("buckets", self._make_array(0))
        while True:
            if self.growing():
                with self._in("growWork" + self.variant, bucket=key_hash):
                    self.grow_work(key_hash)
            index = key_hash & (1 << self.get("B")) - 1
            array = self.get("buckets")
            found = self.find(array, index, key, top)
            if found is not None:
                return found
            if self.growing() or not self._must_grow():
                break
            self.hash_grow()
        place, last = self._free(array, index)
        if place is None:
            place = self._new_linked(last), 0
        self._insert(frame, place, key, top)
        self.set("count", self.get("count") + 1)
        return place

    def _insert(self, frame: FakeFrame, place: Place, key: Value, top: int) -> None:
        """The stores of a new key; the generic function writes the tophash last."""
        bucket, cell = place
        frame.variables["insertb"] = number(bucket)
        frame.variables["inserti"] = number(cell)
        if self.shape.indirect_elem:
            self.image.store_word(self.elem_at(*place), self.image.allocate(self.elem.size))
        if self.variant:
            self.image.store(bucket + cell, bytes([top]))
            frame.variables["insertk"] = number(self.key_at(*place))
            data = self.image.read(frame.spill[2], self.shape.keysize)
            self.image.store(self.key_at(*place), data)
        else:
            self.store_key(place, key)
            self.image.store(bucket + cell, bytes([top]))

    def _new_linked(self, last: int) -> int:
        """newoverflow: counted, then linked behind `last`."""
        bucket = self._new_overflow()
        self.set("noverflow", self.get("noverflow") + 1)
        self._link(last, bucket)
        return bucket

    def hash_grow(self) -> None:
        """The stores of hashGrow in Go's order."""
        with self._in("hashGrow"):
            bigger = 1
            if not self.over_load_factor(self.get("count") + 1, self.get("B")):
                bigger = 0
                self.set("flags", self.get("flags") | SAME_SIZE_GROW)
            old = self.get("buckets")
            new = self._make_array(self.get("B") + bigger)
            flags = self.get("flags") & ~(ITERATOR | OLD_ITERATOR)
            if self.get("flags") & ITERATOR:
                flags |= OLD_ITERATOR
            self.set("B", self.get("B") + bigger)
            self.set("flags", flags)
            self.set("oldbuckets", old)
            self.set("buckets", new)
            self.set("nevacuate", 0)
            self.set("noverflow", 0)
            if self._pending_spare:
                if not self.get("extra"):
                    self.set("extra", self.image.allocate(24))
                self.image.store_word(self.get("extra") + self.next_overflow, self._pending_spare)

    def evacuate(self, index: int) -> None:
        with self._in("evacuate" + self.variant, oldbucket=index) as frame:
            if not self.evacuated(index):
                known = dict(frame.variables)
                self._evacuate(index, frame)
                frame.variables = known  # the loop's own variables are gone
                self.image.pause()
            if index == self.get("nevacuate"):
                with self._in("advanceEvacuationMark"):
                    self._advance(index)

    def _evacuate(self, index: int, frame: FakeFrame) -> None:
        old, new, total = self.get("oldbuckets"), self.get("buckets"), self.old_count()
        same_size = bool(self.get("flags") & SAME_SIZE_GROW)
        ends = {MOVED_X: new + index * self.shape.size}
        ends[MOVED_Y] = new + (index + total) * self.shape.size
        filled = {MOVED_X: 0, MOVED_Y: 0}

        def hold() -> None:
            """evacDst, for X and for Y: bucket, cell, addresses of its key and element."""
            frame.held = [
                word
                for mark, end in ends.items()
                for word in (
                    end,
                    filled[mark],
                    self.key_at(end, filled[mark]),
                    self.elem_at(end, filled[mark]),
                )
            ]

        hold()
        head = old + index * self.shape.size
        for bucket in self.chain(old, index):
            for cell in range(CELLS):
                top = self.tops(bucket)[cell]
                frame.variables.update(b=number(bucket), i=number(cell), top=number(top))
                if top in (EMPTY_REST, EMPTY_ONE):
                    self.image.store(bucket + cell, bytes([MOVED_EMPTY]))
                    continue
                key = self.key_of((bucket, cell))
                goes_y = not same_size and self.hash(key) & total
                if key != key and self.get("flags") & (ITERATOR | OLD_ITERATOR):
                    # a NaN: the old tophash decides, and it gets a new one
                    goes_y, top = top & 1, max(MIN_TOP, top ^ 0x5A)
                mark = MOVED_Y if goes_y else MOVED_X
                self.image.store(bucket + cell, bytes([mark]))
                if filled[mark] == CELLS:
                    ends[mark] = self._new_linked(ends[mark])
                    filled[mark] = 0
                    hold()
                target = ends[mark], filled[mark]
                self.image.store(target[0] + target[1], bytes([top]))
                self._move_slots((bucket, cell), target)
                filled[mark] += 1
                hold()
        pointers = self.key.pointers or self.elem.pointers
        pointers = pointers or self.shape.indirect_key or self.shape.indirect_elem
        if not self.get("flags") & OLD_ITERATOR and pointers:
            self.image.store(head + CELLS, bytes(self.shape.size - CELLS))

    def delete(self, key: Value) -> None:
        if not self.get("count"):
            return
        self.touched = key
        function, registers = "mapdelete" + self.variant, self._key_registers(key)
        with self._in(function, registers, hash=self.hash(key)) as frame:
            self._spill_key(frame, key)
            self.set("flags", self.get("flags") ^ HASH_WRITING)
            key_hash = self.hash(key)
            if self.growing():
                with self._in("growWork" + self.variant, bucket=key_hash):
                    self.grow_work(key_hash)
            array, index = self.get("buckets"), key_hash & (1 << self.get("B")) - 1
            place = self.find(array, index, key, self.top(key_hash))
            if place is not None:
                frame.variables.update(b=number(place[0]), i=number(place[1]))
                self._remove(array, index, place)
            self.set("flags", self.get("flags") & ~HASH_WRITING)
        self.truth.pop(key, None)
        self.touched = None

    def _remove(self, array: int, index: int, place: Place) -> None:
        if self.shape.indirect_key or self.variant == "_faststr":
            self.image.store_word(self.key_at(*place), 0)
        elif self.key.pointers:
            self.image.store(self.key_at(*place), bytes(self.shape.keysize))
        self.image.store(self.elem_at(*place), bytes(self.shape.elemsize))
        self.image.store(place[0] + place[1], bytes([EMPTY_ONE]))
        self._sweep_back(array, index, place)
        self.set("count", self.get("count") - 1)
        if not self.get("count"):
            self.set("hash0", mixed("reseeded", self.get("hash0")))

    def clear(self) -> None:
        """clear(m), as Go 1.21 to 1.23 do it."""
        with self._in("mapclear"):
            self.set("flags", self.get("flags") ^ HASH_WRITING)
            for array, count in (
                (self.get("buckets"), 1 << self.get("B")),
                (self.get("oldbuckets"), self.old_count() if self.growing() else 0),
            ):
                for index in range(count):
                    for bucket in self.chain(array, index):
                        for cell in range(CELLS):
                            self.image.store(bucket + cell, bytes([EMPTY_REST]))
            self.set("flags", self.get("flags") & ~SAME_SIZE_GROW)
            for name in ("oldbuckets", "nevacuate", "noverflow", "count"):
                self.set(name, 0)
            self.set("hash0", mixed("cleared", self.get("hash0")))
            for index in range(1 << self.get("B")):
                bucket = self.get("buckets") + index * self.shape.size
                self.image.store(bucket, bytes(self.shape.size))
            self.set("flags", self.get("flags") & ~HASH_WRITING)
        self.truth.clear()


class RuntimeMap(ClassicMap):
    """A map of the C++ runtime: the order of stores of layout.h.

    :param extra_bytes: size of what the header's allocation holds behind the hmap
    :param extra: offsets of mapextra
    """

    def __init__(
        self,
        image: Image,
        key: Codec,
        elem: Codec,
        hasher: Hash,
        hash0: int = 0x5EED,
        fields: Optional[Dict[str, Tuple[int, int]]] = None,
        extra_bytes: int = 168,
        extra: Optional[Dict[str, int]] = None,
    ) -> None:
        self._extra = extra or {}
        self.next_overflow = self._extra["nextOverflow"]
        self._extra_bytes = extra_bytes
        super().__init__(image, key, elem, hasher, hash0, 13, fields)
        self.init("extra", self.address + 48)

    def _allocate_header(self) -> int:
        return self.image.allocate(48 + self._extra_bytes)

    def _set_evacuating(self, value: int) -> None:
        self.image.store_word(self.address + 48 + self._extra["evacuating"], value)

    def counter(self, name: str) -> int:
        """A count of mapextra."""
        return self.image.word(self.address + 48 + self._extra[name])

    def _count(self, name: str, value: int) -> None:
        self.image.write_word(self.address + 48 + self._extra[name], value)

    def array_bytes(self, B: int) -> int:
        """Of an array with its spare buckets."""
        return self.shape.size * ((1 << B) + ((1 << B >> 4) if B >= 4 else 0))

    def _new_overflow(self) -> int:
        spare = self.image.word(self.get("extra") + self.next_overflow)
        self._count("overflow_buckets", self.counter("overflow_buckets") + 1)
        if not spare:
            self._count("overflow_bytes", self.counter("overflow_bytes") + self.shape.size)
        return super()._new_overflow()

    def _old_gone(self) -> None:
        self._count("old_bytes", 0)

    def assign(self, key: Value, value: Value) -> None:
        self.touched = key
        self.set("flags", self.get("flags") | HASH_WRITING)
        key_hash = self.hash(key)
        top = self.top(key_hash)
        if not self.get("buckets"):
            self.set("buckets", self._make_array(0))
            self._count("array_bytes", self.array_bytes(0))
        while True:
            if self.growing():
                self.grow_work(key_hash)
            array, index = self.get("buckets"), key_hash & (1 << self.get("B")) - 1
            found = self.find(array, index, key, top)
            if found is not None or self.growing() or not self._must_grow():
                break
            self.hash_grow()
        if found is not None:
            self.store_elem(found, value)
        else:
            self._insert(array, index, key, value, top)
        self.truth[key] = value
        self.set("flags", self.get("flags") & ~HASH_WRITING)
        self.touched = None

    def _insert(self, array: int, index: int, key: Value, value: Value, top: int) -> None:
        place, last = self._free(array, index)
        full = place is None
        if place is None:
            place = self._new_overflow(), 0
        self.store_key(place, key)
        self.store_elem(place, value)
        self.image.store(place[0] + place[1], bytes([top]))
        if full:
            self._link(last, place[0])
            self.set("noverflow", self.get("noverflow") + 1)
        self.set("count", self.get("count") + 1)

    def hash_grow(self) -> None:
        """The stores (1) to (5) of layout.h."""
        B, flags = self.get("B"), self.get("flags")
        bigger = 1 if self.over_load_factor(self.get("count") + 1, B) else 0
        self._install(B, B + bigger, flags | (0 if bigger else SAME_SIZE_GROW))

    def shrink(self) -> None:
        """Halve the map: the same stores with the flag shrinking."""
        B = self.get("B")
        self._install(B, B - 1, self.get("flags") | SHRINKING)

    def _install(self, old_B: int, new_B: int, flags: int) -> None:
        new = self._make_array(new_B)
        self._count("old_bytes", self.counter("array_bytes") + self.counter("overflow_bytes"))
        self._count("array_bytes", self.array_bytes(new_B))
        for name in ("overflow_bytes", "overflow_buckets", "evacuating_base"):
            self._count(name, 0)
        self.set("nevacuate", ~old_B)
        self.set("oldbuckets", self.get("buckets"))
        self.set("buckets", new)
        self.set("B", new_B)
        iterators = OLD_ITERATOR if flags & ITERATOR else 0
        self.set("flags", flags & ~(ITERATOR | OLD_ITERATOR) | iterators)
        self.set("noverflow", 0)
        self.image.store_word(self.get("extra") + self.next_overflow, self._pending_spare)
        self.set("nevacuate", 0)

    def evacuate(self, index: int) -> None:
        if not self.evacuated(index):
            if self.get("flags") & SHRINKING:
                cells = self._cells(index & (1 << self.get("B")) - 1)
                base = [mark for _, mark in cells].index(EMPTY_REST)
                at = self.address + 48 + self._extra["evacuating_base"]
                self.image.store_word(at, base)
            self._set_evacuating(1 + index)
            self._evacuate(index)
            self._set_evacuating(0)
        self._advance(index)

    def _cells(self, index: int) -> List[Tuple[Place, int]]:
        """The cells of a chain of the new array, and their marks; one more beyond its end."""
        chain = self.chain(self.get("buckets"), index)
        cells = [((b, c), mark) for b in chain for c, mark in enumerate(self.tops(b))]
        return [*cells, ((0, 0), EMPTY_REST)]

    def _end(self, index: int) -> Tuple[Optional[Place], int]:
        """(the first cell behind all that are live, the chain's last bucket)"""
        chain = self.chain(self.get("buckets"), index)
        place = next(place for place, mark in self._cells(index) if mark == EMPTY_REST)
        return (place if place[0] else None), chain[-1]

    def _evacuate(self, index: int) -> None:
        old, total, mask = self.get("oldbuckets"), self.old_count(), (1 << self.get("B")) - 1
        doubling = mask + 1 > total
        homes = {MOVED_X: index & mask, MOVED_Y: index + total & mask}
        for bucket in self.chain(old, index):
            for cell in range(CELLS):
                top = self.tops(bucket)[cell]
                if top in (EMPTY_REST, EMPTY_ONE):
                    self.image.store(bucket + cell, bytes([MOVED_EMPTY]))
                    continue
                key = self.key_of((bucket, cell))
                mark = MOVED_Y if doubling and self.hash(key) & total else MOVED_X
                self.image.store(bucket + cell, bytes([mark]))
                target, last = self._end(homes[mark])
                if target is None:
                    target = self._new_overflow(), 0
                    self._link(last, target[0])
                    self.set("noverflow", self.get("noverflow") + 1)
                self._move_slots((bucket, cell), target)
                self.image.store(target[0] + target[1], bytes([top]))

    def delete(self, key: Value) -> None:
        if not self.get("count"):
            return
        self.touched = key
        self.set("flags", self.get("flags") | HASH_WRITING)
        key_hash = self.hash(key)
        if self.growing():
            self.grow_work(key_hash)
        array, index = self.get("buckets"), key_hash & (1 << self.get("B")) - 1
        place = self.find(array, index, key, self.top(key_hash))
        if place is not None:
            self.image.store(place[0] + place[1], bytes([EMPTY_ONE]))
            self.image.store(self.key_at(*place), b"\xdd" * self.shape.keysize)
            self.image.store(self.elem_at(*place), b"\xdd" * self.shape.elemsize)
            self.set("count", self.get("count") - 1)
            self._sweep_back(array, index, place)
        self.truth.pop(key, None)
        self.set("flags", self.get("flags") & ~HASH_WRITING)
        self.touched = None
