# SPDX-License-Identifier: MIT
"""The maps of the mapscope C++ runtime, by its own description of itself (mapscope_abi)."""
