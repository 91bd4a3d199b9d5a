#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Are the entries that were written those of the program's own record?

    described_truth.py TRUTH FOLDER

TRUTH is a JSON object, of each table an object with its keys and values; what was shown of the
table NAME is FOLDER/NAME.json. Says what differs, and ends with status 1, if anything does.
"""

import json
import sys
from pathlib import Path
from typing import Dict


def main() -> int:
    truth = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    wrong = 0
    for name, expected in truth.items():
        path = Path(sys.argv[2]) / f"{name}.json"
        rows = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]
        shown = [row for row in rows[1:-1]]
        found: Dict[str, object] = {str(row["key"]): row["value"] for row in shown}
        whole = len(found) == len(shown) == rows[-1]["entries"] and rows[-1]["complete"]
        if not expected or found != expected or not whole:
            wrong += 1
            differing = [key for key in found.keys() | expected if found.get(key) != expected[key]]
            print(f"WRONG: {name}: {differing[:3]} of {len(shown)}: {rows[-1]}")
    return 1 if wrong or not truth else 0


if __name__ == "__main__":
    sys.exit(main())
