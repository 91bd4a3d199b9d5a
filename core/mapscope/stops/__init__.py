# SPDX-License-Identifier: MIT
"""Stops: the program runs at full speed until a map does what was asked for.

request       what the user asked for, as typed
occurrence    what has happened, as shown
host          what a debugger must offer: breakpoints, watchpoints, registers
engine        one stop, and the plan behind it: numbers, counts, what becomes of them
all_stops     all stops and traces of a debugger

How each kind of stop is done is in ../plans.
"""
