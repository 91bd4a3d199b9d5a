#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The library's objects of two kinds, which abi_section.sh and stop_builds.sh link: o2, and lto
# for link-time optimisation (in the long form alone, MAPSCOPE_LONG).
#
#   library_objects.sh COMPILER SOURCE_DIR WORK_DIR
set -euo pipefail
compiler=$1
source=$2
work=$3
rm -rf "$work"
mkdir -p "$work"/{o2,lto}

flags=(-std=c++20 -Wall -Wextra -Werror -I"$source/runtime/include" -ffunction-sections -fdata-sections)
for file in "$source"/runtime/src/*.cpp; do
  object=$(basename "$file" .cpp).o
  "$compiler" "${flags[@]}" -O2 -fPIC -c "$file" -o "$work/o2/$object"
  if [ -n "${MAPSCOPE_LONG:-}" ]; then
    "$compiler" "${flags[@]}" -O2 -flto -c "$file" -o "$work/lto/$object"
  fi
done
ar rcs "$work/o2/libmapscope_runtime.a" "$work"/o2/*.o
