# SPDX-License-Identifier: MIT
#
# The walk-through of README.md:
#   gdb -x gdb/mapscope_gdb.py -x examples/growing/growing_go.gdb build/dev/examples/growing/growing_go
break main.checkpoint
run
set trace-commands on
map inspect m
map find m session-00951
map find m session-01114
map entries m --limit 3 --where
set trace-commands off
