# SPDX-License-Identifier: MIT
"""Settings of the tests of core: Hypothesis draws the same examples everywhere."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "mapscope",
    derandomize=True,
    database=None,
    deadline=None,  # machines that run tests are loaded now and then
    max_examples=60 if os.environ.get("MAPSCOPE_LONG") else 30,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("mapscope")
