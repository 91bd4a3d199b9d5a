# SPDX-License-Identifier: MIT
#
# The walk-through of README.md:
#   gdb -x gdb/mapscope_gdb.py -x examples/ghost_write/ghost_write_go.gdb \
#     build/dev/examples/ghost_write/ghost_write_go

# Go takes a goroutine that runs for long off its thread by a signal. A thread that
# gdb finds at the start of Go's signal handler does not show the write below it.
set environment GODEBUG asyncpreemptoff=1
map break race
run
set trace-commands on
map stop
map writers
map inspect
set trace-commands off
