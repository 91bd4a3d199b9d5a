# SPDX-License-Identifier: MIT
"""A profile that `go tool pprof` opens: bytes, wasted and retained bytes and entries of maps, with
the path to their owner as the stack.

Facts: profile.proto of github.com/google/pprof (proto/profile.proto), a gzip of one message;
encoding of Protocol Buffers (varints, lengths).
"""

import gzip
import io
from typing import Dict, Iterable, List, Sequence, Tuple

#: (name, unit) of a sample's values, in their order
VALUES = (("entries", "count"), ("bytes", "bytes"), ("wasted", "bytes"), ("retained", "bytes"))
_DEFAULT = "bytes"

#: largest value: an int64; damaged maps may say that they have more
_MOST = (1 << 63) - 1

# fields of Profile, Sample, ValueType, Location, Line and Function
_SAMPLE_TYPE, _SAMPLE, _LOCATION, _FUNCTION, _STRINGS, _TIME, _DEFAULT_TYPE = 1, 2, 4, 5, 6, 9, 14


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _packed(field: int, values: Iterable[int]) -> bytes:
    return _bytes(field, b"".join(map(_varint, values)))


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
            pair = _number(1, self._string(name)) + _number(2, self._string(unit))
            body += _bytes(_SAMPLE_TYPE, pair)
        for stack, values in self._samples.items():
            body += _bytes(_SAMPLE, _packed(1, stack) + _packed(2, values))
        for name, number in self._functions.items():
            # a location for each function, of the same number
            line = _bytes(4, _number(1, number))
            body += _bytes(_LOCATION, _number(1, number) + line)
        for name, number in self._functions.items():
            text = _number(2, self._string(name)) + _number(3, self._string(name))
            body += _bytes(_FUNCTION, _number(1, number) + text)
        default = self._string(_DEFAULT)
        for string in self._strings:
            body += _bytes(_STRINGS, string.encode("utf-8", "replace"))
        if self._nanoseconds:
            body += _number(_TIME, self._nanoseconds)
        body += _number(_DEFAULT_TYPE, default)
        out = io.BytesIO()
        with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as file:
            file.write(bytes(body))
        return out.getvalue()
