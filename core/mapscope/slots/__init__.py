# SPDX-License-Identifier: MIT
"""Tables of slots with a byte for each, which grow within one call.

slot_layout what a table's header and slots are like; slot_map; slot_lookup; slot_check
"""
