#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The Debian packages are built, and installed in a bare Debian 12 of this test's own: there gdb finds
# mapscope by itself, for programs that are linked with the library in each way.
#
#   debian.sh SOURCE_DIR WORK_DIR COMPILER
#
# In the long form (scripts/test --long): it unpacks a Debian, which stays in WORK_DIR for the next
# time, and asks Debian's archive for gdb.
set -euo pipefail
source=$1
work=$2
compiler=$3
skip() {
  echo "skipped: $1"
  exit 77
}
[ "$(id -u)" = 0 ] || skip "it takes root to make a Debian of its own and to go into it"
for tool in debootstrap dpkg-buildpackage unshare chroot; do
  command -v "$tool" >/dev/null || skip "$tool was not found (Debian: debootstrap dpkg-dev util-linux)"
done
case $work in *[[:space:]]*) skip "debootstrap takes no blanks in a path: $work" ;; esac
mkdir -p "$work"

options=()
if ! command -v dh >/dev/null; then
  found=$("$source/scripts/toolchains" debhelper)
  case $found in
    "debhelper /"*) ;;
    *) skip "debhelper is not installed, and cannot be unpacked: ${found#*: }" ;;
  esac
  folder=${found#debhelper }
  export PATH=$folder/bin:$PATH PERL5LIB=$folder/share/perl5
  export DH_AUTOSCRIPTDIR=$folder/share/debhelper/autoscripts
  options=(-d) # dpkg does not know of it
fi

version=$(sed -n 's/^VERSION = "\(.*\)"$/\1/p' "$source/core/mapscope/version.py")
tree=$work/packages/mapscope-$version
rm -rf "$work/packages"
mkdir -p "$tree"
(cd "$source" && cp -r CHANGELOG.md CMakeLists.txt LICENSE README.md cli cmake core debian docs gdb \
  kernels lldb runtime "$tree")
find "$tree" -name __pycache__ -prune -exec rm -rf {} +
(cd "$tree" && dpkg-buildpackage -b -us -uc "${options[@]}") >"$work/build.log" 2>&1 || {
  tail -n 40 "$work/build.log"
  exit 1
}
cd "$work/packages"
packages=(mapscope_"$version"-*_all.deb mapscope-kernels_"$version"-*.deb libmapscope-runtime0_"$version"-*.deb
  libmapscope-dev_"$version"-*.deb)
ls -l "${packages[@]}"

# Programs of somebody who has installed libmapscope-dev.
for package in "${packages[@]}"; do dpkg -x "$package" "$work/packages/tree"; done
cat >program.cpp <<'END_OF_PROGRAM'
#include <iostream>
#include <mapscope/map.hpp>
int main() {
  mapscope::map<int, int> squares;
  for (int i = 0; i < 1000; ++i) {
    squares[i] = i * i;
  }
  std::cout << squares.size() << std::endl;
}
END_OF_PROGRAM
library=$(dirname "$(ls "$PWD"/tree/usr/lib/*/libmapscope_runtime.a)")
flags=(-std=c++20 -O1 -Itree/usr/include program.cpp)
"$compiler" "${flags[@]}" "$library/libmapscope_runtime.a" -o static
"$compiler" "${flags[@]}" "$library/libmapscope_runtime.a" -static -o all_static
"$compiler" "${flags[@]}" -DMAPSCOPE_NO_GDB_SCRIPT "-L$library" -lmapscope_runtime -o shared

root=$work/root
if [ ! -e "$work/complete" ]; then
  rm -rf "$root"
  debootstrap --variant=minbase bookworm "$root" >"$work/debootstrap.log" 2>&1 ||
    skip "debootstrap cannot make a Debian here: $(tail -n 1 "$work/debootstrap.log")"
  touch "$work/complete"
fi
# inside COMMAND: in that Debian, which has a /proc as long as the command runs
inside() {
  # shellcheck disable=SC2016 # they are that shell's
  unshare --mount sh -c 'mount -t proc proc "$1/proc" && exec chroot "$1" sh -c "$2"' sh "$root" "$1"
}
rm -rf "$root/packages"
mkdir "$root/packages"
cp "${packages[@]}" static all_static shared "$root/packages"
cp /etc/resolv.conf "$root/etc/resolv.conf"
inside 'dpkg --purge mapscope mapscope-kernels libmapscope-dev libmapscope-runtime0 && apt-get -qq update &&
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends gdb &&
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends /packages/*.deb' \
  >"$work/install.log" 2>&1 || {
  tail -n 20 "$work/install.log"
  exit 1
}

failed=
expect() { # expect NUMBER TEXT PATTERN: so many lines of the text match
  local number
  number=$(grep -cE "$3" <<<"$2" || true)
  [ "$number" = "$1" ] || { echo "$number lines '$3', not $1, in: $2" && failed=1; }
}
for program in static all_static shared; do
  shown=$(inside "gdb -nx -batch -ex 'catch syscall write' -ex run -ex 'map list' /packages/$program" 2>&1)
  expect 1 "$shown" '^0x[0-9a-f]+ +1000 .* mapscope::map<int, int>'
  expect 0 "$shown" 'warning|rror'
done
shown=$(inside "mapscope --version; man -w mapscope 2>/dev/null; ls /usr/share/man/man[17]/mapscope*
  HOME=/packages mapscope install --gdb --dry-run; ls /usr/share/bash-completion/completions/mapscope")
expect 1 "$shown" "^mapscope $version\$"
expect 1 "$shown" '/man7/mapscope-commands\.7\.gz$'
expect 1 "$shown" 'would add: source /usr/share/mapscope/gdb/mapscope_gdb\.py$'
# without the package mapscope the library's script does nothing
shown=$(inside "dpkg --purge mapscope mapscope-kernels; gdb -nx -batch -ex 'catch syscall write' -ex run -ex 'map list' \
  -ex 'echo done' /packages/shared" 2>&1)
expect 1 "$shown" 'Undefined command: "map"'
expect 0 "$shown" 'Traceback|warning'
inside 'dpkg --purge libmapscope-dev libmapscope-runtime0 && ! find / -xdev -name "*mapscope*" \
  ! -path "/packages*" ! -path "/var/*" | grep .' || failed=1
[ -z "$failed" ]
