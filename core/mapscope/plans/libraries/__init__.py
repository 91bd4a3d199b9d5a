# SPDX-License-Identifier: MIT
"""Stops at tables of libraries: their growth, at the function that does it."""
