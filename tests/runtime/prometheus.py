#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the Prometheus text of mapstats() against the reference parser.

    prometheus.py STATS_PROGRAM
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Dict, List

from prometheus_client.parser import text_string_to_metric_families


def main() -> int:
    """Compares the two outputs of the program."""
    output = subprocess.run(
        [sys.argv[1]], check=True, stdout=subprocess.PIPE, encoding="utf-8"
    ).stdout
    first, text = output.split("\n", 1)
    truth = json.loads(first)
    assert truth["maps"] == 2 and truth["growths"][2] >= 1 and truth["rebuilds"] == 1, truth
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for family in families.values():
        assert family.name.startswith("mapscope_") and family.documentation, family
        assert family.type in ("gauge", "counter"), family
        assert family.samples, family
    for name in ("maps", "maps_growing", "entries", "buckets", "overflow_buckets"):
        assert value(families, name) == [truth[name]], name
    for name in ("load_factor", "overflow_ratio"):
        assert value(families, name) == [truth[name]], name
    assert sum(value(families, "bytes")) == truth["bytes"]
    assert len({sample.labels["part"] for sample in families["mapscope_bytes"].samples}) == 6
    kinds = {s.labels["kind"]: s.value for s in families["mapscope_growths"].samples}
    assert kinds == dict(zip(("double", "same-size", "shrink"), truth["growths"])), kinds
    for name, field in (("rebuilds", "rebuilds"), ("buckets_evacuated", "evacuated")):
        assert value(families, name) == [truth[field]], name
        assert families["mapscope_" + name].type == "counter"
    assert value(families, "maps_created") == [truth["created"]]
    print(f"{len(families)} metrics, as the program counts them")
    return 0


def value(families: Dict[str, object], name: str) -> List[float]:
    """The samples of one metric."""
    samples = getattr(families["mapscope_" + name], "samples")
    return [sample.value for sample in samples]


if __name__ == "__main__":
    sys.exit(main())
