# SPDX-License-Identifier: MIT
"""The command `mapscope`: maps of core files and live processes, without a debugger."""
