# SPDX-License-Identifier: MIT
"""Stopped programs to do damage to: every flavour, at rest and in the middle of a growth or of
a write, with what else mapscope reads: registry, history, types, functions, goroutines.

What this knows: how such programs are made, and which bytes of them mapscope looks at. What it
must not know: what damage is done, and what must hold then (fuzz.py).
"""

import random
import struct
from dataclasses import dataclass, field
from typing import Callable, Dict, Iterator, List, Tuple

import goprogram
from codec import Block, Codec, Double, Int, StdString, Text, Value
from cppprogram import CppProgram
from goprogram import Described, GoProgram, Rtype
from image import HEAP, FakeFrame, FakeTarget, Image, number, words
from mapscope.go import layouts
from mapscope.program.target import Frame, Thread, Variable
from mapscope.program.types import Kind, Type
from model import ClassicMap, GoMap, RuntimeMap
from test_history import CREATE, DONE, EVACUATE, EVACUATED, GROW, RACE, SECOND, Rings
from test_pclntab import values

#: (what it is, address, bytes)
Place = Tuple[str, int, int]

#: bytes behind what a program has put on its heap
_SLACK = 1 << 14
#: where a program has its code and a goroutine its stack
CODE, STACK = 0x401000, 0xC100000000


@dataclass
class Scene:
    """A stopped program with a map that is called m.

    :ivar address: of the map's header
    :ivar type: of the map, for --type; "": it needs none
    :ivar key: one that the map has, as it is typed
    :ivar places: what can be damaged
    :ivar functions: that a debugger finds by name
    :ivar event: address of an event for the runtime's hook; 0: it has none
    :ivar maptype: address of a Go map's type
    :ivar mapped: bytes of memory
    """

    name: str
    flavour: str
    target: FakeTarget
    address: int
    type: str = ""
    key: str = "3"
    places: List[Place] = field(default_factory=list)
    functions: Dict[str, int] = field(default_factory=dict)
    event: int = 0
    maptype: int = 0
    mapped: int = 0

    @property
    def image(self) -> Image:
        """Its memory."""
        return self.target.image

    def add(self, label: str, address: int, size: int) -> None:
        """Name bytes that are worth a damage."""
        if address and size:
            self.places.append((label, address, size))

    def close(self) -> "Scene":
        """Nothing more will be put into memory: let go of what is not used."""
        self.mapped = self.image.shrink(_SLACK)
        return self


class ParkedThread(Thread):
    """A thread whose frames and registers the test says."""

    def __init__(self, frames: List[FakeFrame], registers: Dict[str, int]) -> None:
        self.number, self.kernel_id = 1, 4711
        self._frames, self._registers = frames, registers

    def frames(self) -> Iterator[Frame]:
        return iter(self._frames)

    def registers(self) -> Dict[str, int]:
        return self._registers


class BareFrame(FakeFrame):
    """A frame without debug information."""

    has_variables = False

    def __init__(self, pc: int, sp: int) -> None:
        super().__init__(1, "")
        self._pc, self._sp = pc, sp

    def pc(self) -> int:
        return self._pc

    def sp(self) -> int:
        return self._sp


# --- classic maps ---


def _map_places(scene: Scene, model: ClassicMap, header: int) -> None:
    """The parts of a classic map."""
    scene.add("header", model.address, header)
    size, B = model.shape.size, model.get("B")
    arrays = [("buckets", model.get("buckets"), 1 << B)]
    if model.growing():
        arrays.append(("old buckets", model.get("oldbuckets"), model.old_count()))
    for label, array, count in arrays:
        scene.add(label, array, size * count)
        for index in range(count if array else 0):
            for bucket in model.chain(array, index):
                scene.add("marks", bucket, 8)
                scene.add("overflow pointer", bucket + model.shape.overflow, 8)
                scene.add("bucket", bucket, size)


