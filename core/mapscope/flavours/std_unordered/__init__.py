# SPDX-License-Identifier: MIT
"""std::unordered_map, _set, _multimap and _multiset, of libstdc++."""
