# SPDX-License-Identifier: MIT
#
# The walk-through of README.md, up to the first look at the map:
#   gdb -x gdb/mapscope_gdb.py -x examples/same_size/same_size_go.gdb <build>/examples/same_size/same_size_go
break main.checkpoint
run
map inspect m
