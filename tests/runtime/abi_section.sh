#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# mapscope_abi must be found in every kind of build: its section .mapscope must
# be there, and begin with the magic, after section garbage collection,
# link-time optimisation (in the long form, MAPSCOPE_LONG) and strip, in static and in shared builds.
#
#   abi_section.sh COMPILER SOURCE_DIR OBJECTS WORK_DIR     (OBJECTS of library_objects.sh)
set -euo pipefail
compiler=$1
source=$2
objects=$3
work=$4
rm -rf "$work"
mkdir -p "$work"
cd "$work"

cat >main.cpp <<'END'
#include <mapscope/map.hpp>
int main() {
  mapscope::map<int, int> map;
  map[1] = 2;
  return map.size() == 1 ? 0 : 1;
}
END
flags=(-std=c++20 -I"$source/runtime/include" -ffunction-sections -fdata-sections)

# has_section FILE: FILE has the section, loaded with the program, with the magic.
has_section() {
  local magic=7f6d617073636f7065c71d8ae405b293 found
  objcopy -O binary --only-section=.mapscope "$1" section.bin
  found=$(od -An -v -tx1 -N16 section.bin | tr -d ' \n')
  if [ "$found" != "$magic" ]; then
    echo "$1: .mapscope begins with '$found', not with the magic $magic" >&2
    exit 1
  fi
  if ! grep -q 'hmap\.count' section.bin || ! grep -q 'history_record\.thread' section.bin; then
    echo "$1: .mapscope does not name the fields of the structs" >&2
    exit 1
  fi
  if ! readelf -SW "$1" | grep -E '\.mapscope +PROGBITS' | grep -qE ' W?A[A-Za-z]* '; then
    echo "$1: .mapscope is not an allocated section:" >&2
    readelf -SW "$1" >&2
    exit 1
  fi
  echo "$1: found"
}

"$compiler" "${flags[@]}" -O2 main.cpp -L"$objects/o2" -lmapscope_runtime -Wl,--gc-sections -o static
strip static
./static
has_section static

"$compiler" -shared -Wl,--gc-sections "$objects"/o2/*.o -o libshared.so
strip libshared.so
"$compiler" "${flags[@]}" -O2 main.cpp ./libshared.so -Wl,--gc-sections -o uses_shared
./uses_shared
has_section libshared.so

if [ -n "${MAPSCOPE_LONG:-}" ]; then
  "$compiler" "${flags[@]}" -O2 -flto main.cpp "$objects"/lto/*.o -Wl,--gc-sections -s -o lto_static
  ./lto_static
  has_section lto_static
fi

"$compiler" "${flags[@]}" -O0 main.cpp "$objects"/o2/*.o -o plain
./plain
has_section plain
