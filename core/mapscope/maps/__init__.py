# SPDX-License-Identifier: MIT
"""What every kind of map offers to commands: view, facts, entries in batches, findings of a
check, lookups, keys as typed and compared.
"""
