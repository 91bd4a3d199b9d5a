#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The stop filter works in every kind of build: static, shared, unoptimised,
# with link-time optimisation, with section garbage collection, stripped, and
# with equal functions merged; without debug support it says that it is not
# there. The headers for debuggers are C.
#
# Those with link-time optimisation, copied data and no optimisation, and the one without debug
# support optimised: in the long form (MAPSCOPE_LONG).
#
#   stop_builds.sh COMPILER SOURCE_DIR OBJECTS WORK_DIR     (OBJECTS of library_objects.sh)
set -euo pipefail
compiler=$1
source=$2
objects=$3
work=$4
rm -rf "$work"
mkdir -p "$work"
cd "$work"

program=$source/tests/runtime/stop_program.cpp
flags=(-std=c++20 -Wall -Wextra -Werror -I"$source/runtime/include" -ffunction-sections -fdata-sections)

compile() { # compile FOLDER FLAGS...: the library's objects
  local folder=$1
  shift
  mkdir -p "$folder"
  for file in "$source"/runtime/src/*.cpp; do
    "$compiler" "${flags[@]}" "$@" -c "$file" -o "$folder/$(basename "$file" .cpp).o"
  done
}

check() { # check PROGRAM
  echo "$1:"
  "./$1"
}

"$compiler" "${flags[@]}" -O2 -c "$program" -o program.o
"$compiler" program.o -L"$objects/o2" -lmapscope_runtime -Wl,--gc-sections -s -o static
check static

"$compiler" -shared -Wl,--gc-sections "$objects"/o2/*.o -s -o libshared.so
"$compiler" program.o ./libshared.so -Wl,--gc-sections -s -o uses_shared
check uses_shared

if [ -n "${MAPSCOPE_LONG:-}" ]; then
  # Position-dependent: data of the library is copied into the program.
  "$compiler" "${flags[@]}" -O2 -fno-pie -no-pie "$program" ./libshared.so -o copies_data
  check copies_data

  "$compiler" "${flags[@]}" -O2 -flto "$program" "$objects"/lto/*.o -Wl,--gc-sections -s -o lto
  check lto

  compile o0 -O0 -g
  "$compiler" "${flags[@]}" -O0 -g "$program" o0/*.o -o unoptimised
  check unoptimised
fi

if command -v ld.gold >/dev/null; then
  "$compiler" -fuse-ld=gold program.o "$objects"/o2/*.o -Wl,--gc-sections,--icf=all -o merged
  check merged
fi

optimised=-O0 # what is not there is not there in either
[ -z "${MAPSCOPE_LONG:-}" ] || optimised=-O2
compile none $optimised -DMAPSCOPE_NO_DEBUG
"$compiler" "${flags[@]}" $optimised -DMAPSCOPE_NO_DEBUG "$program" none/*.o -o no_debug
echo "no_debug:"
status=0
./no_debug || status=$?
if [ $status -ne 3 ]; then
  echo "no_debug has a stop filter, or fails otherwise: $status" >&2
  exit 1
fi

# The same layout in C, where mapscope_event and the others are struct tags.
cat >headers.c <<'END'
#include <mapscope/abi.h>
struct mapscope_abi table;
struct mapscope_stop_slot slot;
struct mapscope_event event;
struct mapscope_history_record record;
int main(void) {
  return sizeof slot == 64 && sizeof event == 128 && sizeof record == 64 &&
                 sizeof table == 40 + sizeof table.places + sizeof table.fields
             ? 0
             : 1;
}
END
"${CC:-cc}" -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$source/runtime/include" headers.c -o headers
check headers
