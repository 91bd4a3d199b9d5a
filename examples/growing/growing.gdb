# SPDX-License-Identifier: MIT
#
# The walk-through of README.md, up to the first look at the map:
#   gdb -x gdb/mapscope_gdb.py -x examples/growing/growing.gdb <build>/examples/growing/growing
break checkpoint
run
map inspect m
