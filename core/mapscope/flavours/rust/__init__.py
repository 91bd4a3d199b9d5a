# SPDX-License-Identifier: MIT
"""Rust's std::collections::HashMap and HashSet, and hashbrown's own."""
