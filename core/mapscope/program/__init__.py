# SPDX-License-Identifier: MIT
"""A stopped program: what a debugger must offer (target), its memory, types and values; debug
information and names of C++. It must not know maps, nor Go.
"""
