# SPDX-License-Identifier: MIT
"""Go's map since 1.24: a directory of tables of groups. reader, probing, lookup, check; swiss_map
is its view.
"""
