# SPDX-License-Identifier: MIT
"""Go's two kinds of map: how they are recognised and opened."""
