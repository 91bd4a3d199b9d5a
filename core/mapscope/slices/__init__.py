# SPDX-License-Identifier: MIT
"""Slices of Go and vectors of C++.

slice_view        one of them as it was found; open_slice and vector find it
growth_rules      which capacity an append gives it next
moves             arrays that slices were seen to leave
variables         variables in frames, and of packages or namespaces
array_references  which of them refer to an array
"""
