# SPDX-License-Identifier: MIT
"""Stops at oneTBB's concurrent_hash_maps."""
