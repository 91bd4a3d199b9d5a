# SPDX-License-Identifier: MIT
"""A debugger's stops without a debugger: watchpoints fire when the model stores,
breakpoints when it enters or leaves a function of the runtime.

What this knows: Host and the models' hooks. What it must not know: plans.
"""

import contextlib
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple

from image import FakeFrame, FakeTarget
from mapscope.plans.planning import make
from mapscope.errors import MapscopeError
from mapscope.stops.host import Hit, Host, NoWatchpoint, OnHit, Point
from mapscope.stops.all_stops import Stops
from mapscope.program.target import Frame, Target

#: functions "lie" here, one every 4096 bytes
CODE = 0x400000


class FakePoint(Point):
    """One breakpoint or watchpoint.

    :ivar place: (address, size) that it watches; (address, 0): an instruction
    """

    def __init__(self, host: "FakeHost", place: Tuple[int, int], on_hit: OnHit, visible: bool):
        host.last_number += visible
        self.number = host.last_number if visible else None
        self.place = place
        self.on_hit = on_hit
        self.on = True
        self.host = host
        self.value = b""
        host.points.append(self)

    def remove(self) -> None:
        if self in self.host.points:
            self.host.points.remove(self)

    def enable(self, on: bool) -> None:
        self.on = on


class FakeHit(Hit):
    """The one thread of the model."""

    def __init__(self, target: FakeTarget, registers: Dict[str, int], back: int) -> None:
        self.thread = 1
        self._target = target
        self._registers = registers
        self._back = back
        self.number = 0

    def register(self, name: str) -> int:
        if name not in self._registers:
            raise MapscopeError(f"no register {name}")
        return self._registers[name]

    def frames(self) -> Iterator[Frame]:
        return self._target.selected_frames()

    def caller(self) -> Optional[int]:
        return self._back

    def state(self) -> bytes:
        return repr((sorted(self._registers.items()), self._back, self.number)).encode()

    def condition(self, expression: str) -> bool:
        if expression == "broken":
            raise MapscopeError("No symbol")
        return expression == "true"


class FakeHost(Host):
    """Offers `slots` hardware watchpoints, as a processor does: equal ones share one.

    :ivar hits: how often the program was stopped for a point, also if it went on at once
    :ivar stopped: lines of the stops that the user sees
    :ivar said: lines that were shown meanwhile
    """

    def __init__(self, target: FakeTarget, functions: Set[str], slots: int = 4) -> None:
        self._target = target
        self.slots = slots
        self.functions = {name: CODE + 4096 * n for n, name in enumerate(sorted(functions))}
        self.points: List[FakePoint] = []
        self.last_number = 0
        self.process = "live"
        self.program = True
        self.language: Optional[str] = None
        self.hits = 0
        self.said: List[str] = []
        self.stopped: List[str] = []
        self.on_write: Callable[[int], None] = lambda address: None
        self.at_stop: Callable[[], None] = lambda: None
        self.stops = Stops(self, make)
        self._entered: List[Tuple[str, int]] = []
        target.stop_list = self.stops
        target.image.after_store = self._stored

    def compile(self, calls: Dict[str, Iterable[str]]) -> None:
        """Give functions their code: calls of others, in order."""
        for name, callees in calls.items():
            code, start = b"\x90" * 8, self.functions[name]
            for callee in callees:
                distance = self.functions[callee] - (start + len(code) + 5)
                code += b"\xe8" + distance.to_bytes(4, "little", signed=True) + b"\x90"
            self._target.image.map_region(start, code.ljust(4096, b"\xcc"))

    # --- Host ---

    def visible(self, number: int) -> FakePoint:
        """The point that the user sees under a number."""
        return next(point for point in self.points if point.number == number)

    def target(self) -> Target:
        return self._target

    def state(self) -> str:
        return self.process

    def has_program(self) -> bool:
        return self.program

    def here(self) -> Optional[Hit]:
        return FakeHit(self._target, {}, 0)

    def function(self, name: str) -> Optional[int]:
        return self.functions.get(name)

    def function_start(self, address: int) -> Optional[int]:
        starts = (start for start in self.functions.values() if 0 <= address - start < 4096)
        return next(starts, None)

    def breakpoint(self, address: int, on_hit: OnHit, visible: bool) -> Point:
        return FakePoint(self, (address, 0), on_hit, visible)

    def breakpoint_at(self, location: str, on_hit: OnHit) -> Point:
        if location not in self.functions:
            raise MapscopeError(f"--at: no function {location}")
        return FakePoint(self, (self.functions[location], 0), on_hit, True)

    def function_breakpoint(self, name: str, offset: int, on_hit: OnHit, visible: bool) -> Point:
        return FakePoint(self, (self.functions[name], 0), on_hit, visible)

    def watchpoint(self, address: int, size: int, on_hit: OnHit, visible: bool) -> Point:
        used = {point.place for point in self.points if point.place[1]}
        if (address, size) not in used and len(used) >= self.slots:
            raise NoWatchpoint(f"all {self.slots} hardware watchpoints are in use")
        point = FakePoint(self, (address, size), on_hit, visible)
        point.value = self._target.image.read(address, size)
        return point

    def write_memory(self, address: int, data: bytes) -> None:
        self.on_write(address)
        self._target.image.write(address, data)

    def kernel_thread(self, number: int) -> Optional[int]:
        return 1000 if number == 1 else None

    def hides_from_program(self) -> bool:
        return False

    def can_evaluate(self) -> Optional[str]:
        return self.language

    def say(self, line: str) -> None:
        self.said.append(line)

    # --- the program ---

    def _stored(self, address: int) -> None:
        changed = []
        for point in self.points:
            at, size = point.place
            if size and point.on and at - 8 < address < at + size:
                value = self._target.image.read(at, size)
                if value != point.value:
                    point.value = value
                    changed.append(point)
        self._hit(changed, {}, 0)

    @contextlib.contextmanager
    def entered(self, frame: FakeFrame, registers: Dict[str, int]) -> Iterator[None]:
        """The model enters a function of the runtime, and leaves it."""
        start = self.functions.get(frame.function, 0)
        caller = self._entered[-1][1] if self._entered else 0
        back = (start << 20) + caller + 1
        self._entered.append((frame.function, start))
        self._hit_code(start, registers, back)
        yield
        self._entered.pop()
        self._hit_code(back, {}, 0)

    def arrive(self, location: str) -> None:
        """The program reaches a place that a user can name."""
        self._hit_code(self.functions[location], {}, 0)

    def hook(self, address: int, event: int) -> None:
        """The runtime calls its hook."""
        self._hit_code(address, {"rip": address, "rdi": event}, 0)

    def _hit_code(self, address: int, registers: Dict[str, int], back: int) -> None:
        points = [point for point in self.points if point.place == (address, 0) and point.on]
        self._hit(points, registers, back)

    def _hit(self, points: List[FakePoint], registers: Dict[str, int], back: int) -> None:
        if not points:
            return
        hit = FakeHit(self._target, dict(registers, r14=0xC0DE), back)
        hit.number = self.hits
        self.hits += 1
        stop = False
        for point in points:
            if point in self.points and point.on:
                stop = point.on_hit(hit) or stop
        if stop:
            self.stopped += self.stops.halted()
            self.at_stop()
            self.stops.running()


class NoHost(FakeHost):
    """Of a target whose stops no test looks at."""

    def __init__(self, target: FakeTarget) -> None:
        looks = target.image.after_store
        super().__init__(target, set())
        target.image.after_store = looks
