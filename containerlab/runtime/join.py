"""A further process in a running container: ``exec``.

A joined PID namespace holds only for children made afterwards. As root the caller joins that one, clones, and goes
back; the child, born inside, joins the others by one setns(2) on the pidfd of the container's first process. In a user
namespace there is no way back (setns(2) asks for CAP_SYS_ADMIN in the one that owns the caller's own PID namespace,
the host's): a helper joins everything, clones the real process as its own sibling, and ends.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any, NoReturn

from containerlab.runtime import constants as c
from containerlab.runtime import devices, init, syscalls
from containerlab.runtime.inroot import Root
from containerlab.runtime.pid_namespace import children_born_in, clone_through_helper
from containerlab.runtime.process import Process, finish, set_oom_score
from containerlab.runtime.report import Report, StageError
from containerlab.runtime.signals import blocked_signals
from containerlab.runtime.starting import Starting
from containerlab.runtime.userns import in_user_namespace

if TYPE_CHECKING:
    from containerlab.runtime.spawn import CgroupMembership

__all__ = ["spawn_exec"]

# Root may join each namespace that it is in already, so that nobody need compare them first.
_BESIDE_PID = c.CLONE_NEWNS | c.CLONE_NEWUTS | c.CLONE_NEWIPC | c.CLONE_NEWNET | c.CLONE_NEWCGROUP


def spawn_exec(
    target_pid: int,
    process: dict[str, Any],
    stdio: tuple[int, int, int] | None,
    cgroup: CgroupMembership | None,
    *,
    seccomp: str | None,
) -> Starting:
    """Clones ``process`` (OCI's, with ``user_name`` for Docker's words) into the container of ``target_pid``.

    ``seccomp`` is the path of the container's compiled filter, None for unconfined. Raises ``StageError`` for what
    fails before the clone, ESRCH when the container has ended. The calling process must have one thread.
    """
    request = time.monotonic_ns()
    join_fds = list(cgroup.join_fds) if cgroup is not None else []
    try:
        checked = Process.from_spec(process, seccomp=seccomp, user_words=process.get("user_name"), group_words=[])
    except OSError as error:
        raise StageError("exec", error.errno or 0, error.strerror or str(error), error.filename or "") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StageError("exec", 22, f"process: {error}") from error
    if checked.terminal != (stdio is None):
        raise StageError("exec", 22, "a terminal takes no stdio, and anything else needs it")
    try:
        target = os.pidfd_open(target_pid)
    except OSError as error:
        raise StageError("clone", error.errno or 0, "the container is not running") from None
    try:
        clone = _clone_through_helper if in_user_namespace() else _clone_into
        return clone(target, target_pid, checked, stdio, join_fds, request)
    finally:
        os.close(target)


def _clone_into(
    target: int,
    _target_pid: int,
    process: Process,
    stdio: tuple[int, int, int] | None,
    join_fds: list[int],
    request: int,
) -> Starting:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        with blocked_signals(), children_born_in(target, c.CLONE_NEWPID):
            pid = syscalls.fork_with(signal.SIGCHLD)
            if pid == 0:
                init.child(
                    lambda report: _join_and_run(target, process, stdio, join_fds, report),
                    theirs.fileno(),
                    request,
                )
    except OSError as error:
        ours.close()
        if error.errno in {errno.ENOMEM, errno.ESRCH}:
            # pid_namespaces(7): what clone(2) answers once the namespace's first process has ended.
            raise StageError("clone", errno.ESRCH, "the container is not running") from None
        raise StageError("clone", error.errno or 0, f"clone: {error.strerror}") from None
    finally:
        theirs.close()
    return Starting(pid, ours)


def _clone_through_helper(
    target: int,
    target_pid: int,
    process: Process,
    stdio: tuple[int, int, int] | None,
    join_fds: list[int],
    request: int,
) -> Starting:
    kinds = _different_namespaces(target_pid)

    def join() -> None:
        set_oom_score(process.oom_score_adj)
        syscalls.setns(target, kinds)

    return clone_through_helper(join, lambda report: _run(process, stdio, join_fds, report), 0, request)


def _different_namespaces(pid: int) -> int:
    """CLONE_NEW* of the namespaces in which ``pid`` isn't with us: from a user namespace the host's can't be joined."""
    flags = 0
    for kind, name in c.NAMESPACE_FILES.items():
        if kind == "user":
            continue
        try:
            theirs = os.stat(f"/proc/{pid}/ns/{name}")  # noqa: PTH116
            ours = os.stat(f"/proc/self/ns/{name}")  # noqa: PTH116
        except OSError as error:
            raise StageError("clone", error.errno or 0, "the container is not running") from None
        if (theirs.st_dev, theirs.st_ino) != (ours.st_dev, ours.st_ino):
            flags |= c.NAMESPACES[kind]
    return flags


def _join_and_run(
    target: int,
    process: Process,
    stdio: tuple[int, int, int] | None,
    join_fds: list[int],
    report: Report,
) -> NoReturn:
    set_oom_score(process.oom_score_adj)
    report.stage = "namespaces"
    syscalls.setns(target, _BESIDE_PID)
    _run(process, stdio, join_fds, report)


def _run(process: Process, stdio: tuple[int, int, int] | None, join_fds: list[int], report: Report) -> NoReturn:
    report.stage = "cgroup"
    init.join_cgroup(join_fds, namespace=False)
    report.stamp("cgroup")
    report.stage = "namespaces"
    init.close_inherited(stdio, report)
    os.setsid()
    root = Root(os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
    if process.terminal:
        report.stage = "dev"
        master, slave = devices.open_console(root, process.console_size, bind=False)
        report.console(master)
        os.close(master)
        init.take_terminal(slave)
    finish(process, root, report)
