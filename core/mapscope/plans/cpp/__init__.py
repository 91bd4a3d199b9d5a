# SPDX-License-Identifier: MIT
"""Stops at the runtime's maps.

runtime_plans   which plan does what
filter          the table in the program that says what is to be stopped for
filter_plan     a stop by it; filter_trace: a log by it
"""
