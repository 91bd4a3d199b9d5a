# SPDX-License-Identifier: MIT
"""The library of kernels, loaded by ctypes when it is first needed.

Found where it was installed with this package, or in the newest build of the source tree that this
is. The environment's MAPSCOPE_KERNELS is the path of another, or "off". Where there is none, or one
of another version, everything is done in Python.
"""

import os
from array import array
from typing import Any, Dict, List, Optional, Union

#: what kernels take and give; kernels/abi.cpp has the same
ABI = 4
#: bytes that are worth loading it for
LEAST = 1 << 18
#: the file, without its folder
FILE = "mapscope_kernels.so"

#: numbers, what is read, and what is filled (arrays and byte arrays)
Argument = Union[int, bytes, bytearray, memoryview, "array[int]", None]

_HERE = os.path.dirname(os.path.abspath(__file__))
#: the folder that core, gdb, lldb and cli lie in
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(_HERE)))


class Kernels:
    """The kernels of a library.

    :raises OSError: if it cannot be loaded, or is of another version
    """

    def __init__(self, path: str) -> None:
        # Loading ctypes takes longer than all that is done to a small map.
        import ctypes

        self.path = path
        self._library = ctypes.CDLL(path)
        self._functions: Dict[str, Any] = {}
        self._pointer, self._result = ctypes.c_void_p, ctypes.c_uint64
        self._first, self._address = ctypes.c_char, ctypes.addressof
        try:
            abi = self.call("kernels_abi")
        except AttributeError:
            abi = 0
        if abi != ABI:
            raise OSError(f"{path} has kernels of version {abi}, not {ABI}")
        #: whether the processor computes hashes of AES rounds
        self.has_aes = bool(self.call("has_aes"))

    def call(self, name: str, *arguments: Argument) -> int:
        """The result of a kernel; it has no business with the interpreter, and lets other threads
        have it."""
        function = self._functions.get(name)
        if function is None:
            function = self._functions[name] = getattr(self._library, f"mapscope_{name}")
            # All are 64 bits wide, and Python's number is taken for a pointer as it is.
            function.argtypes = [self._pointer] * len(arguments)
            function.restype = self._result
        held: List[object] = []
        found: int = function(*[self._passed(one, held) for one in arguments])
        return found

    def _passed(self, argument: Argument, held: List[object]) -> Union[int, bytes, None]:
        """An argument as the library takes it.

        :param held: what must live until it is back is added
        """
        if argument is None or isinstance(argument, (int, bytes)):
            return argument
        if not len(argument):
            return None
        if isinstance(argument, array):
            return argument.buffer_info()[0]
        try:
            first = self._first.from_buffer(argument)
        except TypeError:  # it is not to be written to
            whole = getattr(argument, "obj", None)
            if isinstance(whole, bytes) and len(whole) == len(argument):
                return whole
            return bytes(argument)
        held.append(first)
        address: int = self._address(first)
        return address


class _Found:
    """What was found, when it was first looked for."""

    kernels: Optional[Kernels] = None
    looked = False


def kernels_for(size: int) -> Optional[Kernels]:
    """The kernels, for work on so many bytes; None: it is to be done in Python."""
    if not _Found.looked and size >= LEAST:
        _Found.looked = True
        _Found.kernels = load()
    return _Found.kernels


def use(kernels: Optional[Kernels]) -> Optional[Kernels]:
    """Have these used from now on, or none; gives those that were."""
    before, _Found.kernels, _Found.looked = _Found.kernels, kernels, True
    return before


def load() -> Optional[Kernels]:
    """The library that is to be used, loaded; None: there is none that can be."""
    for path in candidates():
        try:
            return Kernels(path)
        except (ImportError, OSError, AttributeError):
            continue
    return None


def candidates() -> List[str]:
    """Paths at which a library may be, the one to be tried first first."""
    wanted = os.environ.get("MAPSCOPE_KERNELS", "")
    if wanted:
        return [] if wanted == "off" else [wanted]
    share = os.path.dirname(_ROOT)
    machine = f"{os.uname().machine}-linux-gnu"
    folders = (os.path.join("lib", machine), "lib64", "lib")
    installed = [os.path.join(os.path.dirname(share), one, "mapscope", FILE) for one in folders]
    if os.path.basename(share) == "share":
        return [path for path in installed if os.path.isfile(path)]
    builds = os.path.join(_ROOT, "build")
    try:
        names = os.listdir(builds)
    except OSError:
        names = []
    built = [os.path.join(builds, name, "kernels", FILE) for name in names]
    return sorted(filter(os.path.isfile, built), key=os.path.getmtime, reverse=True)
