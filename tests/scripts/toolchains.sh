#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A suite that cannot be used costs scripts/toolchains its own versions only, and is named: here
# in archives of this test's own, one of whose suites has expired and one of which is not there.
#
#   toolchains.sh SOURCE_DIR WORK_DIR
set -euo pipefail
source=$1
work=$2
for tool in apt-get apt-cache dpkg-deb; do
  command -v "$tool" >/dev/null || { echo "skipped: $tool was not found" && exit 77; }
done
rm -rf "$work"
mkdir -p "$work"
# apt's lists take no blanks in a place
archive=$(mktemp -d)
trap 'rm -rf "$archive"' EXIT
# not the machine's settings, which may not mind what has expired
export APT_CONFIG=$archive/apt.conf
printf '%s\n' 'Dir::Etc::Parts "/dev/null";' 'Dir::Etc::Main "/dev/null";' >"$APT_CONFIG"
architecture=$(dpkg --print-architecture)

# package SUITE VERSION: golang-VERSION-go and its sources, the command one that says VERSION.
package() {
  local suite=$1 version=$2 name tree file
  for name in "golang-$version-go" "golang-$version-src"; do
    tree=$archive/tree
    file=pool/$name.deb
    rm -rf "$tree"
    mkdir -p "$tree/DEBIAN" "$tree/usr/lib/go-$version/bin" "$archive/pool"
    printf '%s\n' "Package: $name" "Version: $version-1" "Architecture: $architecture" \
      "Maintainer: nobody <nobody@example.org>" "Description: made by a test" >"$tree/DEBIAN/control"
    if [[ $name == *-go ]]; then
      printf '#!/bin/sh\necho go%s\n' "$version" >"$tree/usr/lib/go-$version/bin/go"
      chmod +x "$tree/usr/lib/go-$version/bin/go"
    fi
    dpkg-deb --root-owner-group --build "$tree" "$archive/$file" >/dev/null
    {
      cat "$tree/DEBIAN/control"
      echo "Filename: $file"
      echo "Size: $(stat -c %s "$archive/$file")"
      echo "SHA256: $(sha256sum <"$archive/$file" | cut -d ' ' -f 1)"
      echo
    } >>"$archive/$suite.packages"
  done
}

# suite NAME UNTIL: of the packages that were made for it; its Release is valid until then.
suite() {
  local folder=$archive/dists/$1 index=main/binary-$architecture/Packages
  mkdir -p "$folder/$(dirname "$index")"
  mv "$archive/$1.packages" "$folder/$index"
  {
    echo "Suite: $1"
    echo "Codename: $1"
    echo "Date: $(LC_ALL=C date -u -d '30 days ago' '+%a, %d %b %Y %T UTC')"
    echo "Valid-Until: $(LC_ALL=C date -u -d "$2" '+%a, %d %b %Y %T UTC')"
    echo "Architectures: $architecture"
    echo "Components: main"
    echo "SHA256:"
    echo " $(sha256sum <"$folder/$index" | cut -d ' ' -f 1) $(stat -c %s "$folder/$index") $index"
  } >"$folder/Release"
}

# run SUITES VERSION...: what scripts/toolchains says of those suites, in a folder of its own.
run() {
  local name
  for name in $1; do echo "deb [trusted=yes] file:$archive $name main"; done >"$archive/sources.list"
  shift
  MAPSCOPE_SOURCES=$archive/sources.list MAPSCOPE_TOOLCHAINS="$work/with a blank" \
    "$source/scripts/toolchains" "$@" >"$work/out" 2>"$work/errors"
  cat "$work/errors" "$work/out"
}

failed=
expect() { # expect FILE PATTERN: a line of it matches
  grep -qE "$2" "$work/$1" || { echo "no line '$2' in $1" && failed=1; }
}

package usable 1.96
package usable 1.98
package expired 1.97
package expired 1.99
suite usable "tomorrow"
suite expired "20 days ago"

echo "-- with a suite that has expired, and one that is not there"
run "expired usable missing" 1.96 1.97 newest
expect out "^1\.96 $work/with a blank/go1\.96/lib/go-1\.96/bin/go$"
expect out "^1\.97 skipped: .*golang-1\.97-go.*suite expired cannot be used: .*(expired|not valid)"
expect out "^1\.98 $work/with a blank/go1\.98/lib/go-1\.98/bin/go$"
expect errors "^suite expired cannot be used: "
expect errors "^suite missing cannot be used: "
[ "$("$work/with a blank/go1.98/lib/go-1.98/bin/go" || true)" = go1.98 ] || failed=1

echo "-- again, with the lists that are there"
run "expired usable missing" 1.97 newest
expect out "^1\.97 skipped: .*suite expired cannot be used: "
expect out "^1\.98 /"
[ ! -s "$work/errors" ] || { echo "asked anew" && failed=1; }

echo "-- with no suite that can be used: what was unpacked stays"
run "expired missing" 1.96 1.99 newest
expect out "^1\.96 /"
expect out "^1\.99 skipped: no Debian archive can be asked here; suite expired cannot be used: "
expect out "^1\.98 /"

echo "-- and with nothing unpacked"
rm -r "$work/with a blank"
run "expired" 1.96 newest
expect out "^1\.96 skipped: no Debian archive can be asked here; suite expired cannot be used: "
expect out "^newest skipped: no Debian archive can be asked here; suite expired cannot be used: "

echo "-- without any archive"
run "" newest
expect out "^newest skipped: no Debian archive can be asked here$"
[ -z "$failed" ]
