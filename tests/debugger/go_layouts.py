#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Are the facts of core/mapscope/layouts.py those of a version of Go?

    layouts.py SOURCE VERSION [noswissmap]

Builds small programs with that toolchain and compares, with pyelftools, what go_layouts says with
the debug information of one: structures, constants, the registers of arguments; each function's
name and each instruction's stack depth in .gopclntab with the symbol table and .debug_frame; and
when the maps of the other grow with what it prints. Prints a line for each difference, and how
much was compared. Ends with status 1 if anything differs, 2 where the toolchain cannot be had.
"""

import bisect
import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import toolchains
from elftools.dwarf import callframe
from elftools.dwarf.callframe import FDE, instruction_name
from elftools.dwarf.locationlists import LocationParser
from elftools.elf.elffile import ELFFile

SOURCE = Path(sys.argv[1])
sys.path.insert(0, str(SOURCE / "core"))

from mapscope.go import layouts  # noqa: E402
from mapscope.errors import MemoryUnreadable  # noqa: E402
from mapscope.go.descriptors import RTYPE_SIZE  # noqa: E402
from mapscope.go.functions import FunctionTable  # noqa: E402

# pyelftools makes its parsers, a hundred objects, anew for every entry of .debug_frame: two thirds
# of the time. They are the same for the same arguments, and hold nothing of what they parse.
callframe.DWARFStructs = functools.lru_cache(maxsize=None)(callframe.DWARFStructs)

#: DWARF's numbers of registers (System V ABI, AMD64 supplement, figure 3.36)
DWARF_REGISTERS = "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15".split()
#: one in so many functions is compared, for time; by hand, 1 found no difference
EACH = int(os.environ.get("EACH", "8"))
#: packages whose debug information has what is compared
PACKAGES = ("runtime", "internal/abi", "internal/runtime/maps")


class Comparison:
    """Counts what was compared, and prints what differs."""

    def __init__(self) -> None:
        self.compared = self.different = 0

    def equal(self, what: str, found: object, expected: object) -> None:
        self.compared += 1
        if found != expected:
            self.different += 1
            if self.different <= 20:
                print(f"{what}: the program has {found}, go_layouts says {expected}")


def structures(minor: int, swiss: bool) -> List[layouts.Struct]:
    """All that mapscope takes for granted of a version."""
    if minor >= 24:
        # the compiler makes one of all types of a shape, and describes its entries alone
        tries = [layouts.HASH_TRIE_MAP, shaped(layouts.TRIE_INDIRECT), shaped(layouts.TRIE_ENTRY)]
    else:
        tries = [layouts.sync_map(minor), layouts.SYNC_READ_ONLY, layouts.SYNC_ENTRY]
    common = [
        *tries,
        layouts.rtype(minor),
        layouts.moduledata(minor),
        layouts.PC_HEADER,
        layouts.func(minor),
        layouts.g(minor),
        layouts.GOBUF,
        layouts.m(minor),
        layouts.mspan(minor),
        layouts.mheap(minor),
        layouts.heap_arena(minor),
        layouts.hchan(minor),
    ]
    if swiss:
        return common + [
            layouts.swiss_map(minor),
            layouts.TABLE,
            layouts.GROUPS,
            layouts.swiss_map_type(minor),
        ]
    return common + [
        layouts.hmap(minor),
        layouts.MAPEXTRA,
        layouts.BMAP,
        layouts.classic_map_type(minor),
    ]


def shaped(struct: layouts.Struct) -> layouts.Struct:
    """A structure of type parameters, of the shape of interfaces."""
    name = struct.name.replace("interface {}", "go.shape.interface {}")
    return layouts.Struct(name, struct.size, struct.fields)


def constants(minor: int, swiss: bool) -> Dict[str, int]:
    """Constants by their names in debug information, which has them since Go 1.11."""
    found = {f"runtime.{name}": value for value, name in layouts.STATUSES.items()}
    found["runtime._Gscan"] = layouts.GSCAN
    over, under = layouts.load_factor(minor)
    if minor <= 20:
        found["runtime.tflagRegularMemory"] = layouts.REGULAR_MEMORY
        found["runtime.kindDirectIface"] = layouts.KIND_DIRECT_IFACE
    else:
        found["internal/abi.TFlagRegularMemory"] = layouts.REGULAR_MEMORY
        if minor <= 25:
            found["internal/abi.KindDirectIface"] = layouts.KIND_DIRECT_IFACE
        else:
            found["internal/abi.TFlagDirectIface"] = layouts.TFLAG_DIRECT_IFACE
    if swiss:
        maps, prefix = "internal/runtime/maps", "SwissMap" if minor == 24 else "Map"
        return {
            **found,
            f"{maps}.ctrlEmpty": layouts.CTRL_EMPTY,
            f"{maps}.ctrlDeleted": layouts.CTRL_DELETED,
            f"{maps}.maxTableCapacity": layouts.MAX_TABLE_CAPACITY,
            f"{maps}.maxAvgGroupLoad": 7,
            f"internal/abi.{prefix}GroupSlots": layouts.CELLS,
            f"internal/abi.{prefix}MaxKeyBytes": layouts.INDIRECT_ABOVE,
            f"internal/abi.{prefix}MaxElemBytes": layouts.INDIRECT_ABOVE,
            f"internal/abi.{prefix}IndirectKey": layouts.SWISS_INDIRECT_KEY,
            f"internal/abi.{prefix}IndirectElem": layouts.SWISS_INDIRECT_ELEM,
        }
    found.update(
        {
            "runtime.loadFactorNum": over,
            "runtime.loadFactorDen": under,
            "runtime.emptyRest": 0,
            "runtime.emptyOne": 1,
            "runtime.evacuatedX": 2,
            "runtime.evacuatedY": 3,
            "runtime.evacuatedEmpty": 4,
            "runtime.minTopHash": 5,
            "runtime.iterator": layouts.ITERATOR,
            "runtime.oldIterator": layouts.OLD_ITERATOR,
            "runtime.hashWriting": layouts.HASH_WRITING,
            "runtime.sameSizeGrow": layouts.SAME_SIZE_GROW,
        }
    )
    if minor <= 20:
        found["runtime.bucketCnt"] = layouts.CELLS
        found["runtime.maxKeySize"] = layouts.INDIRECT_ABOVE
    elif minor <= 23:
        found["internal/abi.MapBucketCount"] = layouts.CELLS
        found["internal/abi.MapMaxKeyBytes"] = layouts.INDIRECT_ABOVE
    return found


def name_of(entry: Any) -> str:
    attribute = entry.attributes.get("DW_AT_name")
    return "" if attribute is None else str(attribute.value, "utf-8")


def compare_debug_information(elf: ELFFile, minor: int, swiss: bool, seen: Comparison) -> None:
    dwarf = elf.get_dwarf_info()
    locations = LocationParser(dwarf.location_lists())
    structs = {struct.name: struct for struct in structures(minor, swiss)}
    numbers = constants(minor, swiss)
    found = set()
    functions = 0
    for unit in dwarf.iter_CUs():
        if name_of(unit.get_top_DIE()) not in PACKAGES:
            continue
        for entry in unit.iter_DIEs():
            name = name_of(entry)
            if entry.tag == "DW_TAG_structure_type" and name in structs:
                found.add(name)
                struct = structs[name]
                members = {
                    name_of(child): child.attributes["DW_AT_data_member_location"].value
                    for child in entry.iter_children()
                    if child.tag == "DW_TAG_member"
                }
                if struct.size:
                    size = entry.attributes["DW_AT_byte_size"].value
                    seen.equal(f"size of {name}", size, struct.size)
                for field, offset in struct.fields.items():
                    seen.equal(f"{name}.{field}", members.get(field), offset)
            elif entry.tag == "DW_TAG_constant" and name in numbers:
                found.add(name)
                seen.equal(name, entry.attributes["DW_AT_const_value"].value, numbers[name])
            elif entry.tag == "DW_TAG_subprogram":
                functions += compare_arguments(entry, unit, locations, swiss, seen)
    for name in sorted({*structs, *numbers} - found):
        seen.equal(f"debug information of {name}", "nothing", "it")
    seen.equal("functions with maps as arguments", functions >= (10 if swiss else 12), True)


def compare_arguments(
    entry: Any, unit: Any, locations: LocationParser, swiss: bool, seen: Comparison
) -> int:
    """Returns 1 if it is a function that is given a map."""
    places = layouts.arguments_of(name_of(entry))
    if places is None or places.map is None or "DW_AT_low_pc" not in entry.attributes:
        return 0
    wanted = {"m" if swiss else "h": places.map, "typ" if swiss else "t": places.type}
    for child in entry.iter_children():
        attribute = child.attributes.get("DW_AT_location")
        if child.tag != "DW_TAG_formal_parameter" or name_of(child) not in wanted:
            continue
        register = first_register(attribute, unit, child, locations)
        if register is not None:
            expected = layouts.ARGUMENT_REGISTERS[wanted.pop(name_of(child)) or 0]
            seen.equal(f"{name_of(child)} of {name_of(entry)}", register, expected)
    return 0 if wanted else 1


def first_register(attribute: Any, unit: Any, entry: Any, locations: LocationParser) -> Any:
    """The register that a parameter is in at the function's first instruction."""
    try:
        listed = locations.parse_from_attribute(attribute, unit["version"], entry)
    except (ValueError, AttributeError):
        return None
    for place in listed:
        expression = getattr(place, "loc_expr", None)
        if expression and getattr(place, "begin_offset", 1) == 0:
            number = expression[0] - 0x50  # DW_OP_reg0 to DW_OP_reg31
            return DWARF_REGISTERS[number] if 0 <= number < 16 else None
    return None


