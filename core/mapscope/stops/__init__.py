# SPDX-License-Identifier: MIT
"""Stops: the program runs at full speed until a map does what was asked for.

request     what the user asked for, as typed
occurrence  what has happened, as shown
host        what a debugger must offer for it: breakpoints, watchpoints, registers
stop        one stop and all of them: numbers, counts, what becomes of them
plan        what every kind of plan has in common
filter, runtime_plan     programs on the mapscope runtime: its in-process filter
go_runtime, go_plans     Go programs: hardware watchpoints and rarely-run functions
trace       the same, logging without stopping
"""
