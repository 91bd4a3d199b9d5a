# SPDX-License-Identifier: MIT
"""A live process of this machine, stopped while it is read, without a debugger.

Stopped by ptrace and not by a signal: the kernel lets go of whatever a tracer has stopped when
that ends, however it ends. Facts: ptrace(2) (PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_EVENT_STOP,
PTRACE_GETREGSET), proc(5); Documentation/admin-guide/LSM/Yama.rst of Linux.
"""

import ctypes
import errno
import os
import re
import struct
import time
from typing import Dict, Iterator, List, Tuple

from ..errors import MemoryUnreadable, NeedsProcess
from .core_memory import registers_of
from .loaded_files import Mapping
from .process_memory import ProcessMemory, why_refused

_DETACH, _GETREGSET, _SEIZE, _INTERRUPT = 17, 0x4204, 0x4206, 0x4207
_WALL = 0x40000000
_EVENT_STOP = 128
_NT_PRSTATUS = 1
#: seconds in which a thread must stop
_PATIENCE = 10
_AT_PHDR, _AT_SYSINFO_EHDR = 3, 33
#: rounds in which new threads are looked for, and mappings that are taken, at most
_ROUNDS, _MOST_FILES = 64, 1 << 18
#: "7f00-7f01 r--p 00001000 08:01 12345   /lib/x.so"
_LINE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ (\d+)\s+(/.*)$")


