# SPDX-License-Identifier: MIT
"""Stops at maps of two tables, Redis's dicts and Valkey's hashtables.

table_plans     which plan does what
table_stops     what they share
watched_steps   grow, evacuate, progress, done: the index of the migration, watched
called_writes   assign, delete, clear: functions of the server
"""
