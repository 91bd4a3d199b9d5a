# SPDX-License-Identifier: MIT
"""Summaries and children of maps, of pointers to them, and of their iterators, for `frame
variable`, `p`, and the variables pane of an IDE.

What they need is imported when a map is first shown: importing stays quick.
"""

from typing import Any, Dict, Optional

import lldb

#: LLDB's category, which "type category disable mapscope" switches off
CATEGORY = "mapscope"
_MAP = "^mapscope::map<"
_MAPS = (_MAP + ".+>$", "^mapscope::hmap$")
#: those of entries that stand on a line, and of others
_ENTRIES = ((r"^mapscope::cell$", True), (r"^mapscope::cell ?\[1\]$", False))
_BUCKETS = "^mapscope::bmap$"
_HOLDERS = "^std::unique_ptr<mapscope::map<.+> ?, std::default_delete<.+> ?>$"


class MapChildren:
    """The entries of a map, as [0], [1], ..., each with its key and element on its line.

    LLDB asks for one child after the other; what was found so far is kept, with the place
    where the walk goes on.
    """

    def __init__(self, value: lldb.SBValue, internal_dict: Dict[str, Any]) -> None:
        from .children import children_of

        self._children = children_of(value)

    def update(self) -> bool:
        """The program has run. Returns whether what was shown still holds."""
        self._children.update()
        return False

    def has_children(self) -> bool:
        """Asked before anything is counted."""
        return self._children.may_have_any()

    def num_children(self, most: int = 1 << 31) -> int:
        """How many children, up to `most`."""
        return self._children.count(most)

    def get_child_at_index(self, index: int) -> Optional[lldb.SBValue]:
        """The child at an index."""
        return self._children.at(index)

    def get_child_index(self, name: str) -> int:
        """The index of a child, as [5]; -1: there is none."""
        return self._children.index(name)


class EntryChildren:
    """An entry's key and element, as `first` and `second`."""

    def __init__(self, value: lldb.SBValue, internal_dict: Dict[str, Any]) -> None:
        from .entry_values import Entry

        self._entry = Entry(value)

    def update(self) -> bool:
        """The program has run. Returns whether what was shown still holds."""
        return False

    def has_children(self) -> bool:
        """Asked before anything is counted."""
        return True

    def num_children(self, most: int = 1 << 31) -> int:
        """How many children."""
        return min(self._entry.count(), most)

    def get_child_at_index(self, index: int) -> Optional[lldb.SBValue]:
        """The key or the element."""
        return self._entry.at(index)

    def get_child_index(self, name: str) -> int:
        """The index of a child; -1: there is none."""
        return self._entry.index(name)


def holder_summary(value: lldb.SBValue, internal_dict: Dict[str, Any]) -> str:
    """That of the map that a std::unique_ptr leads to, as LLDB 20 and later have it for their own
    containers."""
    from .children import summary

    pointer = value.GetSyntheticValue().GetChildMemberWithName("pointer")
    if not pointer.GetValueAsUnsigned(0):
        return "nullptr"
    return summary(pointer)


def entry_summary(value: lldb.SBValue, internal_dict: Dict[str, Any]) -> str:
    """An entry on a line."""
    from .entry_values import Entry

    return Entry(value).line()


def map_summary(value: lldb.SBValue, internal_dict: Dict[str, Any]) -> str:
    """One line: type, entries, what growth is going on."""
    from .children import summary

    return summary(value)


def bucket_summary(value: lldb.SBValue, internal_dict: Dict[str, Any]) -> str:
    """The states of a bucket's cells."""
    from .children import states

    return states(value)


def register(debugger: lldb.SBDebugger) -> None:
    """Define (or, when imported again, redefine) the category."""
    category = debugger.CreateCategory(CATEGORY)
    for pattern in _MAPS:
        _add(category, pattern, "map_summary", "MapChildren")
    for pattern, hides in _ENTRIES:
        _add(category, pattern, "entry_summary", "EntryChildren", hides)
    _add(category, _BUCKETS, "bucket_summary", "")
    _add(category, _HOLDERS, "holder_summary", "")
    category.SetEnabled(True)


def _add(
    category: lldb.SBTypeCategory, pattern: str, summary: str, children: str, hides: bool = False
) -> None:
    """Define what is shown of types with such names.

    :param children: the class that finds them; "": those that there are
    :param hides: whether `frame variable` leaves them out, since the summary has them
    """
    module = f"mapscope_lldb.{__name__}"
    name = lldb.SBTypeNameSpecifier(pattern, True)
    options = lldb.eTypeOptionCascade
    if not pattern.startswith(_MAP):
        options |= lldb.eTypeOptionSkipPointers
    if children:
        made = lldb.SBTypeSynthetic.CreateWithClassName(f"{module}.{children}", options)
        category.AddTypeSynthetic(name, made)
    shown = options | lldb.eTypeOptionHideChildren if hides else options
    category.AddTypeSummary(
        name, lldb.SBTypeSummary.CreateWithFunctionName(f"{module}.{summary}", shown)
    )
