# SPDX-License-Identifier: MIT
"""Stops at described tables: the variables of a migration watched, and functions that are named."""
