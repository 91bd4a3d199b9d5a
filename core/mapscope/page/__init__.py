# SPDX-License-Identifier: MIT
"""The page that `map report` writes: what it is made of, and the sums that it draws.

What this must not know: where maps are found, and how they are read.
"""
