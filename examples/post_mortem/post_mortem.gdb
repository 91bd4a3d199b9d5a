# SPDX-License-Identifier: MIT
#
# The walk-through of README.md:
#   gdb -x gdb/mapscope_gdb.py -x examples/post_mortem/post_mortem.gdb build/dev/examples/ghost_write/ghost_write core
set trace-commands on
map writers
frame function '(anonymous namespace)::write'
map history shared --last 3
map inspect shared
set trace-commands off
