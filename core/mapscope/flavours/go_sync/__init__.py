# SPDX-License-Identifier: MIT
"""Go's sync.Map: two ordinary maps until Go 1.23, a hash trie since 1.24.

sync_types        which types are one, and where the parts of one are
go_sync_maps      how one is recognised and opened, of both kinds
read_dirty        two maps: what commands ask of them; the others: lookup, check, facts
trie_reader       the walk through a trie
trie_map          a trie: what commands ask of it; the others: lookup, check
"""
