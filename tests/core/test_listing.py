# SPDX-License-Identifier: MIT
"""How many entries a map is said to have, where counting them was interrupted."""

import pytest

from cppprogram import number_map
from mapscope.locate import find_map
from mapscope.maps.listing import Listing
from mapscope.session import Session


def test_a_count_that_was_interrupted_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    target, model = number_map()
    model.fill({number: number for number in range(100)})

    def listing() -> Listing:
        return Listing(find_map(Session(target), "m"), lambda: None)

    first = listing()

    def interrupted(*_: object) -> object:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(first.view, "occupancy", lambda patience: None)
        patched.setattr(first.view, "entries", interrupted)
        assert first.count(1) == 0 and first.error == "interrupted"
    assert listing().count(1) == 100
