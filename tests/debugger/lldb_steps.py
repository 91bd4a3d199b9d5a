#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Take the steps of a test, written as gdb's options and commands, in LLDB.

    lldb_steps.py LLDB MAPSCOPE [OPTIONS] [--args] [PROGRAM [CORE | ARGUMENTS]]

OPTIONS are those of gdb that tests use (-ex COMMAND, -x FILE, -p PID, --core FILE)
and are taken in their order. MAPSCOPE, a script, is loaded before. `map` and `slice` commands and
those that tests define (in_debugger.py) go to LLDB as they are, gdb's own are translated (class
Steps); one without a translation ends the run, with status 1.

Run as a program, it starts LLDB, which imports it again and takes the steps there: -o
alone would end at the first command that fails.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import time
import traceback
from typing import Any, Callable, Dict, List, NoReturn, Optional, Tuple

if __name__ != "__main__":  # where there is one
    import lldb

#: by which the program hands its arguments to the module in LLDB
_ARGUMENTS = "MAPSCOPE_TEST_STEPS"
#: what LLDB says at any moment, of Go and of GCC 12's std::string
LLDBS_OWN = re.compile(rb"^(warning: This version of LLDB has no plugin|error: \S+ 0x\w+: DW_TAG_)")
#: of LLDB, if a step could not be taken
_NO_TRANSLATION = 3


class NoTranslation(Exception):
    """A step of a test that is not known here."""


class CommandFailed(Exception):
    """LLDB's error."""


def out(text: str) -> None:
    """Print, in order with what LLDB and the program write."""
    os.write(1, text.encode())


def unquoted(text: str) -> str:
    """A gdb argument that is one word, with its quotes taken off."""
    words = shlex.split(text)
    return words[0] if len(words) == 1 else text


