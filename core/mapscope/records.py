# SPDX-License-Identifier: MIT
"""The standard library's dataclasses, made when the first object of a class is: making one takes
half a millisecond (dataclasses.py of Python 3.11 compiles each of its methods), and of the two
hundred that there are a command needs thirty."""

from dataclasses import Field
from dataclasses import dataclass as _made
from dataclasses import fields as _fields
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Tuple

__all__ = ["dataclass", "fields"]

#: what says in a class that it is still to be made, and with which options
_WAITING = "__dataclass_waits__"

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(own: Optional[type] = None, **options: bool) -> Any:
        """Make a class a dataclass, as dataclasses.dataclass does.

        :param own: the class; None: used with options, which are those of dataclasses.dataclass
        """
        if own is None:
            return lambda given: dataclass(given, **options)

        def __init__(self: Any, *args: Any, **named: Any) -> None:
            _complete(own)
            own.__init__(self, *args, **named)

        assert "__init__" not in vars(own), "a dataclass's own __init__"
        own.__init__ = __init__
        setattr(own, _WAITING, options)
        return own


def _complete(own: type) -> None:
    """Make a class and those that it is derived from, which must be made first."""
    for base in reversed(own.__mro__):
        options: Optional[Dict[str, bool]] = vars(base).get(_WAITING)
        if options is not None:
            delattr(base, _WAITING)
            del base.__init__  # type: ignore[misc]
            make: Callable[[type], type] = _made(**options)
            make(base)


def fields(own: type) -> "Tuple[Field[Any], ...]":
    """The fields of a class, as dataclasses.fields has them."""
    _complete(own)
    return _fields(own)
