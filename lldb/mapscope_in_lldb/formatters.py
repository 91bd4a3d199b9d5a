# SPDX-License-Identifier: MIT
"""Summaries and children of maps, for `frame variable`, `p`, and the variables pane of an IDE.

What they need is imported when a map is first shown: importing stays quick.
"""

from typing import Any, Dict, Optional

import lldb

#: LLDB's category, which "type category disable mapscope" switches off
CATEGORY = "mapscope"
_MAPS = ("^mapscope::map<.+>$", "^mapscope::hmap$")
_BUCKETS = "^mapscope::bmap$"


class MapChildren:
    """The entries of a map, each shown as [KEY] with the element as its value.

    LLDB asks for one child after the other; what was found so far is kept, with the place
    where the walk goes on.
    """

    def __init__(self, value: lldb.SBValue, internal_dict: Dict[str, Any]) -> None:
        from .children import Children

        self._children = Children(value)

    def update(self) -> bool:
        """The program has run. Returns whether what was shown still holds."""
        self._children.update()
        return False

    def has_children(self) -> bool:
        """Asked before anything is counted."""
        return True

    def num_children(self, most: int = 1 << 31) -> int:
        """How many children, up to `most`."""
        return self._children.count(most)

    def get_child_at_index(self, index: int) -> Optional[lldb.SBValue]:
        """The child at an index."""
        return self._children.at(index)

    def get_child_index(self, name: str) -> int:
        """The index of the child [KEY], among those that were shown; -1: not among them."""
        return self._children.index(name)


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
    module = f"mapscope_lldb.{__name__}"
    whole = lldb.eTypeOptionCascade | lldb.eTypeOptionSkipPointers
    for pattern in _MAPS:
        name = lldb.SBTypeNameSpecifier(pattern, True)
        category.AddTypeSynthetic(
            name, lldb.SBTypeSynthetic.CreateWithClassName(f"{module}.MapChildren", whole)
        )
        shown = whole & ~lldb.eTypeOptionHideChildren
        category.AddTypeSummary(
            name, lldb.SBTypeSummary.CreateWithFunctionName(f"{module}.map_summary", shown)
        )
    category.AddTypeSummary(
        lldb.SBTypeNameSpecifier(_BUCKETS, True),
        lldb.SBTypeSummary.CreateWithFunctionName(f"{module}.bucket_summary", whole),
    )
    category.SetEnabled(True)
