#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build a Go program of the tests with a toolchain that scripts/toolchains has unpacked.

    toolchains.py SOURCE VERSION PACKAGE PROGRAM [FLAGS...]

SOURCE is the project's folder, VERSION as "1.24" or "newest", FLAGS are those of go build. The
newest is one with Swiss maps (1.24 or later), the system's Go included: where there is none, it
cannot be had.
PACKAGE is one of programs/go, or a file.
GOEXPERIMENT is that of the environment: noswissmap gives Go 1.24 classic maps.
What is compiled for one test serves the next: the cache is beside the toolchains. Tests that run
at the same time build one after the other, for most of what they compile is the same.
Ends with status 2, and says so, where the toolchain cannot be had.
"""

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Tuple

#: Go's since then have Swiss maps
SWISS = (1, 24)


def numbers(version: str) -> Tuple[int, ...]:
    """To compare versions; () of what is none."""
    parts = version.split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else ()


def look_up(source: Path, version: str) -> Tuple[str, str]:
    """(the go command, ""), or ("", why there is none)."""
    done = subprocess.run(
        [str(source / "scripts" / "toolchains"), version],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    reason = ""
    found: Dict[str, str] = {}
    for line in done.stdout.splitlines():
        name, _, rest = line.partition(" ")
        if rest.startswith("/"):
            found.setdefault(name, rest)
        elif name == version:
            reason = line
    if version == "newest":
        version = max(found, key=numbers, default="")
        if numbers(version) < SWISS:
            return "", reason or f"no Go with Swiss maps: the newest is {version or 'none'}"
    if version not in found:
        return "", reason or f"no Go {version}"
    return found[version], ""


def command(source: Path, version: str) -> str:
    """The go command; "" where there is none: then why is printed."""
    go, reason = look_up(source, version)
    if not go:
        print(reason)
    return go


def environment(cache: Path) -> Dict[str, str]:
    """For a build by that toolchain alone, with no network."""
    return {
        "GO111MODULE": "on",
        "GOFLAGS": "-buildvcs=false",
        "GOENV": "off",
        "GOWORK": "off",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        # The compiler is through a fifth earlier if it collects less of its garbage.
        "GOGC": "400",
        "CGO_ENABLED": "0",
        "GOCACHE": str(cache / "build"),
        "GOPATH": str(cache / "path"),
    }


def build(
    source: Path, go: str, arguments: List[str], experiment: str
) -> "subprocess.CompletedProcess[str]":
    """Run go build in the folder of the tests' packages; its output is in the result's stdout."""
    cache = source / "build" / "toolchains" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return subprocess.run(
            [go, "build", *arguments],
            cwd=source / "tests" / "debugger" / "programs" / "go",
            env={**os.environ, **environment(cache), "GOEXPERIMENT": experiment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )


def main() -> int:
    source, version, package = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    program, flags = Path(sys.argv[4]), sys.argv[5:]
    go = command(source, version)
    if not go:
        return 2
    what = package if package.endswith(".go") else f"./{package}"
    done = build(source, go, [*flags, "-o", str(program), what], os.environ.get("GOEXPERIMENT", ""))
    sys.stdout.write(done.stdout)
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
