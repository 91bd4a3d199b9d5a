# SPDX-License-Identifier: MIT
#
# The walk-through of README.md:
#   gdb -x gdb/mapscope_gdb.py -x examples/bloat/bloat.gdb build/dev/examples/bloat/bloat
break checkpoint
run
set trace-commands on
map inspect m
map stats m
map history m --life --last 2
continue
map inspect m
map stats m
continue
map inspect m
map stats
set trace-commands off
