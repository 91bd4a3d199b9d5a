# SPDX-License-Identifier: MIT
"""What mapscope takes for granted of Go's runtime, by version: structures, constants, and the
registers of its functions' arguments, on linux/amd64.

The one place for such facts. tests/debugger/go_layouts.py compares all of them with the debug
information, and with what programs do, of every Go toolchain at hand; a new version of Go that
differs fails there. Sources: runtime/map.go, runtime/map_noswiss.go, runtime/type.go,
runtime/runtime2.go, runtime/symtab.go, internal/abi/*.go, internal/runtime/maps/*.go, sync/*.go,
internal/sync/hashtriemap.go of Go 1.17 to 1.27; cmd/compile/abi-internal.md for the registers.
"""

import re
import struct
from typing import Dict, Mapping, Optional, Tuple

from ..records import dataclass

#: oldest and newest version, the N of go1.N, that these facts are of
OLDEST, NEWEST = 17, 27

#: registers of integer arguments, in order, as debuggers name them
ARGUMENT_REGISTERS = ("rax", "rbx", "rcx", "rdi", "rsi", "r8", "r9", "r10", "r11")


@dataclass(frozen=True)
class Struct:
    """A structure of the runtime.

    :ivar name: as in its source and in debug information
    :ivar size: in bytes; 0 where it does not matter
    :ivar fields: offset of each field that is read, in bytes
    """

    name: str
    size: int
    fields: Mapping[str, int]

    def at(self, field: str) -> int:
        """Offset of a field."""
        return self.fields[field]


@dataclass(frozen=True)
class Arguments:
    """Which arguments of a function are a map and its type, counted from 0; None: a variable."""

    map: Optional[int]
    type: Optional[int]


# --- classic maps ---


def hmap(minor: int) -> Struct:
    """runtime.hmap; since 1.24 clearSeq lies before extra."""
    late = minor >= 24
    fields = dict(count=0, flags=8, B=9, noverflow=10, hash0=12, buckets=16, oldbuckets=24)
    return Struct(
        "runtime.hmap", 56 if late else 48, {**fields, "nevacuate": 32, "extra": 48 if late else 40}
    )


#: what lies at the head of every hmap: count, flags, B, noverflow, hash0, buckets, oldbuckets,
#: nevacuate
HMAP_FIELDS = struct.Struct("<QBBHIQQQ")
MAPEXTRA = Struct("runtime.mapextra", 24, dict(overflow=0, oldoverflow=8, nextOverflow=16))
BMAP = Struct("runtime.bmap", 8, dict(tophash=0))


def classic_map_type(minor: int) -> Struct:
    """The type of a classic map: what follows its rtype."""
    if minor <= 20:
        names = ("key", "elem", "bucket", "hasher", "keysize", "elemsize", "bucketsize", "flags")
        struct = "runtime.maptype"
    else:
        names = ("Key", "Elem", "Bucket", "Hasher", "KeySize", "ValueSize", "BucketSize", "Flags")
        struct = "internal/abi.OldMapType" if minor >= 24 else "internal/abi.MapType"
    return Struct(struct, 88, dict(zip(names, (48, 56, 64, 72, 80, 81, 82, 84))))


#: cells of a bucket; bytes from which on keys and elements are kept as pointers
CELLS, INDIRECT_ABOVE = 8, 128
SAME_SIZE_GROW, HASH_WRITING, OLD_ITERATOR, ITERATOR = 8, 4, 2, 1
INDIRECT_KEY, INDIRECT_ELEM = 1, 2


def load_factor(minor: int) -> Tuple[int, int]:
    """Numerator and denominator of a classic map's; 6 in all of 1.21, 6.5 elsewhere."""
    return (12, 2) if minor == 21 else (13, 2)