class _Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class TracedProcess:
    """A process of this machine; close() it, and it goes on.

    :ivar threads: the kernel's ids, the first thread's first, and registers, which are known
        only of those that are stopped
    :ivar shared: where the kernel has put its own code for the process; 0: not known
    :param stop: whether it is stopped
    :raises NeedsProcess: if there is none, or it may not be looked at
    """

    def __init__(self, pid: int, stop: bool) -> None:
        self.pid = pid
        #: stopped threads, and the signal that each still has to be given
        self._stopped: Dict[int, int] = {}
        self.threads: List[Tuple[int, Dict[str, int]]] = []
        if not os.path.isdir(f"/proc/{pid}"):
            raise NeedsProcess(f"no process {pid} on this machine")
        if not _is_running(pid, pid) and not self._tasks():
            raise NeedsProcess(f"process {pid} has ended and has no memory any more")
        try:
            self._memory = ProcessMemory(pid)
        except OSError as error:
            if not _status(pid, pid).get("VmSize"):
                raise NeedsProcess(f"process {pid} is the kernel's and has no memory") from None
            raise self._refused(error) from None
        self.read = self._memory.read
        try:
            if stop:
                self._stop()
            for task in self._tasks():
                registers = self._registers(task) if task in self._stopped else {}
                self.threads.append((task, registers))
            auxiliary = self._auxiliary()
            self.headers = auxiliary.get(_AT_PHDR, 0)
            self.shared = auxiliary.get(_AT_SYSINFO_EHDR, 0)
            self.mappings = sorted(self._mapped(), key=lambda mapping: mapping.start)
        except BaseException:
            self.close()
            raise

    def _tasks(self) -> List[int]:
        """Threads that have not ended, the first one first."""
        try:
            found = sorted(int(name) for name in os.listdir(f"/proc/{self.pid}/task"))
        except OSError:
            return []
        return [task for task in found if _is_running(self.pid, task)]

    def _refused(self, error: OSError) -> NeedsProcess:
        tracer = _status(self.pid, self.pid).get("TracerPid", "0")
        if tracer != "0":
            return NeedsProcess(
                f"process {self.pid} is traced by process {tracer}: use the commands there if that "
                "is a debugger, or --no-stop"
            )
        what = why_refused(error)
        return NeedsProcess(
            f"process {self.pid} may not be looked at: {what}; be its user or root, and have "
            "the capability SYS_PTRACE where ptrace_scope or a container asks for it"
        )

    # --- stopping ---

    def _stop(self) -> None:
        """Stop all threads, also those that are made meanwhile."""
        for _ in range(_ROUNDS):
            new = [task for task in self._tasks() if task not in self._stopped]
            if not new:
                return
            for task in new:
                try:
                    _ptrace(_SEIZE, task, 0, 0)
                except OSError as error:
                    if error.errno == errno.ESRCH or not _is_running(self.pid, task):
                        continue  # it has ended
                    raise self._refused(error) from None
                self._stopped[task] = 0
                try:
                    _ptrace(_INTERRUPT, task, 0, 0)
                    self._wait(task)
                except (OSError, ChildProcessError):
                    self._stopped.pop(task, None)
        raise NeedsProcess(f"process {self.pid} makes threads faster than they can be stopped")

    def _wait(self, task: int) -> None:
        end, pause = time.monotonic() + _PATIENCE, 0.0001
        found, status = os.waitpid(task, _WALL | os.WNOHANG)
        while not found:
            if time.monotonic() > end:
                state = _status(self.pid, task).get("State", "?")
                raise NeedsProcess(
                    f"thread {task} of process {self.pid} did not stop within {_PATIENCE} seconds "
                    f"(state {state}): it waits in the kernel; try again, or use --no-stop"
                )
            time.sleep(pause)
            pause = min(2 * pause, 0.01)
            found, status = os.waitpid(task, _WALL | os.WNOHANG)
        if not os.WIFSTOPPED(status):
            del self._stopped[task]  # it has ended
        elif status >> 16 != _EVENT_STOP:
            # it has stopped for a signal, which it gets when it goes on
            self._stopped[task] = os.WSTOPSIG(status)

    @property
    def is_stopped(self) -> bool:
        """Whether it is stopped."""
        return bool(self._stopped)

    def _registers(self, task: int) -> Dict[str, int]:
        buffer = ctypes.create_string_buffer(512)
        vector = _Vector(ctypes.cast(buffer, ctypes.c_void_p).value, len(buffer))
        try:
            _ptrace(_GETREGSET, task, _NT_PRSTATUS, ctypes.addressof(vector))
        except OSError:
            return {}
        return registers_of(buffer.raw[: vector.length])

    def close(self) -> None:
        """Let it go on."""
        while self._stopped:
            task, signal = self._stopped.popitem()
            try:
                _ptrace(_DETACH, task, 0, signal)
            except OSError:
                continue
        self._memory.close()

    # --- what is where ---

    def some(self, address: int, size: int) -> bytes:
        """Memory, or nothing."""
        try:
            return bytes(self.read(address, size))
        except MemoryUnreadable:
            return b""

    def _auxiliary(self) -> Dict[int, int]:
        """The auxiliary vector; empty: not known."""
        try:
            with open(f"/proc/{self.pid}/auxv", "rb") as file:
                raw = file.read(1 << 16)
        except OSError:
            return {}
        pairs = struct.iter_unpack("<QQ", raw[: len(raw) & ~15])
        return {int(key): int(value) for key, value in pairs}

    def _mapped(self) -> Iterator[Mapping]:
        try:
            with open(f"/proc/{self.pid}/maps", encoding="utf-8", errors="surrogateescape") as file:
                for _, line in zip(range(_MOST_FILES), file):
                    match = _LINE.match(line.rstrip("\n"))
                    if match:
                        start, end, offset = (int(match[group], 16) for group in (1, 2, 3))
                        yield Mapping(start, end, offset, match[5])
        except OSError as error:
            raise self._refused(error) from None

    def program(self) -> str:
        """A path of the program's file, also where another was put in its place."""
        return f"/proc/{self.pid}/exe"

    def locate(self, mapping: Mapping) -> str:
        """Where the file of a mapping can be read: the process may see other files by the same
        names."""
        own = f"/proc/{self.pid}/map_files/{mapping.start:x}-{mapping.end:x}"
        for path in (own, f"/proc/{self.pid}/root{mapping.path}"):
            if os.access(path, os.R_OK):
                return path
        return mapping.path


def _status(pid: int, task: int) -> Dict[str, str]:
    try:
        with open(f"/proc/{pid}/task/{task}/status", encoding="utf-8", errors="replace") as file:
            pairs = (line.partition(":") for line in file)
            return {name: value.strip() for name, _, value in pairs}
    except OSError:
        return {}


def _is_running(pid: int, task: int) -> bool:
    """Whether a thread has not ended."""
    return _status(pid, task).get("State", "X")[:1] not in ("X", "Z", "")


def _ptrace(request: int, task: int, address: int, data: int) -> None:
    """:raises OSError: if the kernel refuses"""
    call = ctypes.CDLL(None, use_errno=True).ptrace
    call.restype = ctypes.c_long
    call.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    if call(request, task, address, data) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
