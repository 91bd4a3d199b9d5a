# SPDX-License-Identifier: MIT
#
# The same of the Go program:
#   gdb -x gdb/mapscope_gdb.py -x examples/stuck_migration/stuck_migration_go.gdb build/dev/examples/stuck_migration/stuck_migration_go
break main.checkpoint
run
set trace-commands on
map inspect m
map stats m
continue
map inspect m
set trace-commands off
