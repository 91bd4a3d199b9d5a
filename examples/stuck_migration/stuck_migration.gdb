# SPDX-License-Identifier: MIT
#
# The walk-through of README.md:
#   gdb -x gdb/mapscope_gdb.py -x examples/stuck_migration/stuck_migration.gdb build/dev/examples/stuck_migration/stuck_migration
break checkpoint
run
set trace-commands on
map list
map inspect m
map history m --last 2
map stats m
continue
map list
map inspect m
set trace-commands off
