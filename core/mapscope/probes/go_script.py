# SPDX-License-Identifier: MIT
"""A script for a Go program, by uprobes at functions of its runtime.

Where they get the map and its type is said in go/layouts, by version; the goroutine is in r14
(cmd/compile/abi-internal.md). What lasts is measured from a function's first instruction to the
instruction behind its call: bpftrace's uretprobe would write to the stack, which Go may move while
the function runs.
"""

from typing import Dict, Iterator, List, Optional, Tuple

from ..cells.marks import EVACUATED_X, MIN_TOP_HASH
from ..errors import MapscopeError, UsageError
from ..go import layouts
from ..go.descriptors import KIND_MAP, KIND_MASK, GoProgram
from ..go.functions import Functions
from ..program.values import escape, named
from ..records import dataclass
from ..session import Session
from .call_sites import returns
from .program_file import ProgramFile
from .script import Place, Script, path_of, probe, text_of

_VARIANTS = ("", "_fast32", "_fast64", "_faststr")
_HASH_GROW = "runtime.hashGrow"
_EVACUATE = tuple(f"runtime.evacuate{variant}" for variant in _VARIANTS)
_TO_TABLE = "internal/runtime/maps.(*Map).growToTable"
_GROW = "internal/runtime/maps.(*table).grow"
_SPLIT = "internal/runtime/maps.(*table).split"
#: packages whose functions call these
_CALLERS = ("runtime.", "internal/runtime/maps.", "reflect.", "internal/runtime/maps_test.")
#: types whose names a script has, types that are looked at, and bytes of types
_MOST_TYPES, _MOST_SEEN, _MOST_BYTES = 256, 1 << 16, 1 << 28
_STACK = "ustack(6)"


@dataclass(frozen=True)
class _Function:
    """A function of the program."""

    name: str
    address: int
    map: str  # the registers that hold the map and its type
    type: str