class Steps:
    """Takes steps in one debugger."""

    def __init__(self, debugger: "lldb.SBDebugger") -> None:
        self.debugger = debugger
        self.interpreter = debugger.GetCommandInterpreter()
        self.trace = self.attached = False
        self.defined: Dict[str, Callable[[str], None]] = {}
        self.servers: List["subprocess.Popen[bytes]"] = []
        self.handlers: Dict[str, Callable[[str], None]] = {
            "add-symbol-file": lambda rest: self.say(f"target modules add '{rest}'"),
            "break": self.break_,
            "continue": self.continue_,
            "delete": self.delete,
            "echo": self.echo,
            "file": self.file,
            "generate-core-file": self.core,
            "gcore": self.core,
            "frame": self.frame,
            "info": self.info,
            "kill": self.kill,
            "run": self.run,
            "set": self.set,
            "source": self.source,
            "target": self.remote,
            "tbreak": self.tbreak,
            "thread": self.thread,
        }
        self.same = {
            "detach": "process detach",
            "finish": "thread step-out",
            "next": "thread step-over",
            "step": "thread step-in",
            "up": "up",
            "down": "down",
        }

    def native(self, command: str) -> str:
        """Run a command of LLDB's; its output.

        :raises CommandFailed: with its error
        """
        result = lldb.SBCommandReturnObject()
        self.interpreter.HandleCommand(command, self.selected(), result, False)
        if not result.Succeeded():
            # what it said before it failed is not lost
            raise CommandFailed((result.GetOutput() or "") + (result.GetError() or ""))
        return (result.GetOutput() or "") + (result.GetError() or "")

    def selected(self) -> "lldb.SBExecutionContext":
        """What commands work on; without it, that of the step that is being taken."""
        target = self.debugger.GetSelectedTarget()
        process = target.GetProcess()
        thread = process.GetSelectedThread()
        for scope in (thread.GetSelectedFrame(), thread, process, target):
            if scope.IsValid():
                return lldb.SBExecutionContext(scope)
        return lldb.SBExecutionContext()

    def say(self, command: str) -> None:
        """Run a command of LLDB's and show what it says."""
        out(self.native(command))

    def take(self, step: str) -> None:
        """Take one step; an error is shown, as gdb shows it."""
        step = step.strip()
        if not step or step.startswith("#"):
            return
        if self.trace and step != "set trace-commands off":
            out(f"+{step}\n")
        word, _, rest = step.partition(" ")
        rest = rest.strip()
        try:
            if word in ("map", "slice"):
                self.say(step)
            elif word in self.defined:
                self.defined[word](rest)
            elif word in self.handlers:
                self.handlers[word](rest)
            elif word in self.same and not rest:
                self.say(self.same[word])
            else:
                raise NoTranslation(step)
        except CommandFailed as error:
            out(str(error))
        except (_failed(), KeyboardInterrupt) as error:
            out(f"error: {error}\n")
        finally:
            sys.stdout.flush()

    # --- gdb's commands ---

    def break_(self, place: str, once: bool = False) -> None:
        """FUNCTION or FILE:LINE"""
        line = re.fullmatch(r"([^:]+\.\w+):(\d+)", place)
        option = "--one-shot true " if once else ""
        if line is not None:
            option += f"--file {line[1]} --line {line[2]}"
        elif re.fullmatch(r"[\w.:]+", place):
            option += f"--name {place}"
        else:
            raise NoTranslation(f"break {place}")
        self.say(f"breakpoint set {option}")

    def tbreak(self, place: str) -> None:
        """The same for one hit."""
        self.break_(place, once=True)

    def continue_(self, rest: str) -> None:
        """LLDB goes to where gdb goes."""
        if rest:
            raise NoTranslation(f"continue {rest}")
        self.say("process continue")

    def core(self, path: str) -> None:
        """A minidump: LLDB 19 writes no ELF core files."""
        self.say(f"process save-core --style full {shlex.quote(unquoted(path))}")

    def delete(self, numbers: str) -> None:
        """Breakpoints' numbers are LLDB's own."""
        self.say(f"breakpoint delete {numbers}" if numbers else "breakpoint delete --force")

    def echo(self, text: str) -> None:
        """gdb's escapes are C's."""
        out(text.encode().decode("unicode_escape"))

    def file(self, program: str) -> None:
        """A program, or what gdb knows as symbols of it."""
        self.say(f"target create {shlex.quote(unquoted(program))}")

    def frame(self, rest: str) -> None:
        """gdb's frame and frame function NAME"""
        if not rest:
            self.say("frame select")
            return
        if not rest.startswith("function "):
            raise NoTranslation(f"frame {rest}")
        name = unquoted(rest.partition(" ")[2])
        thread = self.process().GetSelectedThread()
        for number in range(thread.GetNumFrames()):
            function = thread.GetFrameAtIndex(number).GetFunctionName() or ""
            if function.partition("(anonymous namespace)")[2].startswith(
                name.partition("(anonymous namespace)")[2] + "("
            ) or function.startswith(name + "("):
                self.say(f"frame select {number}")
                return
        raise CommandFailed(f"error: no frame of {name}\n")

    def info(self, rest: str) -> None:
        """gdb's info breakpoints"""
        if rest != "breakpoints":
            raise NoTranslation(f"info {rest}")
        self.say("breakpoint list")

    def kill(self, rest: str) -> None:
        """LLDB's command ends a moment before the process has ended for LLDB."""
        process = self.process()
        self.say("process kill")
        deadline = time.monotonic() + 10
        while process.GetState() != lldb.eStateExited and time.monotonic() < deadline:
            time.sleep(0.01)

    def process(self) -> "lldb.SBProcess":
        """The selected one."""
        return self.debugger.GetSelectedTarget().GetProcess()

    def run(self, line: str) -> None:
        """Arguments, and > FILE. The program writes where LLDB writes."""
        if "GODEBUG" not in os.environ:
            # A signal of Go's scheduler that comes while LLDB steps over a breakpoint lets the
            # goroutine come to it once more (LLDB 19), and tests count their stops.
            self.native("settings append target.env-vars GODEBUG=asyncpreemptoff=1")
        words = shlex.split(line)
        output = f"/proc/{os.getpid()}/fd/1"
        if ">" in words:
            output = words[words.index(">") + 1]
            open(output, "wb").close()  # LLDB would write over what is there, and leave the rest
            del words[words.index(">") : words.index(">") + 2]
        options = f"--stdin /dev/null --stdout {shlex.quote(output)}"
        options += f" --stderr /proc/{os.getpid()}/fd/2"
        arguments = " ".join(shlex.quote(word) for word in words)
        self.say(f"process launch {options}" + (f" -- {arguments}" if words else ""))

    def set(self, line: str) -> None:
        """Settings that both have, or that LLDB needs not."""
        words = line.split(None, 2)
        if words[:1] == ["trace-commands"]:
            self.trace = words[1] == "on"
        elif words[:1] == ["environment"]:
            name, value = (re.split(r"[ =]", " ".join(words[1:]), maxsplit=1) + [""])[:2]
            self.say(f"settings set -- target.env-vars {shlex.quote(f'{name}={value}')}")
        elif words[:2] == ["print", "elements"]:
            self.say(f"settings set target.max-children-count {words[2]}")
        elif words[:1] != ["sysroot"]:
            raise NoTranslation(f"set {line}")

    def source(self, path: str) -> None:
        """A Python module."""
        self.native(f"command script import {shlex.quote(unquoted(path))}")

    def remote(self, line: str) -> None:
        """target remote | SERVER --once - ...: LLDB connects to a port that lldb-server opens."""
        match = re.fullmatch(r"remote \| (.*)", line)
        if match is None:
            raise NoTranslation(f"target {line}")
        server, program = match[1].split(" - ", 1)
        reading, writing = os.pipe()
        words = shlex.split(server.replace("--once", ""))
        words += ["--pipe", str(writing), "127.0.0.1:0", "--", *shlex.split(program)]
        self.servers.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, pass_fds=(writing,)))
        os.close(writing)
        # not to its end: the program may hold it open, too
        port = os.read(reading, 16).decode().strip("\0\n")
        os.close(reading)
        self.say(f"process connect --plugin gdb-remote connect://127.0.0.1:{port}")

    def thread(self, number: str) -> None:
        """gdb's thread and thread N

        `thread select` has another thread of LLDB's print the frame at some later time, and that
        waits for ever if it begins to read a map there while the process is killed (LLDB 19).
        """
        if not number:
            self.say("thread info")
        elif not self.process().SetSelectedThreadByIndexID(int(number)):
            raise CommandFailed(f"error: there is no thread {number}\n")

    # --- the run ---

    def begin(self, pid: Optional[str], words: List[str]) -> None:
        """What gdb does before its options: the program, the core file, the process."""
        if words[:1] == ["--args"]:
            words, of_program = words[1:2], words[2:]
            self.file(shlex.quote(words[0]))
            if of_program:
                text = " ".join(shlex.quote(word) for word in of_program)
                self.native(f"settings set -- target.run-args {text}")
        elif len(words) == 2:
            program, core = map(shlex.quote, words)
            self.say(f"target create {program} --core {core}")
        elif words:
            self.file(shlex.quote(words[0]))
        if pid is not None:
            self.attached = True
            self.say(f"process attach --pid {pid}")

    def end(self) -> None:
        """Leave nothing running."""
        process = self.process()
        if process.IsValid() and process.GetState() not in (
            lldb.eStateInvalid,
            lldb.eStateExited,
            lldb.eStateDetached,
        ):
            # what was attached to goes on, as when gdb ends
            process.Detach() if self.attached else process.Kill()
        for server in self.servers:
            server.terminate()
            server.wait()


