# SPDX-License-Identifier: MIT
"""The descriptions of tables that users loaded, apart from what reads them: usually there are
none."""

from typing import TYPE_CHECKING, Dict

if TYPE_CHECKING:
    from .description import Description

#: by their names
LOADED: "Dict[str, Description]" = {}