class _Writer:
    """Puts one script together."""

    def __init__(self, file: ProgramFile, program: GoProgram, times: bool) -> None:
        self._file = file
        self._times = times
        self._program = program
        self._memory = program.memory
        self._path = path_of(file.path)
        self._functions = program.functions
        swiss = program.has_swiss_maps
        self.script = Script(
            file.path, "go-swiss" if swiss else "go-classic", program.version or None
        )
        self.script.notes += program.doubts()

    def write(self) -> Script:
        """The script.

        :raises UsageError: if there is nothing to put a probe on
        """
        script = self.script
        classic = script.kind == "go-classic"
        names = (_HASH_GROW, *_EVACUATE) if classic else (_TO_TABLE, _GROW, _SPLIT)
        found = {name: self._find(name) for name in names}
        there = [function for function in found.values() if function is not None]
        script.missing = [name for name, function in found.items() if function is None]
        if not there:
            raise UsageError(
                f"{named(self._file.path)} has none of the functions in which Go's maps grow: "
                + (
                    "it has no maps that do"
                    if self._functions or self._has_symbols()
                    else "its functions are not known (stripped, before Go 1.18)"
                )
            )
        self._types()
        back = self._returns(there)
        script.notes.append("by type of map and by who called; times are nanoseconds")
        if back:
            script.notes.append("in which the probes' own, some thousands each, are contained")
        if classic:
            self._classic(found, there, back)
        else:
            self._swiss(found, back)
        silent = [f.name for f in there if f.name != _HASH_GROW and not back.get(f.name)]
        if not script.unsafe and back:
            script.notes.append(
                "if bpftrace refuses places within functions (Debian 12's does), have it written "
                "with --no-times"
            )
        if silent and self._times:
            script.notes.append(f"no call of {', '.join(silent)} was found: no times of these")
        return script

    # --- places ---

    def _has_symbols(self) -> bool:
        return bool(self._file.symbols("runtime.main"))

    def _find(self, name: str) -> Optional[_Function]:
        address = None if self._functions is None else self._functions.address_of(name)
        if address is None:
            address = next(iter(self._file.symbols(name)), None)
        places = layouts.arguments_of(name)
        if address is None or places is None or places.map is None or places.type is None:
            return None
        registers = [register[1:] for register in layouts.ARGUMENT_REGISTERS]
        return _Function(name, address, registers[places.map], registers[places.type])

    def _place(self, address: int, name: str, what: str, offset: int = 0) -> str:
        """A probe's place, by its function's symbol if the program has that."""
        shown = name + (f"+{offset}" if offset else "")
        self.script.places.append(Place(shown, address, what))
        if self._file.symbols(name) == [address - offset]:
            return f'uprobe:{self._path}:"{name}"' + (f"+{offset}" if offset else "")
        # where no symbol is, bpftrace takes the number for a place in the file, and is to be told
        # that it may
        self.script.unsafe = True
        return f"uprobe:{self._path}:{self._file.offset_of(address):#x}"

    def _returns(self, functions: List[_Function]) -> Dict[str, List[Tuple[int, str, int]]]:
        """(address, function, offset in it) of the instructions behind the calls of each."""
        text = next((s for s in self._file.sections() if s.name == ".text"), None)
        found: Dict[str, List[Tuple[int, str, int]]] = {}
        names = {f.address: f.name for f in functions if f.name != _HASH_GROW}
        if text is None or not names or not self._times:
            return found
        for callee, places in returns(self._memory, text.start, text.end, names).items():
            for place in places:
                caller = self._function_at(place)
                if caller is not None and caller[0].startswith(_CALLERS):
                    found.setdefault(names[callee], []).append((place, *caller))
        return found

    def _function_at(self, address: int) -> Optional[Tuple[str, int]]:
        """(name of the function that has an instruction, its place in it)."""
        table: Optional[Functions] = self._functions
        if table is not None:
            function = table.at(address)
            return None if function is None else (function.name, address - function.start)
        symbol = None if self._file.file is None else self._file.file.symbols.function_at(address)
        return None if symbol is None else (symbol.name, address - symbol.address)

    # --- types ---

    def _types(self) -> None:
        """Names of map types by their addresses."""
        names: Dict[int, str] = {}
        for address in self._map_types():
            try:
                names[address] = self._program.name_at(address)
            except (MapscopeError, ValueError):
                continue
            if len(names) > _MOST_SEEN:
                break
        kept = sorted(names.items(), key=lambda item: item[1])[:_MOST_TYPES]
        self.script.types = dict(kept)
        self.script.types_left_out = len(names) - len(kept)

    def _map_types(self) -> Iterator[int]:
        """Addresses at which a map's descriptor seems to lie. (The program's table of types lacks
        those that have a name.)"""
        for start, end in self._program.type_ranges():
            try:
                raw = bytes(self._memory.read(start, min(end - start, _MOST_BYTES)))
            except MapscopeError:
                continue
            for index, kind in enumerate(raw[23::8]):
                at = 8 * index
                if kind & KIND_MASK == KIND_MAP and raw[at : at + 8] == b"\x08".ljust(8, b"\0"):
                    yield start + at

    def _begin(self) -> List[str]:
        names = [f"  @type[{at:#x}] = {text_of(name)};" for at, name in self.script.types.items()]
        said = '  printf("maps are watched; Ctrl-C ends it\\n");'
        return ["BEGIN", "{", said, *names, "}", ""]

    def _type(self, function: _Function) -> str:
        """The line that puts the type's address, as linked, into $type."""
        value = f'reg("{function.type}")'
        if self._file.moves:
            value += f' - (reg("ip") - {function.address:#x})'
        return f"$type = {value};"

    # --- probes ---

    def _classic(
        self,
        found: Dict[str, Optional[_Function]],
        there: List[_Function],
        back: Dict[str, List[Tuple[int, str, int]]],
    ) -> None:
        minor = self._program.minor
        old = layouts.hmap(minor).at("oldbuckets")
        fields = layouts.classic_map_type(minor)
        size = fields.at("bucketsize" if "bucketsize" in fields.fields else "BucketSize")
        number = layouts.ARGUMENT_REGISTERS[2][1:]
        body = self._begin()
        start = found[_HASH_GROW]
        if start is not None:
            lines = [
                self._type(start),
                f'$map = reg("{start.map}");',
                f"$buckets = *(uint64 *)($map + {layouts.hmap(minor).at('buckets')});",
                *_once(
                    1,
                    "$buckets",
                    f"@growths[@type[$type], $type, {_STACK}] = count();",
                    "@entries[@type[$type], $type] = hist(*(uint64 *)$map);",
                    *(["@began[$map] = nsecs;"] if back else []),
                ),
            ]
            body += probe([self._place(start.address, start.name, "a growth begins")], lines)
        for function in there:
            if function.name == _HASH_GROW:
                continue
            # the third argument is the old bucket's number; it may have been evacuated already
            lines = [
                self._type(function),
                '$g = reg("r14");',
                f'$map = reg("{function.map}");',
                f'$size = (uint64)*(uint16 *)(reg("{function.type}") + {size});',
                f'$bucket = *(uint64 *)($map + {old}) + reg("{number}") * $size;',
                "$mark = *(uint8 *)$bucket;",
                *(["@map_of[$g] = $map;", "@type_of[$g] = $type;"] if back else []),
                f"if ($mark < {EVACUATED_X} || $mark >= {MIN_TOP_HASH}) {{",
                *(["  @entered[$g] = nsecs;"] if back else []),
                *_once(2, "$bucket", "@evacuations[@type[$type], $type] = count();", indent="  "),
                "}",
            ]
            what = "an old bucket is evacuated, unless it is already"
            body += probe([self._place(function.address, function.name, what)], lines)
        ends = [
            self._place(at, name, f"behind a call of {callee}", offset)
            for callee, places in back.items()
            for at, name, offset in places
        ]
        if ends:
            lines = [
                '$g = reg("r14");',
                "$map = @map_of[$g];",
                "$type = @type_of[$g];",
                "if (@entered[$g]) {",
                "  @evacuation[@type[$type], $type] = hist(nsecs - @entered[$g]);",
                "  delete(@entered[$g]);",
                "}",
                f"if (@began[$map] && *(uint64 *)($map + {old}) == 0) {{",
                "  @migration[@type[$type], $type] = hist(nsecs - @began[$map]);",
                "  delete(@began[$map]);",
                "}",
                "delete(@map_of[$g]);",
                "delete(@type_of[$g]);",
            ]
            body += probe(ends, lines, '@map_of[reg("r14")]')
        clear = ("type", "last", *(("began", "entered", "map_of", "type_of") if back else ()))
        self.script.body = [*body, "END", "{", *(f"  clear(@{name});" for name in clear), "}"]

    def _swiss(
        self,
        found: Dict[str, Optional[_Function]],
        back: Dict[str, List[Tuple[int, str, int]]],
    ) -> None:
        capacity = layouts.TABLE.at("capacity")
        kinds = ((_TO_TABLE, "group to table"), (_GROW, "table doubled"), (_SPLIT, "table split"))
        body = self._begin()
        for number, (name, kind) in enumerate(kinds, 1):
            function = found[name]
            if function is None:
                continue
            counted = [f'@growths["{kind}", @type[$type], $type, {_STACK}] = count();']
            if name != _TO_TABLE:  # the table is the receiver
                counted.append(
                    f'@slots["{kind}", @type[$type], $type] = '
                    f'hist(*(uint16 *)(reg("ax") + {capacity}));'
                )
            lines = [self._type(function), *_once(number, 'reg("ax")', *counted)]
            if back.get(name):
                lines.append(f'@type_of[reg("r14"), {number}] = $type;')
                lines.append(f'@entered[reg("r14"), {number}] = nsecs;')
            body += probe([self._place(function.address, name, kind)], lines)
            ends = [
                self._place(at, caller, f"behind a call of {name}", offset)
                for at, caller, offset in back.get(name, [])
            ]
            if ends:
                lines = [
                    '$g = reg("r14");',
                    f"$type = @type_of[$g, {number}];",
                    f'@duration["{kind}", @type[$type], $type] = '
                    f"hist(nsecs - @entered[$g, {number}]);",
                    f"delete(@entered[$g, {number}]);",
                    f"delete(@type_of[$g, {number}]);",
                ]
                body += probe(ends, lines, f'@entered[reg("r14"), {number}]')
        clear = ("type", "last", *(("entered", "type_of") if back else ()))
        self.script.body = [*body, "END", "{", *(f"  clear(@{name});" for name in clear), "}"]


def _once(probe: int, what: str, *lines: str, indent: str = "") -> List[str]:
    """Lines of a probe at a function's beginning for what it is called for the first time.

    A function whose stack is too small, or whose goroutine is to make room for another one, begins
    once more (runtime.morestack jumps back).

    :param probe: number of the function
    :param what: it is called for only once: buckets that are left, a table
    """
    return [
        f'{indent}if (@last[reg("r14"), {probe}] != (uint64){what}) {{',
        f'{indent}  @last[reg("r14"), {probe}] = (uint64){what};',
        *(f"{indent}  {line}" for line in lines),
        f"{indent}}}",
    ]


def go_script(file: ProgramFile, times: bool) -> Optional[Script]:
    """The script; None: it is no Go program.

    :param times: with probes within functions, at which what lasts has ended
    :raises MapscopeError: if none can be written
    """
    session = Session(file)
    if not session.is_go():
        return None
    program = session.go
    if not program.minor:
        raise UsageError(f"{named(file.path)}: {escape('; '.join(program.doubts()))}")
    return _Writer(file, program, times).write()
