#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Damage to stopped programs, and what every command must do all the same.

An image is one of the programs of scenes.py with one to eight damages: flipped bits, wrong bytes,
words that lead somewhere else, runs of them. A few commands look at it. Each must end with its
result or with one line of error, read no more than `allowed` says, and print nothing that a
terminal or a JSON reader would stumble over.

    tests/core/fuzz.py --images 1000000 [--seed N] [--jobs N] [--memory] [--scene TEXT]

runs as many images as named, or until Ctrl-C, and prints counts by flavour and by outcome, the
most bytes that a command has read and, with --memory, the most memory that one has taken (that is
twenty times as slow). What fails is made as small as it can be and printed: `--repeat` with it does
it again. The short form is test_fuzz.py.
"""

import argparse
import json
import multiprocessing
import random
import signal
import sys
import time
import traceback
import tracemalloc
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, NoReturn, Optional, Sequence, Tuple

if __name__ == "__main__":
    _ROOT = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(_ROOT / "core"), str(_ROOT / "tests" / "support")]

from host import FakeHost  # noqa: E402
from image import HEAP, NOWHERE, FakeFrame, number  # noqa: E402
from mapscope.program import memory  # noqa: E402
from mapscope.classic import tally as tally_module  # noqa: E402
from mapscope.classic import walker  # noqa: E402
from mapscope.classic.walker import FIRST_CHUNK  # noqa: E402
from mapscope.commands import SUMMARIES, load  # noqa: E402
from mapscope.commands.base import Command, split_words  # noqa: E402
from mapscope.errors import MapscopeError  # noqa: E402

from mapscope.program.memory import CHUNK, MAX_BYTES  # noqa: E402
from mapscope.session import Session  # noqa: E402
from scenes import CODE, STACK, Scene, all_scenes  # noqa: E402
from mapscope.commands.base import Context

#: (which place, where in it, what): any three numbers are a damage
Damage = Tuple[int, int, int]

#: characters of an error, and of all that a command prints of images of a few hundred KiB
LONGEST_ERROR, LONGEST_OUTPUT = 1 << 12, 1 << 22
#: processor seconds after which a command counts as hanging, in the long form
_HANGING = 20
#: memory._MANY as it is
MANY = int(getattr(memory, "_MANY"))
#: commands that an image is shown to
_LOOKS = 2

_BYTES = (0, 1, 2, 3, 4, 5, 8, 9, 15, 16, 43, 44, 63, 64, 127, 128, 200, 254, 255)
_WORDS: Tuple[int, ...] = (
    0,
    1,
    2,
    3,
    7,
    8,
    1 << 16,
    1 << 20,
    1 << 24,
    1 << 26,
    (1 << 26) + 1,
    1 << 31,
)
_WORDS += ((1 << 32) - 1, 1 << 40, (1 << 47) - 8, 1 << 47, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
_WORDS += (NOWHERE, HEAP, HEAP + 4, 16, 4096, 0xDEADBEEFDEADBEEF)


def allowed(mapped: int) -> Tuple[int, int]:
    """(bytes, reads) that one command may take of a program with so much memory; as
    docs/commands.md, "Errors", promises."""
    return 16 * mapped + (4 << 20), 4096


class Failure(AssertionError):
    """A command did what none may do."""


class _TooMuch(BaseException):
    """Raised where a command reads on and on; no command catches it."""


class Arena:
    """A scene whose memory can be damaged, and is as it was afterwards.

    :ivar taken: bytes read since reset(), and `reads` how often
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.image = image = scene.image
        self._old: List[Tuple[int, bytes]] = []
        self._plain_read, self._plain_write = image.read, image.write
        setattr(image, "read", self._read)
        setattr(image, "write", self._write)
        self.taken = self.reads = 0
        self._most, self._most_reads = allowed(scene.mapped)
        starts = [address for _, address, _ in scene.places]
        self._words = _WORDS + tuple(dict.fromkeys(starts)) + (scene.address, CODE, STACK)
        self.frames = list(scene.target.frames)
        labels: Dict[str, List[Tuple[int, int]]] = {}
        for label, address, size in scene.places:
            labels.setdefault(label, []).append((address, size))
        self._places = list(labels.values())

    def _read(self, address: int, size: int) -> bytes:
        self.reads += 1
        if size > MAX_BYTES:
            raise _TooMuch(f"{size} bytes at once")
        if self.reads > self._most_reads:
            raise _TooMuch(f"{self.taken} bytes in {self.reads} reads")
        found = self._plain_read(address, size)
        self.taken += size
        if self.taken > self._most:
            raise _TooMuch(f"{self.taken} bytes in {self.reads} reads")
        return found

    def _write(self, address: int, data: bytes) -> None:
        self._old.append((address, self._plain_read(address, len(data))))
        self._plain_write(address, data)

    def damage(self, damages: Sequence[Damage]) -> None:
        """Do it; reset() takes it back."""
        for place, where, what in damages:
            regions = self._places[place % len(self._places)]
            address, size = regions[place // len(self._places) % len(regions)]
            at = address + where % size
            kind, more = what % 16, what >> 4
            if kind < 4:
                self._write(at, bytes([self._plain_read(at, 1)[0] ^ 1 << more % 8]))
            elif kind < 7:
                self._write(at, bytes([_BYTES[more % len(_BYTES)]]))
            elif kind == 15:
                chance = random.Random(what)
                for word in range(at & ~7, min(at + 64, address + size - 7), 8):
                    self._write(word, self._word(chance.getrandbits(30)).to_bytes(8, "little"))
            else:
                width = 4 if kind == 14 else 8
                at &= -width
                value = self._word(more) & (1 << 8 * width) - 1
                try:
                    self._write(at, value.to_bytes(width, "little"))
                except MapscopeError:
                    pass  # beyond its end

    def _word(self, choice: int) -> int:
        word = self._words[choice % len(self._words)]
        delta = (0, 0, 0, 0, 1, 4, 8, -8)[choice // len(self._words) % 8]
        return word + delta & (1 << 64) - 1

    def reset(self) -> None:
        """Memory as it was before."""
        for address, data in reversed(self._old):
            self._plain_write(address, data)
        self._old.clear()

    def begin(self) -> None:
        """A command begins."""
        self.taken = self.reads = 0


@dataclass(frozen=True)
class Look:
    """A command line, its words read already."""

    name: str
    line: str
    command: Command
    args: argparse.Namespace


def _lines(scene: Scene) -> Iterator[Tuple[str, str]]:
    """(command, line) of every command of the table, by every way to name the map."""
    address, key = hex(scene.address), f"'{scene.key}'"
    maps = (
        ["m", address]
        + ([""] if scene.target.frames else [])
        + ([f"{address} --type {scene.type}"] if scene.type else [])
    )
    for name in SUMMARIES:
        if name in ("list", "stop", "writers"):
            yield name, ""
        elif name == "probes":  # of a file, and of no program
            yield name, "/dev/null"
        elif name == "heap":
            yield from ((name, line) for line in ("", "--by owner", "--no-owners --sort wasted"))
        elif name == "break":
            for event in ("grow", "evacuate", "done", "assign", "delete", "clear", "race"):
                yield from ((name, f"{event} {map} --ignore 0") for map in maps)
            yield name, "progress 50% m"
            yield name, "evacuate m --bucket 1 --log"
            yield name, f"assign m --key {key} --once"
        elif name == "trace":
            yield from ((name, f"on {map}") for map in maps)
        else:
            more = {
                "entries": ("", "--where", "--limit 0 --match 1", "--offset 5 --limit 3"),
                "bucket": ("0", "1 --old", "7"),
                "find": (key, "4711"),
                "watch": (f"{key} --part 0:1", f"{key} --log"),
                "history": ("", "--life --last 2"),
                "report": ("-o /dev/null",),
            }.get(name, ("",))
            yield from ((name, f"{map} {words}") for map in maps for words in more if map or words)


def looks(scene: Scene) -> List[List[Look]]:
    """The commands that a scene is shown to, as text and as JSON: a list for each command."""
    result: Dict[str, List[Look]] = {}
    for name, line in _lines(scene):
        command = load(name)
        for json_option in ("", "--json "):
            words = json_option + line
            try:
                args = command.parser().read(split_words(words))
            except MapscopeError:
                continue
            result.setdefault(name, []).append(Look(name, words.strip(), command, args))
    return list(result.values())


#: of a command that prints another's rows
_SCHEMAS = {"watch": "break"}


def _no_constants(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def check_text(text: str, what: str = "text") -> None:
    """:raises Failure: if a terminal would do anything with it but show it, line by line"""
    for line in text.split("\n"):
        if not line.isprintable():
            raise Failure(f"{what} with what cannot be printed: {line!r}")


def check_json(text: str, schema: str) -> None:
    """:raises Failure: if it is no JSON, or of another schema"""
    rows = text.split("\n")
    if rows.pop():
        raise Failure("JSON without an end of line")
    if not text.isascii():
        raise Failure(f"JSON that is not ASCII: {text!r}")
    try:
        forms = [json.loads(row, parse_constant=_no_constants) for row in rows]
    except ValueError as error:
        raise Failure(f"no JSON: {error}: {text[:200]!r}") from None
    if not forms or forms[0].get("schema") != schema:
        raise Failure(f"schema of {rows[:1]}, {schema} expected")


def check_error(error: MapscopeError) -> None:
    """:raises Failure: if it is not one line that can be printed"""
    message = str(error)
    if not message or not message.isprintable() or len(message) > LONGEST_ERROR:
        raise Failure(f"an error of {len(message)} characters: {message[:300]!r}")
    if "internal error" in message:
        raise Failure(message)


def look(arena: Arena, it: Look) -> str:
    """Run one command, and what follows it.

    :return: the outcome: "result", or the class of the error
    :raises Failure: if it does what none may do
    """
    arena.begin()
    try:
        return _look(arena, it)
    except Failure:
        raise
    except _TooMuch as error:
        raise Failure(f"reads {error}, of {arena.scene.mapped} that there are") from None
    except BaseException as error:
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__)[-6:])
        raise Failure(f"{type(error).__name__}: {error}\n{trace}") from error


def _look(arena: Arena, it: Look) -> str:
    target = arena.scene.target
    host = None
    if it.name in ("break", "trace", "watch"):
        host = FakeHost(target, set())
        host.functions = dict(arena.scene.functions)
    try:
        if host is None and target.stop_list is None:
            target.stops()
        _print(it, target)
        if host is None:
            return "result"
        check_text("\n".join(host.said))
        for _ in range(2):
            arena.begin()
            _run_on(arena.scene, host)
        check_text("\n".join(host.said + host.stopped))
        for words in ("", "--json"):
            current = _ready("stop", words)
            if host.stops.current is not None:
                arena.begin()
                _print(current, target)
        return "result"
    except MapscopeError as error:
        check_error(error)
        return type(error).__name__
    finally:
        target.stop_list = None
        target.image.after_store = None
        target.frames[:] = arena.frames


_READY: Dict[Tuple[str, str], Look] = {}


def _ready(name: str, words: str) -> Look:
    if (name, words) not in _READY:
        command = load(name)
        _READY[name, words] = Look(name, words, command, command.parser().read(split_words(words)))
    return _READY[name, words]


def _print(it: Look, target: Any) -> None:
    """One command, and what it prints."""
    result = it.command.run(Context(Session(target), target.stops), it.args)
    length, pieces = 0, []
    for piece in result.json() if it.args.json else result.text():
        length += len(piece)
        if length > LONGEST_OUTPUT:
            raise Failure(f"more than {LONGEST_OUTPUT} characters")
        pieces.append(piece)
    text = "".join(pieces)
    if it.args.json:
        check_json(text, f"mapscope.{_SCHEMAS.get(it.name, it.name)}/1")
    else:
        check_text(text)


def _run_on(scene: Scene, host: FakeHost) -> None:
    """The program runs into what was set: the runtime's hook, or functions of Go's."""
    stopped: List[str] = []
    for point in list(host.points):
        address, size = point.place
        registers = {"rip": address, "rdi": scene.event, "rax": scene.maptype, "r14": scene.address}
        registers.update(rbx=scene.address, rcx=1)
        if "swiss" in scene.flavour:
            registers.update(rax=scene.address, rbx=scene.maptype, rcx=scene.address)
        if size == 0:
            frame = FakeFrame(
                1, next((f for f, at in scene.functions.items() if at == address), "")
            )
            frame.variables = {"h": number(scene.address), "t": number(scene.maptype)}
            scene.target.frames.insert(0, frame)
        try:
            host._hit([point], registers, CODE + 2048)
        except MapscopeError as error:
            check_error(error)  # as the adapters do: said, and the program runs on
        if size == 0:
            scene.target.frames.remove(frame)
    stopped += host.stops.halted()
    check_text("\n".join(stopped))


# --- one image, many images ---


@dataclass
class Tally:
    """What many images came to."""

    images: int = 0
    commands: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    flavours: Counter[str] = field(default_factory=Counter)
    most: Dict[str, Tuple[int, str]] = field(default_factory=dict)
    failures: List[str] = field(default_factory=list)

    def seen(self, what: str, amount: int, where: str) -> None:
        """Keep the largest."""
        if amount > self.most.get(what, (0, ""))[0]:
            self.most[what] = (amount, where)

    def add(self, other: "Tally") -> None:
        """Another process's."""
        self.images += other.images
        self.commands += other.commands
        self.outcomes.update(other.outcomes)
        self.flavours.update(other.flavours)
        for what, (amount, where) in other.most.items():
            self.seen(what, amount, where)
        self.failures += other.failures


def _in_pieces(small: bool) -> None:
    """Have walks read a few buckets at a time, and many small pieces in a sweep, so that small
    maps are read as millions of entries are; or not."""
    chunk = 1024 if small else CHUNK
    setattr(walker, "CHUNK", chunk)
    setattr(tally_module, "CHUNK", chunk)
    setattr(memory, "CHUNK", chunk)
    setattr(walker, "FIRST_CHUNK", 2 if small else FIRST_CHUNK)
    setattr(memory, "_MANY", 8 if small else MANY)


class Fuzzer:
    """Scenes made once, damaged again and again."""

    def __init__(self, only: str = "", measure: bool = False) -> None:
        self.arenas = [Arena(scene) for scene in all_scenes() if only in scene.name]
        self.looks = [looks(arena.scene) for arena in self.arenas]
        self.tally = Tally()
        self._memory = measure

    def image(
        self, scene: int, damages: Sequence[Damage], chosen: Sequence[Tuple[int, int]]
    ) -> None:
        """Look at one image.

        :param chosen: which command, and which of its lines
        :raises Failure: if a command fails
        """
        arena, commands = self.arenas[scene], self.looks[scene]
        tally = self.tally
        tally.images += 1
        _in_pieces(bool(damages) and damages[0][0] >> 29 == 1)
        tally.flavours[arena.scene.flavour] += 1
        try:
            arena.damage(damages)
            for which, line in chosen:
                lines = commands[which % len(commands)]
                it = lines[line % len(lines)]
                tally.commands += 1
                if self._memory:
                    tracemalloc.reset_peak()
                    before = tracemalloc.get_traced_memory()[0]
                tally.outcomes[look(arena, it)] += 1
                where = f"{arena.scene.name}: map {it.name} {it.line}"
                if self._memory:
                    tally.seen("memory", tracemalloc.get_traced_memory()[1] - before, where)
                tally.seen("bytes read", arena.taken, where)
                tally.seen("reads", arena.reads, where)
                tally.seen("bytes read / bytes mapped", arena.taken // arena.scene.mapped, where)
        finally:
            arena.reset()
            _in_pieces(False)

    def run(self, images: int, seed: int) -> Tally:
        """So many images, drawn from a seed; stops at some failures."""
        bits = random.Random(seed).getrandbits
        signal.signal(signal.SIGVTALRM, _hangs)
        for _ in range(images):
            scene = bits(30) % len(self.arenas)
            damages = [(bits(30), bits(30), bits(30)) for _ in range(1 + bits(8) % (1 + bits(3)))]
            chosen = [(bits(30), bits(30)) for _ in range(_LOOKS)]
            signal.setitimer(signal.ITIMER_VIRTUAL, _HANGING)
            try:
                self.image(scene, damages, chosen)
            except Failure as failure:
                self.tally.failures.append(self.told(scene, damages, chosen, failure))
                if len(self.tally.failures) >= 5:
                    break
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        return self.tally

    def fails(
        self, scene: int, damages: Sequence[Damage], chosen: Sequence[Tuple[int, int]]
    ) -> Optional[Failure]:
        """The failure of an image, if it has one."""
        try:
            self.image(scene, damages, chosen)
        except Failure as failure:
            return failure
        return None

    def told(
        self,
        scene: int,
        damages: List[Damage],
        chosen: List[Tuple[int, int]],
        failure: Failure,
    ) -> str:
        """What failed, as small as it can be made by leaving damages and commands out."""
        for part in list(chosen):
            fewer = [other for other in chosen if other is not part]
            smaller = self.fails(scene, damages, fewer)
            if smaller is not None:
                chosen, failure = fewer, smaller
        for damage in list(damages):
            less = [other for other in damages if other is not damage]
            smaller = self.fails(scene, less, chosen)
            if smaller is not None:
                damages, failure = less, smaller
        arena, commands = self.arenas[scene], self.looks[scene]
        lines = [commands[which % len(commands)] for which, _ in chosen]
        words = [
            f"map {of[n % len(of)].name} {of[n % len(of)].line}"
            for of, (_, n) in zip(lines, chosen)
        ]
        again = json.dumps([arena.scene.name, damages, chosen])
        return f"{arena.scene.name}: {'; '.join(words)}\n--repeat '{again}'\n{failure}\n"


def _hangs(*_: object) -> None:
    raise _TooMuch(f"for more than {_HANGING} s of the processor")


#: of this process, once it has one: its programs are made once
_fuzzers: List[Fuzzer] = []


def _worker(work: Tuple[int, int, str, bool]) -> Tally:
    images, seed, only, measure = work
    if not _fuzzers:
        _fuzzers.append(Fuzzer(only, measure))
        if measure:
            tracemalloc.start()
    _fuzzers[0].tally = Tally()
    return _fuzzers[0].run(images, seed)


def _without_interrupts() -> None:
    """Ctrl-C is for the process that prints."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _main() -> int:
    parser = argparse.ArgumentParser(description="See this script's first lines.")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--scene", default="", help="only programs with this in their name")
    parser.add_argument("--memory", action="store_true", help="measure memory, too")
    parser.add_argument("--repeat", metavar="JSON", help="one image, as a failure names it")
    args = parser.parse_args()
    if args.repeat:
        name, damages, chosen = json.loads(args.repeat)
        fuzzer = Fuzzer(name)
        failure = fuzzer.fails(0, damages, chosen)
        print(failure or dict(fuzzer.tally.outcomes))
        return 1 if failure else 0
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where it runs in the background
    started = time.perf_counter()
    each = min(5_000, -(-args.images // args.jobs))
    work = [
        (min(each, args.images - first), args.seed * 1_000_000_007 + first, args.scene, args.memory)
        for first in range(0, args.images, each)
    ]
    tally = Tally()
    with multiprocessing.Pool(args.jobs, _without_interrupts) as pool:
        try:
            for part in pool.imap_unordered(_worker, work):
                tally.add(part)
                if len(tally.failures) >= 20:
                    break
        except KeyboardInterrupt:
            pass  # what there is until now
        pool.terminate()
    seconds = time.perf_counter() - started
    rate = tally.images / seconds / args.jobs
    print(
        f"{tally.images} images, {tally.commands} commands, seed {args.seed}, in {seconds:.0f} s: "
        f"{rate:.0f} images a second for each of {args.jobs} processes"
    )
    for title, counts in (("flavours", tally.flavours), ("outcomes", tally.outcomes)):
        print(f"{title}: " + ", ".join(f"{name} {n}" for name, n in counts.most_common()))
    for what, (amount, where) in sorted(tally.most.items()):
        print(f"most {what}: {amount} ({where})")
    for number_, told in enumerate(tally.failures, 1):
        print(f"\nfailure {number_}: {told}")
    print(f"{len(tally.failures)} failures")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(_main())
