"""A process that the supervisor is parent of: a container's first one, or an exec's; from its start to its exit."""

from __future__ import annotations

import errno
import os
import signal
import time

from containerlab.runtime.identity import starttime
from containerlab.runtime.report import StageError
from containerlab.runtime.spawn import Failed, Started, Starting
from containerlab.runtime.supervisor.loop import READ
from containerlab.runtime.supervisor.protocol import RequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from containerlab.runtime.proot.tree import Tracees
    from containerlab.runtime.supervisor.endpoint import Endpoint
    from containerlab.runtime.supervisor.loop import Loop

    Stdio = tuple[int, int, int]
    Answer = Callable[[dict[str, Any] | OSError], None]

__all__ = ["Task", "exit_code"]

CREATED, RUNNING, STOPPED = "created", "running", "stopped"


def exit_code(status: int) -> int:
    """Docker's exit code of a wait status: 128 and the number after a signal."""
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


class Task:
    """``status`` is created, running or stopped. ``on_exit(task)`` is called once all of its output is delivered.

    Where it is ``traced`` the process is proot, and the program below it.
    """

    def __init__(
        self, loop: Loop, endpoint: Endpoint, on_exit: Callable[[Task], None], *, traced: bool = False
    ) -> None:
        self._loop, self.endpoint, self._on_exit = loop, endpoint, on_exit
        self.status = CREATED
        self.pid = 0
        self.starttime = 0
        self.started_at = 0
        self.finished_at = 0
        self.exit_code = 0
        self.timeline: list[tuple[str, int]] = []
        self._starting: Starting | None = None
        self._answers: list[Answer] = []
        self._on_answer: Callable[[], None] | None = None
        self._wait_status: int | None = None
        self._traced = traced
        self._tracees: Tracees | None = None

    @property
    def starting(self) -> bool:
        """The process is on its way: neither started nor failed."""
        return self._starting is not None

    def start(self, spawn: Callable[[Stdio | None], Starting], answer: Answer, on_answer: Callable[[], None]) -> None:
        """Clones the process by ``spawn(stdio)``. ``answer`` gets the reply or the failure once it is known, and
        ``on_answer`` is called just before. Raises OSError for what fails before the clone."""
        stdio = self.endpoint.open()
        try:
            starting = spawn(stdio)
            self.pid = starting.pid
            self.starttime = starttime(starting.pid)
        except OSError:
            self.endpoint.abort()
            raise
        finally:
            for fd in stdio or ():
                os.close(fd)
        self._starting, self._on_answer = starting, on_answer
        self._answers.append(answer)
        self._loop.watch(starting.fileno(), READ, lambda _events: self._receive())

    def wait_started(self, answer: Answer) -> None:
        """``answer`` as in ``start``, for a start that was asked for again."""
        if self._starting is not None:
            self._answers.append(answer)
        else:
            answer(self.reply())

    def reply(self) -> dict[str, Any]:
        """What ``start`` and ``exec`` answer."""
        return {
            "pid": self.pid,
            "starttime": self.starttime,
            "started_at": self.started_at,
            "timeline": self.timeline,
        }

    def _receive(self) -> None:
        starting = self._starting
        if starting is None:
            return
        sync = starting.fileno()
        result = starting.receive()
        if starting.console is not None:
            console, starting.console = starting.console, None
            self.endpoint.set_console(console)
        if result is None:
            return
        self._loop.unwatch(sync)
        self._starting = None
        if self._on_answer is not None:
            self._on_answer()
        if isinstance(result, Started):
            self._started(result)
        else:
            self._failed(result)

    def _started(self, result: Started) -> None:
        self.status = RUNNING
        self.started_at = time.time_ns()
        self.timeline = result.timeline
        if self._traced:
            from containerlab.runtime.proot.tree import Tracees

            self._tracees = Tracees(self._loop, self.pid)
        self._tell(self.reply())
        if self._wait_status is not None:
            self.reaped(self.pid, self._wait_status)

    def _failed(self, result: Failed) -> None:
        self.endpoint.abort()
        self.pid = self.starttime = 0
        self._wait_status = None
        self._tell(StageError(result.stage, result.errno, result.message, result.path))

    def _tell(self, result: dict[str, Any] | OSError) -> None:
        answers, self._answers = self._answers, []
        for answer in answers:
            answer(result)

    def reaped(self, pid: int, status: int) -> None:
        """The process ``pid`` has ended with this wait status."""
        if pid != self.pid:
            # It never got as far as its program, and the start was reported as failed.
            return
        if self._starting is not None:
            # Its last words may still lie in the socket.
            self._wait_status = status
            self._receive()
            return
        if self.status != RUNNING:
            return
        self.exit_code = exit_code(status)
        if self._tracees is not None:
            self.exit_code = self._tracees.reaped(self.exit_code)
        self.finished_at = time.time_ns()
        self.endpoint.finish(self._finished)

    def end(self) -> None:
        """Kill it and all below it: its container has ended, and where there is a namespace the kernel does that."""
        if self._tracees is not None and not self.finished_at:
            self._tracees.signal(signal.SIGKILL, all_of_them=True)

    def _finished(self) -> None:
        self.status = STOPPED
        self._on_exit(self)

    def signal(self, number: int, others: list[int], *, everyone: bool = False) -> None:
        """Sends a signal to the process and to ``others``, which are ``everyone`` of the container's.

        Raises RequestError(ESRCH) unless it runs.
        """
        if self.status != RUNNING or self.finished_at:
            raise RequestError("signal", errno.ESRCH, "the process is not running")
        if not 0 <= number < signal.NSIG:
            raise RequestError("signal", errno.EINVAL, f"there is no signal {number}")
        if self._tracees is not None:
            self._tracees.signal(number, all_of_them=everyone)
            return
        # Not reaped, so the pid is still its own.
        os.kill(self.pid, number)
        for pid in others:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
