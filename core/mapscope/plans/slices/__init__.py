# SPDX-License-Identifier: MIT
"""Stops at the growth of slices of Go and vectors of C++.

slice_stop   a stop, or a trace, that is for a slice; which plan does it
growth_event what has happened
go_slices    Go's: by a watchpoint on the slice's pointer, or at runtime.growslice
growslice    its arguments and results in registers
vectors      C++'s, by watchpoints
"""
