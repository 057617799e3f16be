"""Starting a container: one raw clone with every namespace, from a small single-threaded parent.

:func:`spawn` returns at once. The caller polls ``Starting.sync`` and asks :meth:`Starting.receive` when it is
readable; it reaps ``Starting.pid`` whatever the answer is.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from containerlab.runtime import init, syscalls
from containerlab.runtime.plan import make_plan
from containerlab.runtime.report import Report, StageError
from containerlab.runtime.signals import blocked_signals, reset_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    class CgroupMembership(Protocol):
        """What this room needs of a cgroup: open write descriptors of the files by which it is joined, and, on v2, one
        of its directory, in which a process can be born."""

        @property
        def join_fds(self) -> list[int]: ...

        @property
        def clone_fd(self) -> int | None: ...


__all__ = ["Failed", "StageError", "Started", "Starting", "clone_child", "spawn"]

_PACKET = 65536


@dataclass(slots=True)
class Started:
    """The program runs. ``timeline`` is [step, CLOCK_MONOTONIC nanoseconds], in order."""

    timeline: list[tuple[str, int]]


@dataclass(slots=True)
class Failed:
    """The program doesn't run; the process ends, or has ended. Words as in docs/interfaces.md."""

    stage: str
    errno: int
    message: str
    path: str


class Starting:
    """A process on its way. ``console``: the terminal's master descriptor once it has come, the caller's to close."""

    def __init__(self, pid: int, sync: socket.socket) -> None:
        self.pid = pid
        self.sync = sync
        self.console: int | None = None
        self._timeline: list[tuple[str, int]] | None = None
        self._failed: Failed | None = None

    def fileno(self) -> int:
        """``sync``'s descriptor, for a selector."""
        return self.sync.fileno()

    def receive(self) -> Started | Failed | None:
        """Reads what is there without waiting; None when it isn't decided yet. Closes ``sync`` with the answer."""
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self.sync, _PACKET, 1, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            except ConnectionResetError:
                data, fds = b"", []
            if fds:
                os.set_inheritable(fds[0], False)
                self.console = fds[0]
            elif data:
                self._take(json.loads(data))
            else:
                self.sync.close()
                return self._answer()

    def _take(self, message: dict[str, Any]) -> None:
        if "timeline" in message:
            self._timeline = [(step, at) for step, at in message["timeline"]]
        else:
            self._failed = Failed(message["stage"], message["errno"], message["message"], message["path"])

    def _answer(self) -> Started | Failed:
        if self._failed is not None:
            return self._failed
        if self._timeline is None:
            return Failed("exec", 0, "the process ended before it could run its program", "")
        return Started(self._timeline)


def spawn(
    spec: dict[str, Any],
    bundle: str,
    stdio: tuple[int, int, int] | None,
    cgroup: CgroupMembership | None,
    trees: Sequence[int] = (),
) -> Starting:
    """Clones the container's first process. ``stdio`` None: a terminal of the container's own; ``trees``: see ``plan``.

    Raises ``StageError`` for what fails before the clone. The calling process must have one thread.
    """
    request = time.monotonic_ns()
    join_fds = list(cgroup.join_fds) if cgroup is not None else []
    terminal = bool(spec.get("process", {}).get("terminal", False))
    if terminal != (stdio is None):
        raise StageError("clone", 22, "a terminal takes no stdio, and anything else needs it")
    backend = spec.get("annotations", {}).get("containerlab.backend", "native")
    if backend == "proot":
        from containerlab.runtime.proot.spawn import spawn as under_proot

        return under_proot(spec, bundle, stdio)
    if backend == "vm":
        return clone_child(lambda report: _run_vm(bundle, stdio, join_fds, report), signal.SIGCHLD, request)
    try:
        plan = make_plan(spec, bundle, join_fds, trees)
    except OSError as error:
        raise StageError("clone", error.errno or 0, error.strerror or str(error), error.filename or "") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StageError("clone", 22, f"config.json: {error}", bundle) from error
    flags = plan.clone_flags | signal.SIGCHLD
    if cgroup is not None and cgroup.clone_fd is not None:
        plan.join_fds = []
        with contextlib.suppress(StageError):
            return clone_child(lambda report: init.run(plan, stdio, report), flags, request, cgroup.clone_fd)
        # No clone3 under this host's seccomp filter; whatever else was in its way, the plain way has words for it.
        plan.join_fds = join_fds
    return clone_child(lambda report: init.run(plan, stdio, report), flags, request)


def clone_child(main: Callable[[Report], NoReturn], flags: int, request_ns: int, cgroup: int | None = None) -> Starting:
    """The clone itself, into ``cgroup`` if given, and the pair over which the child reports."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        with blocked_signals():
            pid = syscalls.fork_with(flags, cgroup)
            if pid == 0:
                init.child(main, theirs.fileno(), request_ns)
    except OSError as error:
        ours.close()
        raise StageError("clone", error.errno or 0, f"clone: {error.strerror}") from None
    finally:
        theirs.close()
    return Starting(pid, ours)


def _run_vm(bundle: str, stdio: tuple[int, int, int] | None, join_fds: list[int], report: Report) -> NoReturn:
    """A VM's launcher is a plain process of the host: no namespaces, the same stdio, session and report."""
    report.stage = "cgroup"
    init.join_cgroup(join_fds, namespace=False)
    report.stamp("cgroup")
    init.close_inherited(stdio, report)
    os.setsid()
    if stdio is None:
        master, slave = os.openpty()
        report.console(master)
        os.close(master)
        init.take_terminal(slave)
    report.stage = "exec"
    reset_signals()
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
    report.stamp("exec")
    report.ready()
    environment = {**os.environ, "PYTHONPATH": package}
    os.execve(sys.executable, [sys.executable, "-m", "containerlab.runtime.vm", bundle], environment)
