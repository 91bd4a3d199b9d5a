# SPDX-License-Identifier: MIT
#
# The walk-through of README.md:
#   gdb -x gdb/mapscope_gdb.py -x examples/ghost_write/ghost_write.gdb \
#     build/dev/examples/ghost_write/ghost_write
map break race
run
set trace-commands on
map stop
map writers
map find user-416
map bucket 0 --old
map find user-26
set trace-commands off
