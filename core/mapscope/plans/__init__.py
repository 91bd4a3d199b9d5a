# SPDX-License-Identifier: MIT
"""How each kind of stop is done, by what a debugger offers.

flavour_plans   what a flavour offers for stops; planning: which plan a stop gets
cpp             the runtime's maps: its in-process filter, and the one breakpoint at its hook
go              Go's maps: hardware watchpoints, breakpoints on functions that run rarely
values          the value of one entry, wherever the entry moves to
"""
