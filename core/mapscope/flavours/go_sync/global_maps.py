# SPDX-License-Identifier: MIT
"""sync.Maps that are variables of a program without debug information, by what they hold.

Nothing names them, but their words can be nothing else's. Of two maps some lead to maps whose
elements are *sync.entry, a type that only package sync can name, and until Go 1.19 one tells the
type of what leads to the read map; of a trie two lead to the functions that hash and compare
interfaces, which a sync.Map's alone has together.
"""

import struct
from typing import Callable, Dict, Iterator, List, Set, Tuple

from ...errors import MapscopeError, MemoryUnreadable
from ...go import layouts
from ...maps.progress import Progress
from ...program.memory import CHUNK
from ...session import Session
from ..go.hash_function import key_hash_of
from .sync_types import ANY, ReadDirtyLayout

#: bytes of variables that are looked at, of each file
_MOST = 1 << 30
#: bytes of variables that the next piece begins with again
_AGAIN = 128


def words_of_data(session: Session, progress: Progress) -> Iterator[Tuple[int, List[int]]]:
    """(address, words) of packages' variables, some at a time; what begins at the end of a piece
    is in the next one whole."""
    layout = layouts.moduledata(session.go.minor)
    for module in session.go.modules():
        for low, high in (("data", "edata"), ("bss", "ebss")):
            try:
                start, end = (
                    session.memory.read_word(module + layout.at(at)) for at in (low, high)
                )
                for first in range(start, min(end, start + _MOST), CHUNK):
                    progress(first - start, end - start)
                    size = min(CHUNK + _AGAIN, end - first) & ~7
                    raw = session.memory.read_chunk(first, size)
                    yield first, raw.cast("Q").tolist()
            except MemoryUnreadable:
                continue  # the heap's own notes tell of it


def tries_in_data(
    session: Session, is_object: Callable[[int], bool], progress: Progress
) -> List[int]:
    """Addresses of sync.Maps that are tries.

    :param is_object: whether an address is one of an object that is as large as a node
    """
    fields = layouts.HASH_TRIE_MAP
    root, hash_at, seed = (fields.at(name) // 8 for name in ("root", "keyHash", "seed"))
    found: Set[int] = set()
    for start, words in words_of_data(session, progress):
        for at in range(len(words) - fields.size // 8 + 1):
            # initialised: 1 in its first 32 bits
            if words[at] & 0xFFFFFFFF == 1 and is_object(words[at + root]):
                closure, equal = words[at + hash_at], words[at + hash_at + 1]
                known, _ = key_hash_of(session, ANY, closure, words[at + seed])
                if known is not None and _is_code_of(session, equal, "runtime.nilinterequal"):
                    found.add(start + 8 * at)
    return sorted(found)


def _is_code_of(session: Session, closure: int, name: str) -> bool:
    """Whether a function's value is that of a function."""
    table = session.functions
    try:
        code = session.memory.read_word(closure)
    except MemoryUnreadable:
        return False
    function = None if table is None else table.at(code)
    return function is not None and function.start == code and function.name == name


def pairs_in_data(
    session: Session,
    layout: ReadDirtyLayout,
    is_pair: Callable[[int], bool],
    is_object: Callable[[int], bool],
    progress: Progress,
) -> List[int]:
    """Addresses of sync.Maps of two maps.

    :param is_pair: whether there is a map at an address whose elements may be *sync.entry
    :param is_object: whether an address is one of an object that is as large as a sync.readOnly
    """
    told: Dict[int, bool] = {}
    found: Set[int] = set()
    for start, words in words_of_data(session, progress):
        for at in range(len(words) - layout.size // 8 + 1):
            word = words[at + layout.read // 8]
            if not word or not _is_plain(words, at, layout):
                continue
            dirty = words[at + layout.dirty // 8]
            if layout.value:
                # an atomic.Value says itself what it holds
                if word not in told:
                    told[word] = _is_read_only(session, word)
                if told[word] and (not dirty or is_pair(dirty)):
                    found.add(start + 8 * at)
            elif is_object(word) and _leads_to(session, word, dirty, is_pair):
                found.add(start + 8 * at)
    return sorted(found)


def _is_read_only(session: Session, address: int) -> bool:
    """Whether an address is that of the type sync.readOnly."""
    if address % 8 or not any(low <= address < end for low, end in session.go.type_ranges()):
        return False
    try:
        return session.go.name_at(address) == layouts.SYNC_READ_ONLY.name
    except MapscopeError:
        return False


def _leads_to(session: Session, address: int, dirty: int, is_pair: Callable[[int], bool]) -> bool:
    """Whether a sync.readOnly is at an address, of one that has a dirty map or none."""
    try:
        map, amended = struct.unpack("<QQ", session.memory.read(address, 16))
    except MemoryUnreadable:
        return False
    if amended & 0xFF != (dirty > 0) or not (map or dirty):
        return False
    return all(is_pair(each) for each in (map, dirty) if each)


def _is_plain(words: List[int], at: int, layout: ReadDirtyLayout) -> bool:
    """Whether the words from one on may be a sync.Map's: the state of its lock, what was missed."""
    return words[at] >> 32 <= 1 << 8 and words[at + layout.misses // 8] < 1 << 32
