# SPDX-License-Identifier: MIT
"""Stops at Go's maps.

choice          which plan does what
go_runtime      what a stopped Go program says of its maps; go_plan: what all plans share
watched         migrations by hardware watchpoints; writes: writes by them
rare_functions  by breakpoints on functions that run rarely; tables: the same for Swiss maps
growth_calls    which functions growths go through; growth: what they are about to do
go_trace        the same, logging without stopping
"""
