# SPDX-License-Identifier: MIT
"""The page as HTML: one file that needs nothing else, and must not ask for anything.

Whatever a program's memory holds stands in one element of JSON, in which no character can end
it; the script makes text of it, never markup.
"""

import base64
import hashlib
from pathlib import Path
from typing import Dict

from ..program.values import dumps

_HERE = Path(__file__).resolve().parent
#: what could end the element of JSON, or begin another
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def json_for_markup(form: object) -> str:
    """JSON that is the same in an HTML element as alone."""
    return dumps(form).translate(_ESCAPES)


def document(form: Dict[str, object]) -> str:
    """The page that shows a mapscope.report/1."""
    style, script = _part("page.css"), _part("page.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {"policy": policy, "style": style, "data": json_for_markup(form), "script": script}
    pieces = _part("page.html").split("@@")
    # every second piece is the name of what stands there: nothing that is put in is looked at
    return "".join(parts[piece] if at % 2 else piece for at, piece in enumerate(pieces))


def _part(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """By which a policy knows a style or a script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
