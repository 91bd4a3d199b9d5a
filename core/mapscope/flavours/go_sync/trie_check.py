# SPDX-License-Identifier: MIT
"""Is a hash trie whole? Its nodes, the hashes of its keys, its chains."""

from itertools import compress
from typing import Dict, List, Optional

from ...go import layouts
from ...maps.compare_keys import Hashed, Keys
from ...maps.problems import is_cut_short
from ...maps.progress import Progress
from ...maps.report import Report
from ...maps.view import MapView
from ...program.values import InterfaceValue, Unreadable
from .trie_reader import DEEPEST, Nodes, TrieWalk, path_text

#: pairs of keys of one chain that are compared
_PAIRS = 1 << 18


def check_trie(
    view: MapView, walk: TrieWalk, inited: int, root: int, report: Report, progress: Progress
) -> None:
    """Report what cannot be in a healthy one.

    :param inited: as its header says
    """
    report.buckets = len(walk.nodes)
    if inited > 1:
        report.add("error", "trie-node", f"inited is {inited}, 0 or 1 expected", view.address)
    elif inited and not root:
        text = "it says that it is initialised, and has no root"
        report.add("error", "trie-node", text, view.address)
    elif not inited and len(walk.leaves):
        text = "it has entries, and says that it is not initialised"
        report.add("error", "trie-node", text, view.address)
    _check_nodes(walk.nodes, report)
    _check_keys(view, walk, report, progress)
    report.problems(view.problems)
    report.settle(0)
    if is_cut_short(view.problems) and not report.left_out:
        report.left_out = "what could not be read"


def _check_nodes(nodes: Nodes, report: Report) -> None:
    """What nodes say of themselves."""
    locked = set(compress(nodes.addresses, nodes.locked))
    columns = (nodes.addresses, nodes.above, nodes.parents, nodes.dead, nodes.used)
    for address, above, parent, dead, used in zip(*columns):
        if parent == above and not dead and used:
            continue
        which = f"the node at {address:#x}"
        if parent != above:
            source = f"the one at {above:#x} leads to it" if above else "it is the root"
            text = f"{which} says that its parent is {parent:#x}, and {source}"
            report.add("error", "trie-node", text, address)
        if dead > 1:
            text = f"{which} has {dead} for dead, 0 or 1 expected"
            report.add("error", "trie-node", text, address)
        elif dead or (above and not used):
            what = "is marked as dead, and can be reached" if dead else "has no children"
            # it is emptied, marked and taken out under its own lock and its parent's
            if address in locked and (above in locked or not dead):
                report.add("note", "in-flight", f"{which} {what}: it is just taken out", address)
            else:
                report.add("error", "trie-node", f"{which} {what}", address)


def _check_keys(view: MapView, walk: TrieWalk, report: Report, progress: Progress) -> None:
    """Keys with the path to them, and with others of their chain."""
    leaves = walk.leaves
    key, _ = view.types()
    hashed = Hashed(view, report, report.hashes and len(leaves) > 0)
    keys = Keys(view, key, False)
    chained: Dict[int, List[int]] = {}
    for at in compress(range(len(leaves)), leaves.chain):
        chained.setdefault(leaves.heads[at], [leaves.heads[at]]).append(at)
    members = {at for chain in chained.values() for at in chain}
    raws: Dict[int, bytes] = {}
    hashes: Dict[int, int] = {}
    order, first = leaves.order(), 0
    depths, paths = leaves.depths, leaves.paths
    shifts = [layouts.TRIE_BITS * (DEEPEST - depth) for depth in range(DEEPEST + 1)]
    for batch in view.entries(progress):
        places = order[first : first + len(batch.order)]
        first += len(places)
        values = batch.keys.all_data(len(places))
        report.cells += len(values)
        if members:
            for at, value in zip(places, values):
                if at in members and value is not None:
                    raws[at] = value
        computed = hashed.many(values) or [None] * len(values)
        fitting = unfitting = 0
        for at, number, value in zip(places, computed, values):
            if number is not None and value is not None:
                if members and at in members:
                    hashes[at] = number
                depth, path = depths[at], paths[at]
                if number >> shifts[depth] == path:
                    fitting += 1
                    continue
                unfitting += 1
                text = (
                    f"the key {keys.text(value)} lies on the path {path_text(path, depth)}, and "
                    f"its hash is {number:#018x}"
                )
                report.doubt("wrong-hash", text, leaves.addresses[at], depth, leaves.chain[at])
            else:
                _check_readable(view, value, leaves.addresses[at], leaves.chain[at], report)
        hashed.count(fitting, unfitting)
    hashed.settle("wrong-hash")
    left = _PAIRS
    for chain in chained.values():
        left = _check_chain(chain, walk, keys, raws, hashes, report, left)
    if left <= 0:
        report.left_out = "whether some keys of long chains are the same"


def _check_readable(
    view: MapView, value: Optional[bytes], address: int, place: int, report: Report
) -> None:
    """A key without a hash: it may be one that cannot be read."""
    key = None if value is None else view.decoder.decode(view.types()[0], value, None)
    inner = key.value if isinstance(key, InterfaceValue) else key
    if value is None or isinstance(inner, Unreadable):
        why = inner.error if isinstance(inner, Unreadable) else "cannot be read"
        text = f"the key of the entry at {address:#x}: {why}"
        report.add("error", "key-unreadable", text, address, None, place)


def _check_chain(
    chain: List[int],
    walk: TrieWalk,
    keys: Keys,
    raws: Dict[int, bytes],
    hashes: Dict[int, int],
    report: Report,
    left: int,
) -> int:
    """The entries of one chain: different keys of one hash. Returns how many pairs of keys may
    still be compared."""
    addresses = walk.leaves.addresses
    head: Optional[int] = hashes.get(chain[0])
    for number, at in enumerate(chain):
        own = hashes.get(at)
        if head is not None and own is not None and own != head:
            text = (
                f"the entry at {addresses[at]:#x} has the hash {own:#018x}, and hangs in the chain "
                f"of one with {head:#018x}"
            )
            report.add("error", "wrong-hash", text, addresses[at])
        others = [other for other in chain[:number] if other in raws]
        if at not in raws or left <= 0:
            continue
        left -= len(others)
        same = keys.same([raws[other] for other in others], [raws[at]] * len(others))
        for other, is_same in zip(others, same):
            if is_same:
                text = (
                    f"the key {keys.text(raws[at])} is there twice, in the entries at "
                    f"{addresses[other]:#x} and {addresses[at]:#x}"
                )
                report.add("error", "duplicate-key", text, addresses[at])
    return left
