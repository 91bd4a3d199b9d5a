# SPDX-License-Identifier: MIT
"""Keys of different types that are written alike, as int(1) and uint64(1): which is meant."""

from ...maps.found import Found, KeyTest
from ...maps.view import MapView


def with_note(view: MapView, test: KeyTest, found: Found) -> Found:
    """What was found, with a note if other keys are written so, too."""
    if found.where is None or found.key is None:
        return found
    number = 0
    for batch in view.entries():
        order = batch.order
        if test.forms:
            order = batch.keys.written_as(test.forms, view.decoder, order)
        number += sum(test.matches(batch.keys.value(at, view.decoder)) for at in order)
    if number > 1:
        note = f"{number} keys of different types are written so, and this is the first: one is "
        note += 'named as {"type":"int64","value":1}'
        found.note = f"{found.note}; {note}" if found.note else note
    return found
