# SPDX-License-Identifier: MIT
#
# The walk-through of README.md:
#   gdb -x gdb/mapscope_gdb.py -x examples/prealloc/prealloc_go.gdb build/dev/examples/prealloc/prealloc_go
break main.checkpoint
run
set trace-commands on
slice trace on main.grown
slice trace on main.made
continue
slice trace off main.grown
slice trace off main.made
slice inspect main.grown
slice inspect main.made
set trace-commands off