# --- the table of functions ---


class Image:
    """A program's file, read as if it were loaded."""

    def __init__(self, elf: ELFFile) -> None:
        self._parts = [
            (segment["p_vaddr"], segment.data())
            for segment in elf.iter_segments()
            if segment["p_type"] == "PT_LOAD"
        ]

    def read(self, address: int, size: int) -> bytes:
        for start, data in self._parts:
            if start <= address and address + size <= start + len(data):
                return bytes(data[address - start : address - start + size])
        raise MemoryUnreadable(address, size)


def depths(elf: ELFFile) -> Iterator[Tuple[int, int, int]]:
    """(function, instruction, bytes from rsp to the return address) by .debug_frame."""
    for entry in elf.get_dwarf_info().CFI_entries()[::EACH]:
        if not isinstance(entry, FDE):
            continue
        start = pc = entry["initial_location"]
        depth = 0
        for instruction in entry.instructions:
            name = instruction_name(instruction.opcode)
            if name.startswith("DW_CFA_advance_loc"):
                yield start, pc, depth
                pc += instruction.args[0] * entry.cie["code_alignment_factor"]
            elif name == "DW_CFA_def_cfa_offset_sf":  # get_decoded() knows no such
                depth = instruction.args[0] * entry.cie["data_alignment_factor"] - 8
            elif not name.startswith("DW_CFA_nop"):
                break
        else:
            yield start, pc, depth


