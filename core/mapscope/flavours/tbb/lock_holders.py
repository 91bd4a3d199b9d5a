# SPDX-License-Identifier: MIT
"""Which threads have a lock of a map.

A lock is had by a scoped lock: inside of the library one of a bucket, in the program's own
accessors one of an entry. They lie on the stacks of their threads, and lead to the lock they have.
"""

from typing import Dict, List, Sequence, Set, Tuple

from ...errors import MemoryUnreadable
from ...session import Session

#: words of a stack that are looked at, and threads
_WORDS, _THREADS = 1 << 14, 64
_PAGE = 512


def holders(session: Session, locks: Sequence[int]) -> Dict[int, Tuple[int, ...]]:
    """Numbers of the threads whose stacks lead to each of these locks."""
    wanted = set(locks)
    found: Dict[int, List[int]] = {}
    if wanted:
        for _, thread in zip(range(_THREADS), session.target.threads()):
            registers = thread.registers()
            for word in _on_stack(session, registers.get("rsp", 0), wanted):
                found.setdefault(word, []).append(thread.number)
    return {lock: tuple(threads) for lock, threads in found.items()}


def _on_stack(session: Session, sp: int, wanted: Set[int]) -> Set[int]:
    """Which of these words are on a stack."""
    place, words, met = sp & ~7, 0, set()
    while words < _WORDS:
        # up to the end of a page at most: a stack ends with one
        count = min(_PAGE - place // 8 % _PAGE, _WORDS - words)
        try:
            raw = session.memory.read(place, 8 * count)
        except MemoryUnreadable:
            break
        met |= wanted.intersection(memoryview(raw).cast("Q").tolist())
        place, words = place + 8 * count, words + count
    return met
