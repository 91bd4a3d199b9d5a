# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is used by those who source it
#
# Shared by quickstart and test (sourced, not run): finds out which tools are
# missing and installs them where that is possible, as root or by sudo, with
# apt-get. Elsewhere it names the packages, in Debian 12's names, and lets the
# caller go on if none of the missing ones is required.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
setup_log=$root/build/setup.log # what apt-get said
jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}

# Debian's own Python: a python3 that comes first on PATH would not have its
# modules (pytest, mypy, ...), and is not the one that is inside gdb.
python=/usr/bin/python3
[ -x "$python" ] || python=python3

say() { printf '== %s\n' "$*"; }

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# want required|optional PACKAGE COMMAND...
# Notes PACKAGE as missing unless COMMAND succeeds.
want() {
  local kind=$1 package=$2
  shift 2
  "$@" </dev/null >/dev/null 2>&1 && return
  missing+=("$package")
  if [ "$kind" = required ]; then missing_required+=("$package"); fi
}

have() { command -v "$1"; }
python_has() { "$python" -c "import $1"; }

# What the library and the examples are built and shown with.
want_build() {
  want required g++ have c++
  want required cmake have cmake
  want required ninja-build have ninja
  want required gdb have gdb
}

# What the tests use beyond that. Tests of what is still missing are skipped.
want_test() {
  want optional libboost-test-dev test -e /usr/include/boost/test/unit_test.hpp
  want optional libbenchmark-dev test -e /usr/include/benchmark/benchmark.h
  want optional libc++-dev sh -c 'ls /usr/lib/llvm-*/include/c++/v1/unordered_map'
  want optional libc++abi-dev sh -c 'ls /usr/lib/llvm-*/lib/libc++abi.so'
  want optional libabsl-dev test -e /usr/include/absl/container/flat_hash_map.h
  want optional libtbb-dev test -e /usr/include/oneapi/tbb/concurrent_hash_map.h
  want optional systemtap-sdt-dev test -e /usr/include/x86_64-linux-gnu/sys/sdt.h
  want optional golang-go have go
  want optional gdbserver have gdbserver
  want optional lldb-19 have lldb-19
  want optional binutils have strip
  want optional llvm-19-tools have FileCheck-19
  want optional clang have clang++
  want optional libclang-rt-14-dev sh -c 'ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.asan-x86_64.a'
  want optional clang-format have clang-format
  want optional clang-tidy have clang-tidy
  want optional python3 have "$python"
  want optional python3-pytest python_has pytest
  want optional python3-hypothesis python_has hypothesis
  want optional python3-prometheus-client python_has prometheus_client
  want optional python3-pyte python_has pyte
  want optional python3-pyelftools python_has elftools
  want optional mypy python_has mypy
  want optional black python_has black
  want optional python3-flake8 python_has flake8
  want optional shellcheck have shellcheck
  want optional mkdocs python_has mkdocs
  want optional util-linux have setarch
  if [ -n "${MAPSCOPE_LONG:-}" ]; then
    want optional debhelper have dh
    want optional debootstrap have debootstrap
  fi
}

# Runs the named want_ functions anew: what is missing now?
look() {
  missing=() missing_required=()
  local wants
  for wants in "$@"; do "$wants"; done
}

apt() {
  "${as_root[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 "$@" </dev/null >>"$setup_log" 2>&1
}

# Keeps in `missing` what apt-get knows; the rest cannot be installed here.
only_known() {
  local package known=()
  for package in "${missing[@]}"; do
    if apt-cache show "$package" >/dev/null 2>&1; then known+=("$package"); fi
  done
  [ ${#known[@]} -eq ${#missing[@]} ] || { missing=("${known[@]}") && return 1; }
}

# Tries to install the packages in `missing`; false if it cannot.
install_missing() {
  command -v apt-get >/dev/null || return
  as_root=(env DEBIAN_FRONTEND=noninteractive)
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || return
    # sudo asks for a password on the terminal, if there is one and somebody at it.
    if sudo -n true 2>/dev/null; then
      as_root=(sudo -n "${as_root[@]}")
    elif [ -z "${CI:-}" ] && (: </dev/tty) 2>/dev/null; then
      as_root=(sudo "${as_root[@]}")
    else
      return 1
    fi
  fi
  say "Installing ${missing[*]}"
  local all=("${missing[@]}") updated=
  if ! only_known; then
    apt update && updated=1
    missing=("${all[@]}")
    only_known
  fi
  [ ${#missing[@]} -gt 0 ] || return
  apt install --no-install-recommends "${missing[@]}" && return
  # The package lists may be older than what the mirror still holds.
  [ -z "$updated" ] && apt update && apt install --no-install-recommends "${missing[@]}"
}

# provide WANTS...: installs what the want_ functions miss.
provide() {
  look "$@"
  [ ${#missing[@]} -gt 0 ] || return 0
  mkdir -p "$(dirname "$setup_log")"
  : >"$setup_log"
  install_missing || tail -n 20 "$setup_log"
  look "$@"
  [ ${#missing[@]} -gt 0 ] || return 0
  say "Missing, and not installed (needs Debian, and root or sudo): ${missing[*]}"
  [ ${#missing_required[@]} -eq 0 ] || die "cannot go on without: ${missing_required[*]}"
}
