# SPDX-License-Identifier: MIT
#
# The walk-through of README.md:
#   gdb -x gdb/mapscope_gdb.py -x examples/lifecycle/lifecycle.gdb build/dev/examples/lifecycle/lifecycle
break checkpoint
run
set trace-commands on
map list
map history gone --life
map history --last 2 --json
set trace-commands off
