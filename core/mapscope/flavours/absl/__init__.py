# SPDX-License-Identifier: MIT
"""absl::flat_hash_map, _set, absl::node_hash_map, _set."""
