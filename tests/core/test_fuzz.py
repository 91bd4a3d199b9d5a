# SPDX-License-Identifier: MIT
"""Damaged programs: every command ends with a result or one line of error, within bounds. The
short form of fuzz.py, which runs as many as one likes."""

import json
import os
import random
import tracemalloc
from typing import Dict, List, Tuple

import pytest
from fuzz import Damage, Failure, Fuzzer, allowed, check_error, check_json, check_text, look
from hypothesis import given, settings
from hypothesis import strategies as st
from mapscope.commands import SUMMARIES
from mapscope.errors import LONGEST, MapscopeError

#: any three numbers are a damage, any two a command
_NUMBERS = st.integers(0, (1 << 30) - 1)
DAMAGES = st.lists(st.tuples(_NUMBERS, _NUMBERS, _NUMBERS), min_size=1, max_size=8)
LOOKS = st.lists(st.tuples(_NUMBERS, _NUMBERS), min_size=1, max_size=3)

#: peak of what Python has in use for one command, in bytes; images are of 25 to 110 KB
MOST_MEMORY = 8 << 20


@pytest.fixture(name="fuzzer", scope="module")
def _fuzzer() -> Fuzzer:
    return Fuzzer()


@given(scene=_NUMBERS, damages=DAMAGES, chosen=LOOKS)
@settings(max_examples=600 if os.environ.get("MAPSCOPE_LONG") else 160)
def test_damage(
    fuzzer: Fuzzer, scene: int, damages: List[Damage], chosen: List[Tuple[int, int]]
) -> None:
    fuzzer.image(scene % len(fuzzer.arenas), damages, chosen)


def test_every_command_of_every_program_undamaged(fuzzer: Fuzzer) -> None:
    """All lines of all commands; and most of them must have something to show."""
    outcomes: Dict[str, int] = {}
    for arena, commands in zip(fuzzer.arenas, fuzzer.looks):
        if arena.scene.flavour == "random bytes":
            continue
        for lines in commands:
            for it in lines:
                outcome = look(arena, it)
                arena.reset()
                outcomes[outcome] = outcomes.get(outcome, 0) + 1
    assert outcomes.pop("result") > 4 * sum(outcomes.values()) > 0
    assert {it[0].name for it in fuzzer.looks[0]} == set(SUMMARIES)


def test_many_images_and_what_they_read(fuzzer: Fuzzer) -> None:
    """A run of the long form: nothing fails, damage is noticed, bounds are not even near."""
    before = fuzzer.tally.images
    number = 3000 if os.environ.get("MAPSCOPE_LONG") else 1000
    tally = fuzzer.run(number, 12)
    assert tally.images - before == number and not tally.failures, "\n".join(tally.failures)
    assert {"Corrupt", "NotAMap", "LayoutUnknown", "result"} <= set(tally.outcomes)
    smallest = min(arena.scene.mapped for arena in fuzzer.arenas)
    assert 0 < tally.most["bytes read"][0] < allowed(smallest)[0]


def test_memory(fuzzer: Fuzzer) -> None:
    chance = random.Random(3)
    tracemalloc.start()
    try:
        for _ in range(150):
            which = chance.randrange(len(fuzzer.arenas))
            arena, commands = fuzzer.arenas[which], fuzzer.looks[which]
            damages = [_draw(chance) for _ in range(4)]
            it = chance.choice(chance.choice(commands))
            arena.damage(damages)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            look(arena, it)
            used = tracemalloc.get_traced_memory()[1] - before
            arena.reset()
            assert used < MOST_MEMORY, (arena.scene.name, it.name, it.line, damages)
    finally:
        tracemalloc.stop()


def _draw(chance: random.Random) -> Damage:
    return chance.getrandbits(30), chance.getrandbits(30), chance.getrandbits(30)


# --- that the checks can fail ---


def test_damage_is_done_and_undone(fuzzer: Fuzzer) -> None:
    arena = fuzzer.arenas[0]
    sound = arena.image.save()
    chance = random.Random(1)
    changed = 0
    for _ in range(300):
        arena.damage([_draw(chance)])
        changed += arena.image.save() != sound
        arena.reset()
        assert arena.image.save() == sound
    assert changed > 200


def test_reading_on_and_on_is_noticed(fuzzer: Fuzzer, monkeypatch: pytest.MonkeyPatch) -> None:
    arena, commands = fuzzer.arenas[0], fuzzer.looks[0]
    (inspect,) = (lines for lines in commands if lines[0].name == "inspect")
    monkeypatch.setattr(arena, "_most_reads", 3)
    with pytest.raises(Failure, match="in 4 reads"):
        look(arena, inspect[0])


def test_an_internal_error_is_noticed(fuzzer: Fuzzer, monkeypatch: pytest.MonkeyPatch) -> None:
    arena, commands = fuzzer.arenas[0], fuzzer.looks[0]
    (inspect,) = (lines for lines in commands if lines[0].name == "inspect")

    def broken(address: int, size: int) -> bytes:
        raise RecursionError

    monkeypatch.setattr(arena.scene.target, "read_memory", broken)
    with pytest.raises(Failure, match="RecursionError"):
        look(arena, inspect[0])


@pytest.mark.parametrize("text", ["a\x1b[31m", "a\tb", "a\x07", "a\u202eb", "a\x00", "a\rb"])
def test_text_that_a_terminal_would_act_on(text: str) -> None:
    check_text("plain\nlines\n")
    with pytest.raises(Failure, match="cannot be printed"):
        check_text(text)
    assert str(MapscopeError(text)).isprintable()


@pytest.mark.parametrize(
    "text", ["", "{}", '{"schema": "x/1"}', '{"schema": "x/2"}\n', '{"schema": "x/1", "n": NaN}\n']
)
def test_what_is_no_json(text: str) -> None:
    check_json(json.dumps({"schema": "x/1"}) + "\n", "x/1")
    with pytest.raises(Failure):
        check_json(text, "x/1")


def test_errors() -> None:
    check_error(MapscopeError("one line"))
    assert len(str(MapscopeError("x" * 5000))) == LONGEST
    for message in ("", "internal error (KeyError): 3"):
        with pytest.raises(Failure):
            check_error(MapscopeError(message))
