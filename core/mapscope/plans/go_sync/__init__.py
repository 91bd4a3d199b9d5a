# SPDX-License-Identifier: MIT
"""Stops at Go's sync.Map.

sync_plans      which plan does what
sync_plan       what they share
watched_words   done (the dirty map takes the read map's place), clear: the word that leads there
method_calls    assign, delete: the methods that write, and what they are given
"""
