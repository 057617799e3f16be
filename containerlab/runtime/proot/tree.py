"""A container's processes on this rung: whatever descends from its proot.

The first of them is the static init, whose only child at the beginning is the program. Without a PID namespace nobody
ends the others when the program has ended: ``Tracees`` does, for the supervisor, and passes signals to the program,
because proot itself takes none.
"""

# ruff: noqa: PTH208
from __future__ import annotations

import contextlib
import os
import select
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from containerlab.runtime.supervisor.loop import Loop

__all__ = ["Tracees", "descendants", "kill_tree", "programs"]

_POLLS_S = (0.002, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.5)
_AGAIN_S = 0.01
# Rounds of killing in one go: who forks meanwhile is met in the next.
_ROUNDS = 64
_KILLED = 137


def descendants(pid: int) -> list[int]:
    """Every live process below ``pid``, parents first, each one's children in the order of their birth."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = _children(waiting.pop(0))
        found += below
        waiting += below
    return found


def _children(pid: int) -> list[int]:
    """proc(5), /proc/PID/task/TID/children; one that has ended and waits to be reaped is none."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError):
        return []
    found: list[int] = []
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
        except ProcessLookupError:
            continue
        except FileNotFoundError:
            return _children_by_scan(pid)  # a kernel without CONFIG_PROC_CHILDREN, or the thread has ended
    return [child for child in found if _fields(child)[0] not in (b"Z", b"X", b"")]


def _children_by_scan(pid: int) -> list[int]:
    numbers = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    return [number for number in numbers if _parent(number) == pid and _fields(number)[0] not in (b"Z", b"X", b"")]


def _fields(pid: int) -> list[bytes]:
    """/proc/PID/stat behind the name: state, parent, …; two empty ones where there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return [b"", b"0"]


def programs(pid: int, *, with_init: bool = False) -> list[int]:
    """The container's own processes below its proot ``pid``; the init too where somebody asked for one."""
    return [child for child in descendants(pid) if with_init or not (_parent(child) == pid and _is_init(child))]


def _parent(pid: int) -> int:
    return int(_fields(pid)[1])


def _is_init(pid: int) -> bool:
    """Also what is about to become it: proot's child before its first exec, and in it, when it has no words."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            first = file.read(64).partition(b"\0")[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return first in (b"", b"proot", b"/dev/.containerlab-init")


def kill_tree(pid: int, *, itself: bool) -> bool:
    """SIGKILL to all that descends from ``pid``, and to it with ``itself``, last: whoever it traces would be set free.

    Whether nothing was left.
    """
    for _ in range(_ROUNDS):
        found = descendants(pid)
        if not found:
            break
        _kill(found)
        time.sleep(0.001)
    if itself:
        _kill([pid])
    return not descendants(pid)


def _kill(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


class Tracees:
    """The processes below one proot, as its task in the supervisor's loop sees them."""

    def __init__(self, loop: Loop, proot: int) -> None:
        self._loop, self._proot = loop, proot
        self._init = 0
        self._pidfd = -1
        self._killed = False
        self._reaped = False
        self._waiting: list[int] = []
        self._look(0)

    def _look(self, turn: int) -> None:
        """Finds the init as soon as it is there, and watches for its end."""
        if self._reaped:
            return
        below = _children(self._proot)
        first = next((pid for pid in below if _is_init(pid)), 0)
        if first:
            self._watch(first)
        elif below and turn:
            self._end()  # the init has come and gone
        elif turn < len(_POLLS_S):
            self._loop.call_later(_POLLS_S[turn], lambda: self._look(turn + 1))

    def _watch(self, first: int) -> None:
        try:
            self._pidfd = os.pidfd_open(first)
        except ProcessLookupError:
            self._end()
            return
        self._init = first
        self._loop.watch(self._pidfd, 1, lambda _events: self._end())
        self._deliver(0)

    def _end(self) -> None:
        """The program has ended, and with it the container: nobody lives on. proot then ends with its exit code."""
        self._unwatch()
        if self._reaped:
            return
        left = descendants(self._proot)
        _kill(left)
        self._loop.call_later(_AGAIN_S, self._end)

    def _unwatch(self) -> None:
        if self._pidfd >= 0:
            self._loop.unwatch(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    def signal(self, number: int, *, all_of_them: bool) -> None:
        """To the program, or to every process; one that is only being started gets it as soon as it is there."""
        if number == signal.SIGKILL:
            self._killed = True
        if all_of_them and number == signal.SIGKILL:
            _kill(descendants(self._proot))
            return
        self._waiting.append(number)
        self._deliver(0)
        if all_of_them:
            for pid in programs(self._proot)[1:]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    def _deliver(self, turn: int) -> None:
        if not self._waiting or self._reaped or not self._init:
            return
        program = self._program()
        if program:
            waiting, self._waiting = self._waiting, []
            for number in waiting:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(program, number)
        elif turn < len(_POLLS_S):
            self._loop.call_later(_POLLS_S[turn], lambda: self._deliver(turn + 1))

    def _program(self) -> int:
        """The init's first child, once it has become the program."""
        below = _children(self._init)
        return below[0] if below and not _is_init(below[0]) else 0

    def reaped(self, code: int) -> int:
        """proot has ended with this code: the container's. What it has let go of, as it was itself killed, ends too."""
        self._reaped = True
        if self._pidfd >= 0:
            if not select.select([self._pidfd], [], [], 0)[0]:
                kill_tree(self._init, itself=True)
            self._unwatch()
        return _KILLED if self._killed and code in (0, 255) else code
