# SPDX-License-Identifier: MIT
"""boost::unordered_map, _set, _multimap and _multiset."""
