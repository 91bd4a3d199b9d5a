#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build a Go program of the tests with a toolchain that scripts/toolchains has unpacked.

    toolchains.py SOURCE VERSION PACKAGE PROGRAM [FLAGS...]

SOURCE is the project's folder, VERSION as "1.24" or "newest", FLAGS are those of go build.
PACKAGE is one of programs/go, or a file.
GOEXPERIMENT is that of the environment: noswissmap gives Go 1.24 classic maps.
What is compiled for one test serves the next: the cache is beside the toolchains.
Ends with status 2, and says so, where the toolchain cannot be had.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Dict


def command(source: Path, version: str) -> str:
    """The go command; "" where there is none."""
    done = subprocess.run(
        [str(source / "scripts" / "toolchains"), version],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    reason = ""
    for line in done.stdout.splitlines():
        name, _, rest = line.partition(" ")
        if rest.startswith("/") and (version == "newest" or name == version):
            return rest
        if name == version:
            reason = line
    print(reason or f"no Go {version}")
    return ""


def environment(cache: Path) -> Dict[str, str]:
    """For a build by that toolchain alone, with no network."""
    return {
        "GO111MODULE": "on",
        "GOFLAGS": "-buildvcs=false",
        "GOENV": "off",
        "GOWORK": "off",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "GOCACHE": str(cache / "build"),
        "GOPATH": str(cache / "path"),
    }


def main() -> int:
    source, version, package = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    program, flags = Path(sys.argv[4]), sys.argv[5:]
    go = command(source, version)
    if not go:
        return 2
    folder = source / "tests" / "debugger" / "programs" / "go"
    subprocess.run(
        [
            go,
            "build",
            *flags,
            "-o",
            str(program),
            package if package.endswith(".go") else f"./{package}",
        ],
        cwd=folder,
        env={**os.environ, **environment(source / "build" / "toolchains" / "cache")},
        check=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
