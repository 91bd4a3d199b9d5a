# SPDX-License-Identifier: MIT
#
# The walk-through of README.md:
#   gdb -x gdb/mapscope_gdb.py -x examples/stale_pointer/stale_pointer.gdb build/dev/examples/stale_pointer/stale_pointer
break checkpoint
run
set trace-commands on
slice break grow the_bank.accounts
continue
continue
slice stale the_bank.accounts
set trace-commands off
