# SPDX-License-Identifier: MIT
"""What `map check` looks for: a module for each kind of map, and what they report."""
