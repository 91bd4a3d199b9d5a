# SPDX-License-Identifier: MIT
"""Settings of the tests of core: Hypothesis draws the same examples everywhere; with or without the
library of kernels."""

import os

from hypothesis import HealthCheck, settings
from mapscope.kernels import native

settings.register_profile(
    "mapscope",
    derandomize=True,
    database=None,
    deadline=None,  # machines that run tests are loaded now and then
    max_examples=60 if os.environ.get("MAPSCOPE_LONG") else 30,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("mapscope")

if os.environ.get("MAPSCOPE_TEST_KERNELS"):  # also for what is too small for them
    native.use(native.load())
