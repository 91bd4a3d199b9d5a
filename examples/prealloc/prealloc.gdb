# SPDX-License-Identifier: MIT
#
# The walk-through of README.md:
#   gdb -x gdb/mapscope_gdb.py -x examples/prealloc/prealloc.gdb build/dev/examples/prealloc/prealloc
break checkpoint
run
set trace-commands on
slice trace on grown
slice trace on reserved
continue
slice trace off grown
slice trace off reserved
slice inspect grown
slice inspect reserved
set trace-commands off
