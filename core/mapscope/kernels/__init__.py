# SPDX-License-Identifier: MIT
"""Loops over bytes: by a library of kernels (the folder kernels/) where it was built, else in
Python. What they must not know: maps, processes, debuggers.

`native` loads the library and is all that knows of ctypes; in each other module stands, for each
kernel, a function that does the same in Python, on the same bytes and with the same result.
"""
