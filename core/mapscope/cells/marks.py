# SPDX-License-Identifier: MIT
"""What the first bytes of a group of cells say: the tophash of each cell, or the mark in its place.

Facts: runtime/map.go of Go 1.17 to 1.23 (tophash, bucketCnt, the cell states)."""

from ..go import layouts


#: cells of a bucket (runtime/map.go, bucketCnt)
CELLS = layouts.CELLS


# Cell states (runtime/map.go, Go 1.17 to 1.23).
EMPTY_REST, EMPTY_ONE, EVACUATED_X, EVACUATED_Y, EVACUATED_EMPTY, MIN_TOP_HASH = range(6)


STATES = ("emptyRest", "emptyOne", "evacuatedX", "evacuatedY", "evacuatedEmpty")


#: for bytes.translate: 1 for a live cell's tophash, else 0
LIVE = bytes(MIN_TOP_HASH) + b"\1" * (256 - MIN_TOP_HASH)


#: for bytes.translate: 1 for an evacuated mark, else 0
EVACUATED = bytes(1 if EVACUATED_X <= i <= EVACUATED_EMPTY else 0 for i in range(256))


#: for bytes.translate: what is to be left out so that live cells remain
NOT_LIVE = bytes(range(MIN_TOP_HASH))


#: the tophash of a hash's top byte (tophash in runtime/map.go)
TOP_HASHES = bytes(top if top >= MIN_TOP_HASH else top + MIN_TOP_HASH for top in range(256))