def _failed() -> Any:
    """The class Failed of in_debugger.py, which imports this module."""
    import in_debugger

    return in_debugger.Failed


def options_of(arguments: List[str]) -> Tuple[List[Tuple[str, str]], Optional[str], List[str]]:
    """Split gdb's command line.

    :return: steps, each -ex or -x with its text (a file of commands as many -ex); a process
        to attach to; the rest: a program, alone, with a core file, or after --args with its
        arguments
    """
    steps: List[Tuple[str, str]] = []
    words: List[str] = []
    pid = core = None
    todo = list(arguments)
    while todo:
        word = todo.pop(0)
        if word == "--args":
            words = [word, *todo]
            break
        if word == "-x" and not todo[0].endswith(".py"):
            with open(todo.pop(0), encoding="utf-8") as file:
                steps.extend(("-ex", line) for line in file)
        elif word in ("-ex", "-x"):
            steps.append((word, todo.pop(0)))
        elif word == "-p":
            pid = todo.pop(0)
        elif word == "--core":
            core = todo.pop(0)
        elif word.startswith("-"):
            raise NoTranslation(word)
        else:
            words.append(word)
    return steps, pid, words + ([core] if core is not None else [])


_steps: Optional[Steps] = None
_to_take: List[Tuple[str, str]] = []
_status = 0


