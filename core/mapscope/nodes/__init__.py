# SPDX-License-Identifier: MIT
"""Tables of linked nodes, which grow within one call.

node_layout what a table's header and nodes are like; node_map; node_lookup; node_check
"""
