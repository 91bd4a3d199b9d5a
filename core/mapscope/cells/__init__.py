# SPDX-License-Identifier: MIT
"""Groups of cells in bulk: layout, marks, levels, columns. Classic buckets and Swiss groups are
read with it.
"""
