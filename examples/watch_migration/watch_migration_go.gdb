# SPDX-License-Identifier: MIT
#
# The walk-through of README.md:
#   gdb -x gdb/mapscope_gdb.py -x examples/watch_migration/watch_migration_go.gdb \
#     build/dev/examples/watch_migration/watch_migration_go
break main.checkpoint
run
set trace-commands on
map break grow m
map break evacuate m --bucket 100
map break progress 50% m
map break done m
map break list
continue
map stop
continue
map inspect
continue
map inspect
continue
map inspect
set trace-commands off
