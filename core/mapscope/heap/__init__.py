# SPDX-License-Identifier: MIT
"""What all maps of a process together tell: groups, totals, what stands out, and how it changed.

Knows maps only as maps/on_heap.py describes them."""
