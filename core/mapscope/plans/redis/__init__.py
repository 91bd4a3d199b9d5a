# SPDX-License-Identifier: MIT
"""Stops at maps of two tables, Redis's dicts and Valkey's hashtables.

table_plans     which plan does what
table_stops     what they share
watched_steps   grow, evacuate, progress, done of one map: the index of the migration, watched
watched_trace   a trace of one map, by the same
called_writes   assign, delete, clear: functions of the server
called_steps    grow, evacuate, done of any dict, and traces: functions of the server
hashtable_steps grow, done of any hashtable of a database
"""
