# SPDX-License-Identifier: MIT
#
# The walk-through of README.md:
#   gdb -x gdb/mapscope_gdb.py -x examples/ghost_write/ghost_write_go.gdb \
#     build/dev/examples/ghost_write/ghost_write_go
map break race
run
set trace-commands on
map stop
map writers
map inspect
set trace-commands off
