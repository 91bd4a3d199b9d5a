# SPDX-License-Identifier: MIT
"""A profile that `go tool pprof` opens: bytes, wasted and retained bytes and entries of maps, with
the path to their owner as the stack.

Facts: profile.proto of github.com/google/pprof (proto/profile.proto), a gzip of one message.
"""

import gzip
import io
from typing import Dict, List, Sequence, Tuple

from ..program.protobuf import bytes_field, number_field, packed_field, text_field

#: (name, unit) of a sample's values, in their order
VALUES = (("entries", "count"), ("bytes", "bytes"), ("wasted", "bytes"), ("retained", "bytes"))
_DEFAULT = "bytes"

#: largest value: an int64; damaged maps may say that they have more
_MOST = (1 << 63) - 1

# fields of Profile, Sample, ValueType, Location, Line and Function
_SAMPLE_TYPE, _SAMPLE, _LOCATION, _FUNCTION, _STRINGS, _TIME, _DEFAULT_TYPE = 1, 2, 4, 5, 6, 9, 14


class Profile:
    """Collects samples.

    :param nanoseconds: when it was taken, since 1970; 0: not told
    """

    def __init__(self, nanoseconds: int = 0) -> None:
        self._nanoseconds = nanoseconds
        self._strings: Dict[str, int] = {"": 0}
        self._functions: Dict[str, int] = {}
        self._samples: Dict[Tuple[int, ...], List[int]] = {}

    def add(self, stack: Sequence[str], values: Sequence[int]) -> None:
        """Add to the sample of a stack.

        :param stack: names, the innermost first
        :param values: as VALUES says
        """
        key = tuple(self._function(name) for name in stack)
        known = self._samples.setdefault(key, [0] * len(VALUES))
        for number, value in enumerate(values):
            known[number] = min(known[number] + value, _MOST)

    def _function(self, name: str) -> int:
        known = self._functions.get(name)
        if known is None:
            known = self._functions[name] = len(self._functions) + 1
        return known

    def _string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def packed(self) -> bytes:
        """The file's contents."""
        body = bytearray()
        for name, unit in VALUES:
            pair = number_field(1, self._string(name)) + number_field(2, self._string(unit))
            body += bytes_field(_SAMPLE_TYPE, pair)
        for stack, values in self._samples.items():
            body += bytes_field(_SAMPLE, packed_field(1, stack) + packed_field(2, values))
        for name, number in self._functions.items():
            # a location for each function, of the same number
            line = bytes_field(4, number_field(1, number))
            body += bytes_field(_LOCATION, number_field(1, number) + line)
        for name, number in self._functions.items():
            text = number_field(2, self._string(name)) + number_field(3, self._string(name))
            body += bytes_field(_FUNCTION, number_field(1, number) + text)
        default = self._string(_DEFAULT)
        for string in self._strings:
            body += text_field(_STRINGS, string)
        if self._nanoseconds:
            body += number_field(_TIME, self._nanoseconds)
        body += number_field(_DEFAULT_TYPE, default)
        out = io.BytesIO()
        with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as file:
            file.write(bytes(body))
        return out.getvalue()