def execute(command: str) -> str:
    """For in_debugger.py: run one command there; its output."""
    assert _steps is not None
    try:
        return _steps.native({"continue": "process continue"}.get(command, command))
    except CommandFailed as error:
        text = str(error).rstrip("\n")
        raise _failed()(text[len("error: ") :] if text.startswith("error: ") else text) from None


def define(name: str, function: Callable[[str], None]) -> None:
    """For in_debugger.py: make a command."""
    assert _steps is not None
    _steps.defined[name] = function


def take_step(
    debugger: "lldb.SBDebugger",
    line: str,
    result: "lldb.SBCommandReturnObject",
    internal_dict: Dict[str, Any],
) -> None:
    """LLDB's command `test-step [N]`: take step N; without N, end LLDB.

    A command for each, as a user gives them: Ctrl-C ends one command.
    """
    assert _steps is not None
    if not line:
        _steps.end()
        debugger.HandleCommand(f"quit {_status}")
    elif not _status:
        kind, text = _to_take[int(line)]
        do = _steps.source if kind == "-x" else _steps.take
        _guarded(lambda: do(text))


def _guarded(do: Callable[[], None]) -> None:
    """Let the run fail if something went wrong in here."""
    global _status
    try:
        do()
    except CommandFailed as error:
        out(str(error))
    except NoTranslation as error:
        out(f"lldb_steps.py: no translation of: {error}\n")
        _status = _NO_TRANSLATION
    except Exception:
        out(traceback.format_exc())
        _status = _NO_TRANSLATION


def __lldb_init_module(debugger: "lldb.SBDebugger", internal_dict: Dict[str, Any]) -> None:
    """Called by `command script import`."""
    global _steps
    mapscope, *arguments = json.loads(os.environ.pop(_ARGUMENTS))
    # A program that is started returns when it has stopped, not at once.
    debugger.SetAsync(False)
    debugger.HandleCommand(f"command script add -f {__name__}.take_step test-step")
    _steps = started = Steps(debugger)
    steps, pid, words = options_of(arguments)
    _to_take.extend([("-x", mapscope), *steps])
    _guarded(lambda: started.begin(pid, words))


def main() -> NoReturn:
    """Starts LLDB; its output goes through a pipe, which the program can open, too."""
    lldb_command, *arguments = sys.argv[1:]
    environment = {**os.environ, _ARGUMENTS: json.dumps(arguments)}
    commands = [f'command script import "{os.path.realpath(__file__)}"']
    # one more: of MAPSCOPE
    commands += [f"test-step {n}" for n in range(len(options_of(arguments[1:])[0]) + 1)]
    options = [word for command in [*commands, "test-step"] for word in ("-o", command)]
    if os.environ.get("MAPSCOPE_TEST_INDEXES"):  # lit.cfg.py says what for
        options += ["-O", "settings set symbols.enable-lldb-index-cache true"]
        path = os.environ["MAPSCOPE_TEST_INDEXES"]
        options += ["-O", f'settings set symbols.lldb-index-cache-path "{path}"']
    process = subprocess.Popen(
        [lldb_command, "--no-lldbinit", "--source-quietly", *options],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    for line in process.stdout:
        if not LLDBS_OWN.search(line):
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    sys.exit(process.wait())


if __name__ == "__main__":
    main()
