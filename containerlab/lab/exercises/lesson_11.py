"""Lesson 11: a container from scratch. Nobody but the kernel knows of it, so the kernel is asked."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from containerlab.lab.exercises.model import Exercise, Missing, Step
from containerlab.lab.words import Words

__all__ = ["EXERCISES"]

_KINDS = ("pid", "mnt", "net", "uts", "ipc")

# The learner's own program of the lesson, as short as these exercises let it be.
_SOLUTION = """
import os, signal, sys
from containerlab.runtime import constants as c, syscalls
from containerlab.runtime.userns import enter_user_namespace

bare, *program = sys.argv[1:]
if os.geteuid() != 0:
    enter_user_namespace(one_id=True)
walls = c.CLONE_NEWNS | c.CLONE_NEWPID | c.CLONE_NEWUTS | c.CLONE_NEWIPC | c.CLONE_NEWNET
if syscalls.fork_with(walls | signal.SIGCHLD):
    os._exit(0)
syscalls.mount("", "/", "", c.MS_PRIVATE | c.MS_REC)
syscalls.mount("tmpfs", "/mnt", "tmpfs")
for folder in ("bin", "lib", "lib64", "usr"):
    if os.path.isdir(f"/{folder}"):
        os.mkdir(f"/mnt/{folder}")
        syscalls.mount(f"/{folder}", f"/mnt/{folder}", "", c.MS_BIND | c.MS_REC)
os.chdir("/mnt")
syscalls.pivot_root(".", ".")
syscalls.umount2(".", c.MNT_DETACH)
os.chdir("/")
if bare == "bare":
    syscalls.prctl(c.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.capset(0, 0, 0)
os.execvp(program[0], program)
"""


def _find(seconds: str) -> Path | None:
    """The folder in /proc of a process of ours that runs ``sleep SECONDS``."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if entry.stat().st_uid != os.getuid():
                continue  # somebody else's is not this learner's, nor root's to end
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if [Path(os.fsdecode(words[0])).name, *words[1:2]] == ["sleep", seconds.encode()]:
                return entry
    return None


def _runs(seconds: str) -> Step:
    def look(client: Any) -> Missing | None:
        if _find(seconds) is not None:
            return None
        return Missing(
            f"no sleep {seconds}",
            (
                Words("Nowhere on this host does `sleep {seconds}` run."),
                Words("`run` waits for the end; `subprocess.Popen` with the same words doesn't."),
            ),
            {"seconds": seconds},
        )

    return Step(Words("`sleep {seconds}` runs"), look, {"seconds": seconds})


def _namespaces_of_its_own(seconds: str) -> Step:
    def look(client: Any) -> Missing | None:
        process = _find(seconds)
        if process is None:
            return _runs(seconds).look(client)
        shared = [
            kind
            for kind in _KINDS
            if (process / "ns" / kind).stat().st_ino == Path("/proc/self/ns", kind).stat().st_ino
        ]
        if not shared:
            return None
        return Missing(
            "shared namespaces",
            (
                Words("It shares {kinds} with this notebook."),
                Words("Each kind has a flag of its own for `clone`: `CLONE_NEWPID`, `CLONE_NEWNET` and so on."),
            ),
            {"kinds": ", ".join(shared)},
        )

    return Step(Words("it has namespaces of its own"), look)


def _root_of_its_own(client: Any) -> Missing | None:
    process = _find("611")
    if process is None:
        return _runs("611").look(client)
    if not (process / "root").samefile("/"):
        return None
    return Missing(
        "the host's root",
        (
            Words("Its root is still the host's."),
            Words("`pivot_root`, then `umount2` of the old one, before the `exec`."),
        ),
    )


def _holds_nothing(client: Any) -> Missing | None:
    process = _find("612")
    if process is None:
        return _runs("612").look(client)
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    if status["NoNewPrivs"].strip() != "1":
        return Missing(
            "rights may come back",
            (
                Words("It may still gain rights: NoNewPrivs is 0."),
                Words("`prctl(PR_SET_NO_NEW_PRIVS, 1)` is a promise that can't be taken back."),
            ),
        )
    if int(status["CapEff"], 16):
        return Missing(
            "capabilities left",
            (
                Words("It holds capabilities: CapEff is {held}."),
                Words("`capset(0, 0, 0)` gives up the effective, the permitted and the inheritable ones."),
            ),
            {"held": status["CapEff"].strip()},
        )
    return None


def _solve(mode: str, seconds: str) -> Callable[[Any], None]:
    def solve(client: Any) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
            file.write(_SOLUTION)
            file.flush()
            subprocess.run([sys.executable, file.name, mode, "sleep", seconds], check=True)
            deadline = time.monotonic() + 10
            while _find(seconds) is None and time.monotonic() < deadline:
                time.sleep(0.02)

    return solve


def _reset(seconds: str) -> Callable[[Any], None]:
    def reset(client: Any) -> None:
        while (process := _find(seconds)) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process.name), signal.SIGKILL)
            time.sleep(0.02)

    return reset


EXERCISES = (
    Exercise(
        "11.1",
        Words("your own container"),
        (_runs("611"), _namespaces_of_its_own("611"), Step(Words("it has a root of its own"), _root_of_its_own)),
        _solve("plain", "611"),
        _reset("611"),
    ),
    Exercise(
        "11.2",
        Words("a program without rights"),
        (_runs("612"), _namespaces_of_its_own("612"), Step(Words("it holds no rights, for good"), _holds_nothing)),
        _solve("bare", "612"),
        _reset("612"),
    ),
)
