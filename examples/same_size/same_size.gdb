# SPDX-License-Identifier: MIT
#
# The walk-through of README.md:
#   gdb -x gdb/mapscope_gdb.py -x examples/same_size/same_size.gdb build/dev/examples/same_size/same_size
break checkpoint
run
set trace-commands on
map inspect m
map bucket m 0 --old
map bucket m 127 --old
set trace-commands off
