# SPDX-License-Identifier: MIT
"""Go without maps: what differs between its versions (layouts), type descriptors, functions,
frames and goroutines from memory alone, debug information, hashes.
"""
