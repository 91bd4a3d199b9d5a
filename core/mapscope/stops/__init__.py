# SPDX-License-Identifier: MIT
"""Stops: the program runs at full speed until a map does what was asked for.

request                         what the user asked for, as typed
occurrence                      what has happened, as shown
host                            what a debugger must offer: breakpoints, watchpoints, registers
stop                            one stop and all of them: numbers, counts, what becomes of them
plan, plans                     what every kind of plan has in common; the plan for a stop
filter, runtime_plan            programs on the mapscope runtime: its in-process filter
go_runtime, go_plan, go_plans   Go programs: which plan does what
go_migration, go_entries        by hardware watchpoints
go_functions                    by breakpoints on functions that run rarely
go_swiss                        the same for Swiss maps, those since Go 1.24
go_calls, go_growth             which functions growths go through; what they are about to do
trace                           the same, logging without stopping
"""
