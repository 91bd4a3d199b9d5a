#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Was all of a test left out, for what cannot be had here?

    left_out.py LOG

The log has a line "left out: REASON" for each part that could not be tested, and at least one
other line for each that was. Says "UNSUPPORTED: REASON" if there is none of those: by that CTest
reports the test as skipped (CMakeLists.txt).
"""

import sys
from pathlib import Path


def main() -> None:
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    if lines and all("left out" in line for line in lines):
        print("UNSUPPORTED:", lines[0].partition("left out")[2].lstrip(": "))


main()
