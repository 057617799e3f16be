"""Children born in a PID namespace that exists already: for ``exec``, and for ``--pid container:NAME``.

A process never changes its own PID namespace; setns(2) and unshare(2) choose that of its children (pid_namespaces(7)).
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
from typing import TYPE_CHECKING, NoReturn

from containerlab.runtime import constants as c
from containerlab.runtime import init, syscalls
from containerlab.runtime.report import Report, StageError
from containerlab.runtime.signals import blocked_signals
from containerlab.runtime.starting import Failed, Starting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["children_born_in", "clone_through_helper"]


@contextlib.contextmanager
def children_born_in(target: int, kind: int) -> Iterator[None]:
    """As root: within the block a child is born into the PID namespace of ``target``, undumpable from its first moment.

    setns(2) with CLONE_NEWPID leaves the caller where it is, and may always go back to its own. Dumpable is the
    caller's again behind the block: a new engine must be able to join its namespaces.
    """
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.prctl(c.PR_SET_DUMPABLE, 0)
        if kind:
            syscalls.setns(target, kind)
        try:
            yield
        finally:
            if kind:
                syscalls.setns(own, kind)
    finally:
        syscalls.prctl(c.PR_SET_DUMPABLE, 1)
        os.close(own)


def clone_through_helper(
    join: Callable[[], None], main: Callable[[Report], NoReturn], flags: int, request: int
) -> Starting:
    """In a user namespace, from where nobody gets back into the host's PID namespace: a helper goes there, and ends.

    It calls ``join()``, and clones with ``flags`` the process that runs ``main``: as its own sibling (CLONE_PARENT),
    so that the caller is the one that reaps it. Raises ``StageError``, ESRCH when the namespace has ended.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        with blocked_signals():
            helper = syscalls.fork_with(signal.SIGCHLD)
            if helper == 0:
                init.child(lambda report: _help(join, main, flags, writer, report), theirs.fileno(), request)
            os.close(writer)
            writer = -1
            # The helper only joins and clones: this is read within a millisecond.
            answer = os.read(reader, 16)
            os.waitpid(helper, c.WALL)
    except OSError as error:
        ours.close()
        raise StageError("clone", error.errno or 0, f"clone: {error.strerror}") from None
    finally:
        theirs.close()
        os.close(reader)
        if writer >= 0:
            os.close(writer)
    starting = Starting(int(answer or b"0"), ours)
    if not answer:
        raise _why(starting)
    return starting


def _help(
    join: Callable[[], None], main: Callable[[Report], NoReturn], flags: int, writer: int, report: Report
) -> NoReturn:
    report.stage = "namespaces"
    syscalls.prctl(c.PR_SET_DUMPABLE, 0)
    join()
    try:
        pid = syscalls.fork_with(flags | c.CLONE_PARENT)
    except OSError as error:
        if error.errno == errno.ENOMEM:
            # What clone(2) answers once the namespace's first process has ended (pid_namespaces(7)).
            raise ProcessLookupError(errno.ESRCH, "the container is not running") from None
        raise
    if pid != 0:
        os.write(writer, b"%d" % pid)
        os._exit(0)
    main(report)


def _why(starting: Starting) -> StageError:
    """The helper failed, and has told its reason before it ended."""
    failed = starting.receive()
    if isinstance(failed, Failed):
        return StageError(failed.stage, failed.errno, failed.message, failed.path)
    return StageError("namespaces", 0, "the helper ended without a word")
