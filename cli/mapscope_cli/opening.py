# SPDX-License-Identifier: MIT
"""Opens what is to be looked at: a core file, also a compressed one, or a live process."""

import contextlib
import gzip
import importlib
import os
import shutil
import tempfile
import zlib
from typing import Any, Callable, Iterator, Optional

from mapscope.errors import MapscopeError, NeedsProcess, UsageError
from mapscope.program.core_memory import CoreMemory
from mapscope.program.elf_file import ElfFile
from mapscope.program.loaded_files import Found, load
from mapscope.program.process_memory import why_refused
from mapscope.program.traced_process import TracedProcess
from mapscope.program.values import named
from .target import FileTarget

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"

#: shows a line to the user
Say = Callable[[str], None]


@contextlib.contextmanager
def opened_core(program: str, path: str, thread: Optional[int], say: Say) -> Iterator[FileTarget]:
    """A core file's target.

    :param thread: the one that is looked at; None: the one that the process died of
    :raises MapscopeError: if program or core cannot be used
    """
    with _unpacked(path, say) as plain:
        try:
            core = CoreMemory(plain)
        except OSError as error:
            raise MapscopeError(_cannot(path, error)) from None
        except ValueError:
            raise MapscopeError(f"{named(path)} is no core file of x86-64") from None
        try:
            if core.whole > core.length:
                say(
                    f"{named(path)} was cut: it has {core.length} of {core.whole} bytes, and what "
                    "was in the others is not known"
                )
            found = _files(
                program,
                lambda: load(
                    program, core.mappings, core.headers, core.some, lambda mapping: mapping.path
                ),
            )
            if found.program is None:
                raise MapscopeError(
                    f"cannot tell where {named(program)} was in the memory of {named(path)}: is "
                    "the core of this program?"
                )
            core.use(found.files)
            for doubt in found.doubts:
                say(doubt)
            _require_thread(thread, len(core.threads))
            wrong = core.core.misfit(program)
            if found.another and not wrong:
                raise MapscopeError(
                    f"{named(path)} is the core of another program than {named(program)}"
                )
            yield FileTarget(core, found, thread or 1, wrong)
        finally:
            core.close()


@contextlib.contextmanager
def opened_process(
    pid: int, program: Optional[str], stop: bool, thread: Optional[int], say: Say
) -> Iterator[FileTarget]:
    """A live process's target; the process goes on when it is left.

    :param program: its file; None: as the kernel has it
    :param thread: the one that is looked at; None: the first
    :raises MapscopeError: if it cannot be looked at
    """
    process = TracedProcess(pid, stop)
    try:
        path = program or process.program()
        found = _files(
            path,
            lambda: load(path, process.mappings, process.headers, process.some, process.locate),
        )
        if found.program is None:
            raise NeedsProcess(f"cannot tell where {named(path)} is in the memory of {pid}")
        if found.another:
            raise NeedsProcess(f"process {pid} runs another program than {named(path)}")
        for doubt in found.doubts:
            say(doubt)
        _require_thread(thread, len(process.threads))
        yield FileTarget(process, found, thread or 1, "", not stop)
    finally:
        process.close()


def _require_thread(thread: Optional[int], count: int) -> None:
    if thread is not None and not 1 <= thread <= count:
        raise UsageError(f"no thread {thread}: there are 1 to {count}")


def _files(program: str, find: Callable[[], Found]) -> Found:
    """The files of a process; the program must be one that can be read.

    :raises MapscopeError: if it is none
    """
    try:
        file = ElfFile(program)
        kind = file.type
        file.close()
        if kind not in (2, 3):
            raise MapscopeError(f"{named(program)} is no program of x86-64 (ELF)")
        return find()
    except OSError as error:
        if program.startswith("/proc/"):
            raise NeedsProcess(
                f"{program}: {why_refused(error)}; be the process's user or root, or name its "
                "file by --program"
            ) from None
        raise MapscopeError(_cannot(program, error)) from None


def _cannot(path: str, error: OSError) -> str:
    return f"cannot read {named(path)}: {error.strerror or error}"


@contextlib.contextmanager
def _unpacked(path: str, say: Say) -> Iterator[str]:
    """A file as it is, or unpacked, until it is left."""
    try:
        with open(path, "rb") as file:
            head = file.read(4)
    except OSError as error:
        raise MapscopeError(_cannot(path, error)) from None
    if head[:2] == _GZIP:
        unpack: Any = gzip.open
    elif head == _ZSTD:
        unpack = _zstd()
        if unpack is None:
            raise MapscopeError(
                f"{named(path)} is compressed by zstd, which this Python cannot unpack (3.14 "
                "can): unpack it first, as by zstd -d"
            )
    else:
        yield path
        return
    # in a folder of its own, whose name nobody else can guess
    with tempfile.TemporaryDirectory(prefix="mapscope-") as folder:
        plain = os.path.join(folder, "core")
        try:
            with unpack(path, "rb") as packed, open(plain, "wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)
        except EOFError:
            say(f"{named(path)} was cut: what is behind its end is not known")
        except (zlib.error, gzip.BadGzipFile) as error:
            raise MapscopeError(f"{named(path)} is damaged: {error}") from None
        except OSError as error:
            raise MapscopeError(f"cannot unpack {named(path)}: {error.strerror or error}") from None
        yield plain


def _zstd() -> Any:
    """What opens files of zstd; None: this Python has nothing."""
    try:
        return importlib.import_module("compression.zstd").open
    except ImportError:
        return None
