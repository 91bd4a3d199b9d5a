#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build a C++ program of the tests with a library that scripts/toolchains has unpacked.

    libraries.py SOURCE LIBRARY FILE PROGRAM [FLAGS...]

SOURCE is the project's folder, LIBRARY as "boost-1.83", FILE one of programs/cpp. What was built
for one test serves the next, as long as nothing of it has changed: it is kept beside the libraries.
Where the library cannot be had, "left out: REASON" is printed, and there is no PROGRAM.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List


_OLDEST_TBB = "tbb-2021.8"


def look_up(source: Path, library: str) -> str:
    """What scripts/toolchains says: the library's folder, or why there is none."""
    done = subprocess.run(
        [str(source / "scripts" / "toolchains"), "libraries", library],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(f"{library} ")]
    return lines[0].partition(" ")[2] if lines else f"skipped: no {library}"


def command(source: Path, library: str, folder: Path, flags: List[str]) -> List[str]:
    """A compiler, its options and what is linked, but for the program's source and its name."""
    libraries = folder / "lib" / "x86_64-linux-gnu"
    if library.startswith("libcxx-"):
        own = folder / "lib" / f"llvm-{library.partition('-')[2]}"
        start = [str(own / "bin" / "clang++"), "-stdlib=libc++", f"-Wl,-rpath,{own / 'lib'}"]
    else:
        start = ["g++", "-isystem", str(folder / "include"), "-Wno-psabi"]
    start += ["-std=c++20", "-g", "-pthread", *flags]
    if library.startswith("tbb-"):
        # the library of a newer Debian needs a newer C++ library; the oldest one serves all headers
        libraries = Path(look_up(source, _OLDEST_TBB)) / "lib" / "x86_64-linux-gnu"
        start += [f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-Wl,--no-as-needed", "-ltbb"]
    if library.startswith("absl-"):
        parts = (str(path) for path in sorted(libraries.glob("libabsl_*.a")))
        parts = (part for part in parts if "test" not in part)
        start += [f"-Wl,--start-group,{','.join(parts)},--end-group"]
    return start


def main() -> int:
    source, library, file, program = Path(sys.argv[1]), *sys.argv[2:4], Path(sys.argv[4])
    found = look_up(source, library)
    if not found.startswith("/"):
        print(f"left out: {library} {found}")
        return 0
    programs = source / "tests" / "debugger" / "programs" / "cpp"
    words = command(source, library, Path(found), sys.argv[5:])
    sources = [programs / name for name in (file, "library_tables.hpp", "truth.hpp")]
    print(" ".join(words[:1] + sys.argv[2:4]))
    digest = hashlib.sha256("\0".join(words).encode())
    for path in sources:
        digest.update(path.read_bytes())
    cache = source / "build" / "toolchains" / "cache" / "cpp"
    cache.mkdir(parents=True, exist_ok=True)
    kept = cache / f"{Path(file).stem}-{library}-{digest.hexdigest()[:16]}"
    with open(cache / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            made = kept.with_suffix(".part")
            include = f"-I{source / 'runtime' / 'include'}"
            # libraries stand behind what needs them
            own = f"{found}/lib/x86_64-linux-gnu"  # of a compiler that was unpacked, too
            done = subprocess.run(
                [words[0], include, str(sources[0]), "-o", str(made), *words[1:]],
                env={**os.environ, "LD_LIBRARY_PATH": own} if "libcxx" in library else None,
                check=False,
            )
            if done.returncode:
                return 1
            made.rename(kept)
    shutil.copy2(kept, program)
    return 0


if __name__ == "__main__":
    sys.exit(main())
