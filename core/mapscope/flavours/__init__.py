# SPDX-License-Identifier: MIT
"""How each kind of map is recognised and opened: flavour.py says what one offers, registry.py has
them all, and each has a folder here.
"""