def load_limit(minor: int, B: int) -> int:
    """Entries up to which a classic map of 2^B buckets need not double (overLoadFactor in
    runtime/map.go)."""
    over, under = load_factor(minor)
    return CELLS if B == 0 else over * ((1 << B) // under)


# --- Swiss maps ---


def swiss_map(minor: int) -> Struct:
    """internal/runtime/maps.Map."""
    fields = dict(used=0, seed=8, dirPtr=16, dirLen=24, globalDepth=32, globalShift=33, writing=34)
    if minor >= 25:
        fields["tombstonePossible"] = 35
    return Struct("internal/runtime/maps.Map", 48, {**fields, "clearSeq": 40})


TABLE = Struct(
    "internal/runtime/maps.table",
    32,
    dict(used=0, capacity=2, growthLeft=4, localDepth=6, index=8, groups=16),
)
#: used, capacity, growthLeft, localDepth, index, groups.data, groups.lengthMask
TABLE_FIELDS = struct.Struct("<HHHBxqQQ")
GROUPS = Struct("internal/runtime/maps.groupsReference", 16, dict(data=0, lengthMask=8))

#: control bytes of slots that are not full
CTRL_EMPTY, CTRL_DELETED = 0x80, 0xFE
#: slots of the largest table
MAX_TABLE_CAPACITY = 1024
SWISS_INDIRECT_KEY, SWISS_INDIRECT_ELEM = 4, 8


def swiss_map_type(minor: int) -> Struct:
    """The type of a Swiss map: what follows its rtype."""
    fields = dict(Key=48, Elem=56, Group=64, Hasher=72, GroupSize=80)
    if minor >= 27:
        fields.update(KeysOff=88, KeyStride=96, ElemsOff=104, ElemStride=112, Flags=128)
        return Struct("internal/abi.MapType", 136, fields)
    fields.update(SlotSize=88, ElemOff=96, Flags=104)
    return Struct(
        "internal/abi.SwissMapType" if minor == 24 else "internal/abi.MapType", 112, fields
    )


# --- sync.Map ---


def sync_map(minor: int) -> Struct:
    """sync.Map of a read map and a dirty one: until 1.23, and 1.24 and 1.25 built with
    nosynchashtriemap. Its read map is behind an atomic.Value until 1.19, then a pointer."""
    read = 16 if minor <= 19 else 8
    fields = dict(mu=0, read=8, dirty=8 + read, misses=16 + read)
    return Struct("sync.Map", 24 + read, fields)


#: what its read map is kept in; what both maps' elements point at
SYNC_READ_ONLY = Struct("sync.readOnly", 16, dict(m=0, amended=8))
SYNC_ENTRY = Struct("sync.entry", 8, dict(p=0))
#: a bit of sync.Mutex.state, its first word
MUTEX_LOCKED = 1

#: what sync.Map is since 1.24; of [any, any] as everywhere below
HASH_TRIE_MAP = Struct(
    "internal/sync.HashTrieMap[interface {},interface {}]",
    48,
    dict(inited=0, initMu=4, root=16, keyHash=24, valEqual=32, seed=40),
)
#: a node of the trie that has children; one that is an entry
TRIE_INDIRECT = Struct(
    "internal/sync.indirect[interface {},interface {}]",
    152,
    dict(node=0, dead=4, mu=8, parent=16, children=24),
)
TRIE_ENTRY = Struct(
    "internal/sync.entry[interface {},interface {}]",
    48,
    dict(node=0, overflow=8, key=16, value=32),
)
#: log2 of the children of a node, and bits of a hash
TRIE_BITS, TRIE_HASH_BITS = 4, 64


# --- types, modules and functions ---


def rtype(minor: int) -> Struct:
    """What every type descriptor begins with."""
    if minor <= 20:
        return Struct(
            "runtime._type", 48, dict(size=0, hash=16, tflag=20, kind=23, str=40, ptrToThis=44)
        )
    fields = dict(Size_=0, Hash=16, TFlag=20, Kind_=23, Str=40, PtrToThis=44)
    return Struct("internal/abi.Type", 48, fields)


#: bits of rtype.tflag: plain memory, which is compared and hashed as it lies; since Go 1.26 that an
#: interface's data word is the value itself, which until then was a bit of rtype.kind
REGULAR_MEMORY, TFLAG_DIRECT_IFACE, KIND_DIRECT_IFACE = 8, 32, 32


def moduledata(minor: int) -> Struct:
    """runtime.moduledata, as far as the type table and the table of functions need it."""
    fields = dict(pcHeader=0, funcnametab=8, cutab=32, filetab=56, pctab=80, pclntable=104)
    fields.update(ftab=128, text=176, etext=184, data=208, edata=216, bss=224, ebss=232)
    if minor >= 26:
        fields["gcdatamask"] = 520 if minor >= 27 else 544
    else:
        fields["gcdatamask"] = 496 if minor <= 19 else 536
    fields["gcbssmask"] = fields["gcdatamask"] + 16
    fields["types"] = 280 if minor <= 19 else 296
    fields["etypes"] = fields["types"] + (16 if minor >= 27 else 8)
    if minor >= 27:
        fields["typedesclen"] = fields["types"] + 8
    return Struct("runtime.moduledata", 0, fields)


PC_HEADER = Struct("runtime.pcHeader", 72, dict(magic=0, minLC=6, ptrSize=7, nfunc=8))


def func(minor: int) -> Struct:
    """runtime._func; its fields' names changed their case in 1.20."""
    off, name = ("entryOff", "nameOff") if minor >= 20 else ("entryoff", "nameoff")
    fields = {off: 0, name: 4, "pcsp": 16, "pcfile": 20, "pcln": 24, "cuOffset": 32}
    return Struct("runtime._func", 0, fields)


#: first word of the table of functions in 1.18 and 1.19, and since 1.20 (runtime/symtab.go)
PCLNTAB_MAGICS = (0xFFFFFFF0, 0xFFFFFFF1)
#: oldest and newest version, the N of go1.N, whose table of functions begins with a word
MAGIC_VERSIONS = {0xFFFFFFFA: (16, 17), 0xFFFFFFF0: (18, 19), 0xFFFFFFF1: (20, NEWEST)}
#: (N, a function that each program has since go1.N, one that each had until then; "": none known)
VERSION_SIGNS = (
    (21, "runtime.(*unwinder).next", "runtime.(*_type).string"),
    (22, "runtime.(*_panic).nextFrame", "runtime.addOneOpenDeferFrame"),
    (23, "runtime.(*timer).modify", "runtime.adjusttimers"),
    (24, "runtime.mallocgcSmallNoscan", ""),
    (25, "runtime.(*synctestBubble).incActive", ""),
    (26, "runtime.(*g).isMaybeRunnable", "runtime.duffzero"),
    (27, "runtime.moduleTypelinks", "runtime.alginit"),
)
#: a function of every program that writes to maps of the one kind and of the other
CLASSIC_SIGN, SWISS_SIGN = "runtime.hashGrow", "internal/runtime/maps.(*table).rehash"


# --- hashing ---

#: (package, its useAeshash) of the variables that hashes depend on, since Go 1.27 and before
HASH_VARIABLES = (("internal/runtime/maps", "UseAeshash"), ("runtime", "useAeshash"))
#: the functions that tell where these variables are: which of the hashes to take, and both
MEMHASH64 = ("internal/runtime/maps.MemHash64", "runtime.memhash64")
MEMHASH64_AES = ("internal/runtime/maps.memHash64AES", "runtime.memhash64")
MEMHASH64_FALLBACK = ("internal/runtime/maps.MemHash64", "runtime.memhash64Fallback")

# --- goroutines ---


def g(minor: int) -> Struct:
    """runtime.g; syscallbp is new in 1.23, sched.ret is gone since 1.25."""
    after = 8 if minor in (23, 24) else 0
    fields = dict(stack=0, m=48, sched=56, atomicstatus=144 + after, goid=152 + after)
    return Struct("runtime.g", 0, {**fields, "waitreason": 176 + after})


GOBUF = Struct("runtime.gobuf", 0, dict(sp=0, pc=8))


def m(minor: int) -> Struct:
    """runtime.m; what lies before procid changed in 1.25."""
    before = 0 if minor >= 25 else 8
    return Struct("runtime.m", 0, dict(g0=0, procid=64 + before, curg=184 + before))


# --- the heap ---


def mspan(minor: int) -> Struct:
    """runtime.mspan: a run of pages; what lies before freeindex never changed."""
    fields = dict(startAddr=24, npages=32, freeindex=48)
    if minor <= 21:
        after = 8 if minor == 21 else 0  # pinnerBits is new in 1.21
        fields.update(nelems=56, allocBits=72, gcmarkBits=80, sweepgen=88 + after)
        fields.update(spanclass=98 + after, state=99 + after, elemsize=104 + after)
        return Struct("runtime.mspan", 168 if after else 144, fields)
    fields.update(nelems=50, allocBits=64, gcmarkBits=72, sweepgen=88, spanclass=98, state=99)
    return Struct("runtime.mspan", 160, {**fields, "elemsize": 104, "largeType": 152})


def mheap(minor: int) -> Struct:
    """runtime.mheap; where in it spans are listed, and arenas found."""
    spans = 65856 if minor <= 20 else 65864
    arenas = spans + (80 if minor <= 21 else 144)
    return Struct("runtime.mheap", 0, dict(sweepgen=spans - 8, allspans=spans, arenas=arenas))


def heap_arena(minor: int) -> Struct:
    """runtime.heapArena, as far as pointers are marked in it (until 1.21)."""
    return Struct("runtime.heapArena", 0, dict(bitmap=0) if minor <= 21 else {})


#: bytes of a page and of an arena, and what is added to an address before it is divided into
#: arenas (runtime/malloc.go, linux/amd64)
PAGE_SIZE, ARENA_SIZE, ARENA_BASE = 8192, 64 << 20, 1 << 47
#: mspan.state: of objects; of stacks and others that are freed by hand
SPAN_IN_USE, SPAN_MANUAL = 1, 2
#: largest object, in bytes, whose span marks pointers at its own end (runtime/mbitmap.go,
#: heapBitsInSpan); above it the object's type stands in the word before it, since 1.22
BITS_IN_SPAN = 512
#: largest object of a size class, in bytes
MAX_SMALL = 32768
#: bytes at the end of a span of small objects in which the collector marks them, where it does
#: so there (runtime/mgcmark_greenteagc.go), and where in them the marks begin
INLINE_MARKS, INLINE_MARKS_AT = 128, 64


def hchan(minor: int) -> Struct:
    """runtime.hchan, a channel: its buffer holds dataqsiz elements."""
    type = 40 if minor >= 23 else 32
    return Struct(
        "runtime.hchan", 0, dict(qcount=0, dataqsiz=8, buf=16, elemsize=24, elemtype=type)
    )


#: g.atomicstatus, without the collector's bit
STATUSES: Dict[int, str] = {
    0: "_Gidle",
    1: "_Grunnable",
    2: "_Grunning",
    3: "_Gsyscall",
    4: "_Gwaiting",
    6: "_Gdead",
    8: "_Gcopystack",
    9: "_Gpreempted",
}
#: those since go1.26
LATER_STATUSES: Dict[int, str] = {10: "_Gleaked", 11: "_Gdeadextra"}
GSCAN = 0x1000

# --- functions ---

_CLASSIC = Arguments(1, 0)
_ARGUMENTS = (
    (r"runtime\.advanceEvacuationMark", Arguments(0, 1)),
    (
        r"runtime\.(map(assign|access[12]|access[12]_fat|delete|clear|iterinit)(_fast\w+)?"
        r"|hashGrow|growWork(_fast\w+)?|evacuate(_fast\w+)?)",
        _CLASSIC,
    ),
    (r"runtime\.mapiternext", Arguments(None, None)),
    (r"internal/runtime/maps\.\(\*Map\)\.\w+", Arguments(0, 1)),
    (
        r"internal/runtime/maps\.\(\*table\)\.(rehash|grow|split|pruneTombstones|Delete)",
        Arguments(2, 1),
    ),
)
_PATTERNS = tuple((re.compile(pattern + r"\Z"), places) for pattern, places in _ARGUMENTS)


def arguments_of(function: str) -> Optional[Arguments]:
    """Where a function of the runtime is given a map; None: it is given none.

    :param function: as "runtime.mapassign_fast64"
    """
    for pattern, places in _PATTERNS:
        if pattern.match(function):
            return places
    return None


_OPERATIONS = (
    ("assign", r"runtime\.mapassign(_fast\w+)?"),
    ("delete", r"runtime\.mapdelete(_fast\w+)?"),
    ("clear", r"runtime\.mapclear"),
    ("grow", r"runtime\.hashGrow"),
    ("evacuate", r"runtime\.((growWork|evacuate)(_fast\w+)?|advanceEvacuationMark)"),
    ("assign", r"internal/runtime/maps\.\(\*Map\)\.(PutSlot|putSlotSmall\w*)"),
    ("delete", r"internal/runtime/maps\.\(\*(Map|table)\)\.(Delete|deleteSmall)"),
    ("clear", r"internal/runtime/maps\.\(\*(Map|table)\)\.(Clear|clearSmall)"),
    (
        "grow",
        r"internal/runtime/maps\.\(\*(Map|table)\)\."
        r"(growTo(Small|Table)|installTableSplit|replaceTable|rehash|grow|split|pruneTombstones)",
    ),
)
_WRITES = tuple((name, re.compile(pattern + r"\Z")) for name, pattern in _OPERATIONS)


def operation_of(function: str) -> Optional[str]:
    """What a function of the runtime does to a map: "assign", "delete", "clear", "grow",
    "evacuate"; None: it writes to none."""
    for name, pattern in _WRITES:
        if pattern.match(function):
            return name
    return None


#: what a function of the runtime calls that has noticed a race (runtime/panic.go; before Go 1.19
#: it was throw; internal/runtime/maps/runtime.go)
NOTICES = ("runtime.fatal", "runtime.throw", "internal/runtime/maps.fatal")
_READS = re.compile(
    r"(runtime\.map(access[12]|iterinit|iternext)\w*"
    r"|internal/runtime/maps\.\(\*(Map|Iter)\)\.(get\w*|Get\w*|Next|Init)"
    r"|internal/runtime/maps\.runtime_mapaccess\w*)\Z"
)


def reads(function: str) -> bool:
    """Whether a function of the runtime reads a map."""
    return _READS.match(function) is not None
