# SPDX-License-Identifier: MIT
"""A stop at the value of one entry, wherever the entry moves to.

value_place     where an entry's value lies now, and what is written to when it moves or goes
value_plan      the watchpoints
value_stop      what `map watch` sets
"""
