# SPDX-License-Identifier: MIT
"""Redis's dict, of 6.2 to 8.0, of Redict and of Valkey 8.0: Debian's own binaries, by the names
that they export.

siphash         its hash, of all keys at once
sds             strings
text_column     many strings at once
objects         values of the keyspace
dict_header     the layouts of a dict, recognised by what is there
dict_types      what a dict holds, by its dictType
dict_nodes      its chains; in_flight: entries that a step of the migration holds in registers
redis_server    where the process has its databases, its seed and its policy
redis_dicts     the flavour
"""