def compare_functions(elf: ELFFile, minor: int, seen: Comparison) -> None:
    symbols: Dict[str, int] = {}
    sizes: Dict[int, int] = {}
    for symbol in elf.get_section_by_name(".symtab").iter_symbols():
        symbols[symbol.name] = symbol["st_value"]
        if symbol["st_info"]["type"] == "STT_FUNC":
            sizes[symbol["st_value"]] = symbol["st_size"]
    table = FunctionTable(Image(elf).read, symbols["runtime.firstmoduledata"], minor)
    starts = sorted(sizes)
    for name in ("runtime.main", "main.main", "runtime.mallocgc", "runtime.newobject"):
        seen.equal(f"place of {name}", table.address_of(name), symbols[name])
    for start, pc, depth in depths(elf):
        at = bisect.bisect_right(starts, start) - 1
        if at < 0 or starts[at] != start:
            continue
        function = table.at(pc)
        seen.equal(f"function at {pc:#x}", function and function.start, start)
        seen.equal(f"depth at {pc:#x}", table.depth(pc), depth)


# --- behaviour ---


def compare_growth(program: Path, minor: int, swiss: bool, seen: Comparison) -> None:
    done = subprocess.run(
        [str(program), "swiss" if swiss else "classic"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    rows = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    seen.equal("growths", len(rows) > 8, True)
    for before, entries in rows:
        if not swiss:
            seen.equal(f"B {before} grows above", entries, layouts.load_limit(minor, before))
        else:
            limit = before if before == layouts.CELLS else before * 7 // 8
            seen.equal(f"a table of {before} slots is replaced at", entries, limit)
            seen.equal("slots", before <= layouts.MAX_TABLE_CAPACITY, True)


def main() -> int:
    version, experiment = sys.argv[2], " ".join(sys.argv[3:])
    go = toolchains.command(SOURCE, version)
    if not go:
        return 2
    seen = Comparison()
    with tempfile.TemporaryDirectory() as folder:
        programs = {name: Path(folder) / name for name in ("zoo", "growth")}
        for package, path in programs.items():
            done = toolchains.build(SOURCE, go, ["-o", str(path), f"./{package}"], experiment)
            if done.returncode:
                sys.exit(done.stdout)
        with open(programs["zoo"], "rb") as file:
            elf = ELFFile(file)
            named = subprocess.run(
                [go, "version", str(programs["zoo"])], stdout=subprocess.PIPE, encoding="utf-8"
            ).stdout
            minor = int(named.split(" go1.")[1].split(".")[0].split()[0])
            swiss = minor >= 24 and not experiment
            seen.equal("known", layouts.OLDEST <= minor <= layouts.NEWEST, True)
            seen.equal("size of a type's head", RTYPE_SIZE, layouts.rtype(minor).size)
            compare_debug_information(elf, minor, swiss, seen)
            compare_functions(elf, minor, seen)
        compare_growth(programs["growth"], minor, swiss, seen)
    print(f"go1.{minor}: {seen.compared} facts compared, {seen.different} differ")
    return 1 if seen.different else 0


if __name__ == "__main__":
    sys.exit(main())