def _stop_at(model: ClassicMap, store: int, operation: Callable[[], None]) -> None:
    """Run an operation, and leave the program as it is after that many of its stores."""
    image, frames = model.image, model.frames if isinstance(model, GoMap) else []
    kept: List[Tuple[List[bytes], List[FakeFrame]]] = []
    left = [store]

    def look(_: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            now = [FakeFrame(f.thread, f.function, dict(f.variables), f.spill) for f in frames]
            kept.append((image.save(), now))

    image.after_store = look
    operation()
    image.after_store = None
    assert kept, f"{store - left[0]} stores, {store} wanted"
    saved, now = kept[0]
    image.restore(saved)
    frames[:] = now


def runtime_scene(
    name: str,
    key: Codec,
    elem: Codec,
    entries: int,
    store: int = 0,
    shrinks: bool = False,
    found_by: str = "symbol",
    typed: bool = False,
) -> Scene:
    """A C++ program with two maps, a history and an event at the hook."""
    program = CppProgram(found_by)
    hasher = (lambda k, s: hash(k) * 0x9E3779B97F4A7C15 % 2**64) if key.size > 128 else None
    other = program.map("other", Int(8), Int(8))
    other.fill({n: n for n in range(5)})
    model = program.map("m", key, elem, hasher, typed=typed)
    model.fill({_value(key, n): _value(elem, n) for n in range(entries)})
    if shrinks:
        for n in range(entries // 5, entries):
            model.delete(_value(key, n))
        while model.growing():
            model.assign(_value(key, 0), _value(elem, 0))
        model.shrink()
        model.assign(_value(key, 1), _value(elem, 1))
    if store:
        new = _value(key, entries)
        _stop_at(model, store, lambda: model.assign(new, _value(elem, entries)))
    scene = Scene(name, "runtime", program.target, model.address, key=str(_value(key, 3)))
    image, offsets = program.image, program.offsets
    _map_places(scene, model, 48 + 168)
    scene.add("mapextra", model.address + 48, 168)
    maptype = image.word(model.address + 48 + 24)
    scene.add("maptype", maptype, offsets.maptype["size"])
    for at in (8, 56 + 16, 80 + 16):
        scene.add("type name", image.word(maptype + at), 16)
    scene.add("abi", program.abi, program.abi_size)
    scene.add("registry", program.registry, program.shards * program.stride)
    scene.add("registry", other.address, 48 + 40)
    _history(scene, program, model)
    scene.event = _event(image, model, maptype)
    scene.add("event", scene.event, 128)
    scene.functions["mapscope_debug_stop"] = program.hook
    for label, frame in (("assign", "mapscope::mapassign"), ("evacuate", "mapscope::evacuate")):
        if store:
            hmap = Type(Kind.RUNTIME_HMAP, "mapscope::hmap", 48)
            pointer = Type(Kind.POINTER, "mapscope::hmap *", 8, element=lambda: hmap)
            variables = {"h": Variable(pointer, None, words(model.address)), "oldbucket": number(1)}
            program.target.frames.insert(0, FakeFrame(1, frame, variables))
    program.target.thread_list = [ParkedThread(program.target.frames, {"rip": CODE, "rsp": STACK})]
    if key.size == 32:
        _text_places(scene, model)
    return scene.close()


def _value(codec: Codec, n: int) -> Value:
    """Some value of a type; texts short and long."""
    if codec.zero == "":
        return f"the {n}th " + "long " * (n % 4)
    return n


def _text_places(scene: Scene, model: ClassicMap) -> None:
    """Pointers and lengths of strings, of keys and elements."""
    array = model.get("buckets")
    for index in range(1 << model.get("B")):
        for bucket in model.chain(array, index):
            for cell in range(8):
                scene.add("string", model.key_at(bucket, cell), 16)


def _history(scene: Scene, program: CppProgram, model: RuntimeMap) -> None:
    rings = Rings(program)
    message = program.image.place(b"concurrent map writes\0", 1)
    evacuations = rings.thread()
    rings.add(rings.life, CREATE, model, 1, 0)
    rings.add(rings.life, GROW, model, 2, 1, 0)
    rings.add(evacuations, EVACUATE, model, 3, 1, 0, EVACUATED | SECOND, 0, (0, 1), (1, 2, 3, 4))
    rings.add(rings.life, DONE, model, 4, 1, 0)
    rings.add(rings.life, RACE, model, 5, 1, detail=message)
    scene.add("history", program.history, 80)
    for ring in (rings.life, evacuations):
        scene.add("ring", ring, 32)
        records = program.image.word(ring + program.offsets.history_ring["records"])
        scene.add("records", records, 64 * rings.capacity)
    scene.add("message", message, 22)


def _event(image: Image, model: RuntimeMap, maptype: int) -> int:
    """An event as the runtime gives it to its hook, of all slots and all kinds of it."""
    key = model.key_at(model.get("buckets"), 0)
    message = image.place(b"concurrent map writes\0", 1)
    raw = struct.pack("<4I2Q", 2, 0, 1, 1000, model.address, maptype)
    raw += words(1, 4, 8, 2, model.get("count"), key, 7, message)
    raw += struct.pack("<II", 1, 0) + words(1, 2, 3)
    return image.place(raw)


def classic_scene(
    name: str,
    key: Codec,
    elem: Codec,
    entries: int,
    variant: str = "",
    store: int = 0,
    described_by: str = "descriptor",
    version: str = "go1.19.8",
    bare: bool = False,
) -> Scene:
    """A Go program with a classic map, its type table, and its table of functions.

    :param bare: without debug information and symbols: frames are found by Go's own table
    """
    program = GoProgram(version)
    model = program.map("m", key, elem, variant, described_by=described_by)
    model.fill({_value(key, n): _value(elem, n) for n in range(entries)})
    if store:
        new = _value(key, entries)
        _stop_at(model, store, lambda: model.assign(new, _value(elem, entries)))
    target = program.finish()
    key_name, elem_name = (program.descriptor(codec).name for codec in (key, elem))
    scene = Scene(
        name,
        "go-classic",
        target,
        model.address,
        f"map[{key_name}]{elem_name}",
        str(_value(key, 3)),
    )
    scene.maptype = model.maptype
    _map_places(scene, model, 48)
    if isinstance(elem, Rich):
        for index in range(1 << model.get("B")):
            for cell in range(8):
                at = model.elem_at(model.get("buckets") + index * model.shape.size, cell)
                if any(scene.image.read(at, 8)):
                    scene.add("value", at, elem.size)
                    scene.add("slice", scene.image.word(at), 48)
                    scene.add("itab", scene.image.word(at + 40), 16)
    if key.size == 16:
        _text_places(scene, model)
    scene.add("maptype", model.maptype, 88)
    _go_places(scene, program)
    target.globals = [("main.m", target.variables["m"])]
    _functions(scene, program, model, bare)
    for number_, base in enumerate(("hashGrow", "growWork", "evacuate", "advanceEvacuationMark")):
        scene.functions[f"runtime.{base}"] = CODE + 64 * number_
    scene.functions.update(
        {
            f"runtime.{base}{variant}": CODE + 64 * (8 + at)
            for at, base in enumerate(("mapassign", "mapdelete", "mapclear", "fatal", "makemap"))
        }
    )
    return scene.close()


def _go_places(scene: Scene, program: GoProgram) -> None:
    """The type table."""
    scene.add("moduledata", goprogram.MODULE, 480)
    scene.add("descriptors", goprogram.TYPES + 64, program.used())
    module = scene.image.read(goprogram.MODULE, 4096)
    for (word,) in struct.iter_unpack("<Q", module):
        if HEAP <= word < HEAP + (1 << 20):
            scene.add("typelinks", word, 16)


#: functions, and how deep the stack is in them: (bytes, bytes of code)
_DEPTHS = {
    "runtime.goexit": [(0, 64)],
    "main.(*Application).work": [(0, 4), (40, 60)],
    "runtime.mapassign": [(0, 4), (80, 60)],
    "runtime.mapassign_fast64": [(0, 4), (80, 60)],
    "runtime.hashGrow": [(0, 4), (24, 60)],
    "runtime.evacuate": [(0, 4), (24, 60)],
    "runtime.allgadd": [(0, 64)],
}


def _functions(scene: Scene, program: GoProgram, model: GoMap, bare: bool) -> None:
    """Go's table of functions, a thread inside of a write, and a goroutine that waits in one."""
    image, minor = program.image, 19
    places = layouts.moduledata(minor)
    names, tables, functions, entries = b"\0", b"\0", b"", b""
    for n, (function, steps) in enumerate(_DEPTHS.items()):
        entries += struct.pack("<II", 64 * n, len(functions))
        functions += struct.pack("<IiiIIIIII", 64 * n, len(names), 0, 0, len(tables), 1, 1, 0, 0)
        names += function.encode() + b"\0"
        tables += values(steps)
    entries += struct.pack("<II", 64 * len(_DEPTHS), 0)
    image.write(goprogram.PCLNTAB, struct.pack("<I", layouts.PCLNTAB_MAGICS[0]))
    scene.add("pclntab", goprogram.PCLNTAB, 8)
    for part, data, length in (
        ("funcnametab", names, len(names)),
        ("cutab", words(0), 1),
        ("filetab", b"/home/user/application/main.go\0", 31),
        ("pctab", tables + bytes(64), len(tables)),
        ("pclntable", functions, len(functions)),
        ("ftab", entries, len(_DEPTHS) + 1),
    ):
        at = image.place(data + bytes(64))
        image.write(goprogram.MODULE + places.at(part), words(at, length, length))
        scene.add("pclntab", at, len(data))
    image.write_word(goprogram.MODULE + places.at("text"), CODE)
    image.map_region(CODE, bytes(4096))
    image.map_region(STACK, bytes(4096))
    pcs = {name: CODE + 64 * n for n, name in enumerate(_DEPTHS)}
    # mapassign and hashGrow have stored the map, their second argument, above their frames
    frames = (("runtime.hashGrow", 24), ("runtime.mapassign", 80), ("main.(*Application).work", 40))
    sp = STACK + 256
    at = sp
    for n, (name, depth) in enumerate(frames):
        offset = depth + 8 + 8
        image.write(pcs[name] + 8, b"\x48\x89\x5c\x24" + bytes([offset]))
        image.write_word(at + offset, model.address)
        image.write(pcs[name] + 16, b"\x48\x89\x44\x24" + bytes([depth + 8]))
        image.write_word(at + depth + 8, model.maptype)
        following = frames[n + 1][0] if n + 1 < len(frames) else "runtime.goexit"
        image.write_word(at + depth, pcs[following] + 40)
        at += depth + 8
    scene.add("stack", sp, at + 64 - sp)
    layout = layouts.g(minor)
    g = image.allocate(512)
    sched = g + layout.at("sched")
    image.write_word(sched + layouts.GOBUF.at("pc"), pcs["runtime.hashGrow"] + 40)
    image.write_word(sched + layouts.GOBUF.at("sp"), sp)
    image.write_word(g + layout.at("goid"), 1)
    image.write_word(g + layout.at("atomicstatus"), 4, 4)
    scene.add("g", g, 256)
    all_g = image.place(words(g, g))
    slice_ = image.place(words(all_g, 2, 2))
    scene.add("allgs", all_g, 16)
    scene.add("allgs", slice_, 24)
    target = scene.target
    if bare:
        move = b"\x48\x8b\x05" + struct.pack(
            "<i", slice_ - (pcs["runtime.allgadd"] + 7) & 0x7FFFFFFF
        )
        image.write(pcs["runtime.allgadd"], move)
    target.symbol_table["runtime.allgs"] = [slice_]
    registers = {"rip": pcs["runtime.hashGrow"] + 40, "rsp": sp, "r14": g}
    registers.update(rax=model.maptype, rbx=model.address)
    shown = target.frames
    if bare:
        target.frames[:] = [BareFrame(registers["rip"], sp)]
    target.thread_list = [ParkedThread(shown, registers)]


class Rich(Described):
    """A struct of all that a Go value can lead to."""

    pointers = True

    def __init__(self) -> None:
        self.type = Type(Kind.STRUCT, "main.Rich", 120)
        self._dynamic: Dict[str, int] = {}

    def describe(self, program: GoProgram) -> Rtype:
        number_, text = program.basic("uint64"), program.basic("string")
        byte = program.basic("uint8")
        pointer = program.rtype(goprogram.POINTER, "*uint64", 8, words(number_.address))
        self._dynamic = {"number": number_.address, "text": text.address}
        self._dynamic.update(pointer=pointer.address)
        interface, slice_, array = goprogram.INTERFACE, goprogram.SLICE, goprogram.ARRAY
        fields = (
            ("Texts", 0, program.rtype(slice_, "[]string", 24, words(text.address))),
            ("Any", 24, program.rtype(interface, "interface {}", 16, words(0, 0, 0, 0))),
            ("Error", 40, program.rtype(interface, "error", 16, words(0, 0, 1, 1))),
            ("Map", 56, program.map_type("map[uint64]string", number_, text)),
            ("Pointer", 64, pointer),
            ("Float", 72, program.basic("float64")),
            ("Complex", 80, program.basic("complex128")),
            ("Bytes", 96, program.rtype(array, "[3]uint8", 3, words(byte.address, 0, 3))),
            ("Text", 104, text),
        )
        return program.struct_type("main.Rich", fields, 120)

    def encode(self, image: Image, value: Value, address: int) -> bytes:
        text = image.place(b"some text", 1)
        texts = image.place(words(text, 9, text, 4, 0, 0))
        kind = ("number", "text", "pointer")[int(value) % 3]
        held = text if kind == "pointer" else image.place(words(text, 9))
        itab = image.place(words(0, self._dynamic["text"]))
        raw = words(texts, 3, 3, self._dynamic[kind], held, itab, image.place(words(text, 9)))
        raw += words(image.place(bytes(48)), held) + struct.pack("<3d", 1.5, 2.5, float("nan"))
        return raw + b"abc".ljust(8, b"\0") + words(text, 9)

    def decode(self, image: Image, data: bytes) -> int:
        return int.from_bytes(data[:8], "little")


# --- Swiss maps ---


def swiss_scene(
    name: str, entries: int, tables: int, text: bool = False, deleted: int = 0
) -> Scene:
    """A Go program with a Swiss map; its directory has a slot more than it has tables."""
    program = GoProgram("go1.24.4")
    image = program.image
    key, elem = (Text() if text else Int(8, name="uint64")), Int(8, name="uint64")
    described = program.descriptor(key), program.descriptor(elem)
    slot = key.size + 8
    group = 8 + 8 * slot
    type_name = f"map[{described[0].name}]uint64"
    more = words(described[0].address, described[1].address, 0, 0, group, slot, key.size)
    maptype = program.rtype(goprogram.MAP, type_name, 8, more + words(0)).address
    header = image.allocate(48)
    target = program.finish()
    scene = Scene(name, "go-swiss", target, header, type_name, str(_value(key, 3)), maptype=maptype)

    def groups(first: int, number_: int, count: int) -> int:
        raw = bytearray((b"\x80" * 8 + bytes(8 * slot)) * count)
        place = image.place(bytes(raw))
        for n in range(number_):
            at = place + n % count * group
            cell = n // count
            image.write(at + cell, bytes([n * 37 & 0x7F]))
            where = at + 8 + cell * slot
            image.write(where, key.encode(image, _value(key, first + n), where))
            image.write_word(where + key.size, first + n)
            scene.add("slot", where, slot)
        for n in range(deleted):
            image.write(place + n % count * group + 7, b"\xfe")
        for n in range(count):
            scene.add("control bytes", place + n * group, 8)
        return place

    if not tables:
        fields = (entries, 7, groups(0, entries, 1) if entries else 0, 0, 0, 64)
    else:
        found, each = [], entries // tables
        for n in range(tables):
            place = groups(n * each, each, 2)
            depth = 1 if n == 0 else tables.bit_length()
            table = struct.pack("<HHHBxqQQ", each, 16, 14 - each, depth, n + (n > 0), place, 1)
            found.append(image.place(table))
            scene.add("table", found[-1], 32)
        slots = [found[0], *found] if tables > 1 else found
        directory = image.place(words(*slots))
        scene.add("directory", directory, 8 * len(slots))
        depth = (len(slots) - 1).bit_length()
        fields = (each * tables, 7, directory, len(slots), depth, 64 - depth)
    image.write(header, struct.pack("<QQQqBBxxxxxxQ", *fields, 0))
    scene.add("header", header, 48)
    scene.add("header", header, 48)
    type = Type(
        Kind.GO_MAP,
        type_name,
        8,
        key=lambda: key.type,
        element=lambda: elem.type,
        swiss=True,
        go_type=maptype,
    )
    target.variables["m"] = Variable(type, None, words(header))
    target.globals = [("main.m", target.variables["m"])]
    scene.add("maptype", maptype, 112)
    _go_places(scene, program)
    shown = FakeFrame(1, "internal/runtime/maps.(*Map).growToTable")
    shown.variables = {"m": number(header), "typ": number(maptype)}
    target.frames.append(shown)
    target.thread_list = [ParkedThread(target.frames, {"rip": CODE, "rsp": STACK, "r14": header})]
    for n, function in enumerate(
        ("(*Map).growToTable", "(*Map).Clear", "(*table).rehash", "(*table).grow", "(*table).split")
    ):
        scene.functions[f"internal/runtime/maps.{function}"] = CODE + 64 * n
    for n, function in enumerate(("mapassign", "mapdelete", "mapclear", "fatal", "throw")):
        scene.functions[f"runtime.{function}"] = CODE + 64 * (8 + n)
    return scene.close()


# --- random bytes ---


def _noise(name: str, base: Scene, seed: int) -> Scene:
    """A program of which random bytes are called a map."""
    chance, image = random.Random(seed), base.image
    place = image.allocate(2048, 4096)
    addresses = [address for _, address, _ in base.places]
    for at in range(0, 2048, 8):
        word = chance.choice(
            (0, 1, chance.randrange(256), chance.getrandbits(64), chance.choice(addresses), place)
        )
        image.write_word(place + at, word)
    base.name, base.flavour, base.address = name, "random bytes", place
    variable = base.target.variables["m"]
    base.target.variables["m"] = Variable(variable.type, None, words(place))
    base.target.globals = [("main.m", base.target.variables["m"])] if base.type else []
    base.places = [("noise", place, 256)] * 3 + [("noise", place, 2048)]
    return base.close()


NUMBER = Int(8, name="uint64")


def all_scenes() -> List[Scene]:
    """Every program, made anew."""
    blocks = Block(136), Block(200)
    return [
        runtime_scene("runtime, numbers, doubling", Int(8), Int(8), 27),
        runtime_scene("runtime, numbers, at rest", Int(8), Int(8), 40, found_by="section"),
        runtime_scene("runtime, small numbers", Int(2), Int(1), 60, found_by="scan"),
        runtime_scene("runtime, texts", StdString(), StdString(), 27),
        runtime_scene("runtime, large keys", *blocks, 14, typed=True),
        runtime_scene("runtime, floats", Double(), Int(4, True), 20),
        runtime_scene("runtime, shrinking", Int(8), Int(8), 120, shrinks=True),
        runtime_scene("runtime, within an evacuation", Int(8), Int(8), 27, store=6),
        runtime_scene("runtime, within a growth", Int(8), Int(8), 52, store=5),
        classic_scene("go-classic, fast64, doubling", NUMBER, NUMBER, 27, "_fast64"),
        classic_scene("go-classic, debug information", NUMBER, NUMBER, 27, "_fast64", 0, "debug"),
        classic_scene("go-classic, faststr", Text(), Text(), 27, "_faststr"),
        classic_scene("go-classic, 1.21", NUMBER, Text(), 60, "_fast64", version="go1.21.5"),
        classic_scene("go-classic, large", *blocks, 14),
        classic_scene("go-classic, floats", Double("float64"), Text(), 14),
        classic_scene("go-classic, all kinds", NUMBER, Rich(), 9, "_fast64"),
        classic_scene("go-classic, within an evacuation", NUMBER, NUMBER, 27, "_fast64", 9),
        classic_scene("go-classic, within an assignment", Text(), NUMBER, 27, "_faststr", 30),
        classic_scene("go-classic, within hashGrow", NUMBER, NUMBER, 52, "", 6),
        classic_scene("go-classic, no names", NUMBER, NUMBER, 27, "", 9, bare=True),
        swiss_scene("go-swiss, a group", 6, 0, deleted=1),
        swiss_scene("go-swiss, a table", 10, 1, text=True, deleted=1),
        swiss_scene("go-swiss, tables", 27, 3),
        _noise("random bytes, go-classic", classic_scene("", NUMBER, NUMBER, 5, "_fast64"), 1),
        _noise("random bytes, go-swiss", swiss_scene("", 6, 0), 2),
        _noise("random bytes, runtime", runtime_scene("", Int(8), Int(8), 9), 3),
    ]
