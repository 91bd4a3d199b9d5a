# SPDX-License-Identifier: MIT
"""Python values <-> the bytes that a program keeps of them."""

import struct
from abc import ABC, abstractmethod
from typing import Any, Union

from image import Image
from mapscope.program.types import Field, Kind, Type

#: what the models' keys and values are; also what JSON gives back
Value = Union[int, str, float]


class Codec(ABC):
    """How one type lies in memory.

    :ivar type: as a debugger would describe it
    :ivar zero: what zero bytes decode to
    :ivar pointers: whether it holds pointers (Go clears old cells only then)
    """

    type: Type
    align = 8
    zero: Value = 0
    pointers = False

    @property
    def size(self) -> int:
        """Bytes of the value itself."""
        return self.type.size

    @abstractmethod
    def encode(self, image: Image, value: Value, address: int) -> bytes:
        """The value's bytes for its place at `address`."""

    @abstractmethod
    def decode(self, image: Image, data: bytes) -> Any:
        """The value of these bytes."""

    def relocate(self, data: bytes, source: int, target: int) -> bytes:
        """The bytes after a move."""
        return data


class Int(Codec):
    """An integer, or a struct of one and padding where `size` is more than 8."""

    def __init__(self, size: int = 8, signed: bool = False, name: str = "") -> None:
        self.signed = signed
        kind = Kind.INT if signed else Kind.UINT
        self.type = Type(kind, name or f"{kind.value}{8 * size}", size)
        self.align = size

    def encode(self, image: Image, value: Value, address: int) -> bytes:
        return int(value).to_bytes(self.size, "little", signed=self.signed)

    def decode(self, image: Image, data: bytes) -> int:
        return int.from_bytes(data, "little", signed=self.signed)


class Double(Codec):
    """A 64-bit float."""

    def __init__(self, name: str = "double") -> None:
        self.type = Type(Kind.FLOAT, name, 8)

    def encode(self, image: Image, value: Value, address: int) -> bytes:
        return struct.pack("<d", value)

    def decode(self, image: Image, data: bytes) -> float:
        value: float = struct.unpack("<d", data)[0]
        return value


class Text(Codec):
    """Go's string: data pointer and length."""

    zero = ""
    pointers = True

    def __init__(self) -> None:
        self.type = Type(Kind.STRING, "string", 16, data_offset=0, len_offset=8)

    def encode(self, image: Image, value: Value, address: int) -> bytes:
        raw = str(value).encode()
        return struct.pack("<QQ", image.place(raw, 1) if raw else 0, len(raw))

    def decode(self, image: Image, data: bytes) -> str:
        start, length = struct.unpack_from("<QQ", data)
        return image.read(start, length).decode() if length else ""


class StdString(Codec):
    """libstdc++'s std::string: short texts lie in the object itself."""

    zero = ""

    def __init__(self) -> None:
        self.type = Type(Kind.STRING, "std::string", 32, data_offset=0, len_offset=8)

    def encode(self, image: Image, value: Value, address: int) -> bytes:
        raw = str(value).encode()
        if len(raw) <= 15:
            return struct.pack("<QQ16s", address + 16, len(raw), raw)
        return struct.pack("<QQQQ", image.place(raw + b"\0", 1), len(raw), len(raw), 0)

    def decode(self, image: Image, data: bytes) -> str:
        start, length = struct.unpack_from("<QQ", data)
        return image.read(start, length).decode()

    def relocate(self, data: bytes, source: int, target: int) -> bytes:
        if struct.unpack_from("<Q", data)[0] == source + 16:
            return struct.pack("<Q", target + 16) + data[8:]
        return data


class Block(Codec):
    """A number in front of a large struct: over 128 bytes, so stored indirectly."""

    def __init__(self, size: int) -> None:
        first = Type(Kind.UINT, "uint64", 8)
        self.type = Type(Kind.STRUCT, f"block{size}", size, (Field("N", 0, first),))

    def encode(self, image: Image, value: Value, address: int) -> bytes:
        return int(value).to_bytes(8, "little") + b"\xaa" * (self.size - 8)

    def decode(self, image: Image, data: bytes) -> int:
        return int.from_bytes(data[:8], "little")
