"""The clone of a container's first process, or of an exec's, and the pair over which it reports how it gets on."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, NoReturn

from containerlab.runtime import init, syscalls
from containerlab.runtime.report import Report, StageError
from containerlab.runtime.signals import blocked_signals
from containerlab.runtime.starting import Starting

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["clone_child"]


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
