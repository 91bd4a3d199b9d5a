#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build a program of the tests with a C file that scripts/toolchains has from somebody's source.

    built_from.py [--stripped LIBRARY] NAME PROGRAM FLAGS AND FILES...

With --stripped, the file becomes a library of that path, which has no debug information and no
names but those that it exports, and that the program is linked with. NAME is as
`scripts/toolchains servers` has it; the headers beside the file are found too. Prints "left out:
REASON" where it, or a compiler, cannot be had.
"""

import os
import shutil
import subprocess
import sys

from kv_server import find_server


def main() -> int:
    arguments = sys.argv[1:]
    library = ""
    if arguments[0] == "--stripped":
        library, arguments = arguments[1], arguments[2:]
    name, program, *words = arguments
    compiler = shutil.which("cc") or shutil.which("gcc")
    source, reason = find_server(name)
    if source is None or compiler is None:
        print(f"left out: {reason or 'there is no C compiler'}")
        return 0
    words.append(f"-I{source.parent / 'include'}")
    if library:
        options = [word for word in words if word[0] == "-"]
        made = [compiler, *options, "-shared", "-fPIC", "-s", str(source), "-o", library]
        subprocess.run(made, check=True)
        words += [library, f"-Wl,-rpath,{os.path.dirname(library)}"]
    else:
        words.append(str(source))
    command = [compiler, "-g", *words, "-o", program]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
