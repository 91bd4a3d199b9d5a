# SPDX-License-Identifier: MIT
"""A command for run.py, in gdb: the processor time of reading a table's entries.

    measure-table TABLE ELEMENTS

prints, in JSON, seconds of `map entries` for all, and of `print` for so many elements by the
printer that gdb has for the type; null: it has none.
"""

import json
import os
import tempfile
import time

import gdb


class Measure(gdb.Command):
    """measure-table TABLE ELEMENTS"""

    def __init__(self) -> None:
        super().__init__("measure-table", gdb.COMMAND_USER)

    def invoke(self, argument: str, from_tty: bool) -> None:
        table, elements = argument.split()
        handle, path = tempfile.mkstemp()
        os.close(handle)
        started = time.process_time()
        gdb.execute(f"map entries {table} --json -o {path}", to_string=True)
        ours = time.process_time() - started
        with open(path, "rb") as file:
            last = json.loads(file.readlines()[-1])
        os.unlink(path)
        theirs = None
        if gdb.default_visualizer(gdb.parse_and_eval(table)) is not None:
            gdb.execute(f"set print elements {elements}")
            started = time.process_time()
            gdb.execute(f"print {table}", to_string=True)
            theirs = time.process_time() - started
        form = {"table": table, "entries": last["entries"], "complete": last["complete"]}
        print(json.dumps({**form, "ours": ours, "theirs": theirs, "elements": int(elements)}))


Measure()
