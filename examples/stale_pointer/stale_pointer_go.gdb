# SPDX-License-Identifier: MIT
#
# The walk-through of README.md:
#   gdb -x gdb/mapscope_gdb.py -x examples/stale_pointer/stale_pointer_go.gdb build/dev/examples/stale_pointer/stale_pointer_go
break main.opened
break main.checkpoint
run
set trace-commands on
slice break grow theBank.accounts
continue
slice inspect main.theBank.accounts
continue
continue
continue
slice stale main.theBank.accounts
slice entries review
slice entries main.theBank.accounts
set trace-commands off
