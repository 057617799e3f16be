"""Starting a container: one raw clone with every namespace, from a small single-threaded parent.

:func:`spawn` returns at once. The caller polls ``Starting.sync`` and asks :meth:`Starting.receive` when it is
readable; it reaps ``Starting.pid`` whatever the answer is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn

from containerlab.runtime import constants as c
from containerlab.runtime import init, syscalls
from containerlab.runtime.clone import clone_child
from containerlab.runtime.pid_namespace import children_born_in, clone_through_helper
from containerlab.runtime.plan import Plan, make_plan
from containerlab.runtime.report import Report, StageError
from containerlab.runtime.signals import reset_signals
from containerlab.runtime.starting import Failed, Started, Starting
from containerlab.runtime.userns import in_user_namespace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class CgroupMembership(Protocol):
        """What this room needs of a cgroup: open write descriptors of the files by which it is joined, and, on v2, one
        of its directory, in which a process can be born."""

        @property
        def join_fds(self) -> list[int]: ...

        @property
        def clone_fd(self) -> int | None: ...


__all__ = ["Failed", "StageError", "Started", "Starting", "spawn"]


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
    if plan.pid_namespace:
        return _clone_into_pid_namespace(plan, stdio, request)
    flags = plan.clone_flags | signal.SIGCHLD
    if cgroup is not None and cgroup.clone_fd is not None:
        joined = plan._replace(join_fds=[])
        with contextlib.suppress(StageError):
            return clone_child(lambda report: init.run(joined, stdio, report), flags, request, cgroup.clone_fd)
        # No clone3 under this host's seccomp filter; whatever else was in its way, the plain way has words for it.
    return clone_child(lambda report: init.run(plan, stdio, report), flags, request)


def _clone_into_pid_namespace(plan: Plan, stdio: Sequence[int] | None, request: int) -> Starting:
    """The child is born in a PID namespace that is there already: it can't join one afterwards (setns(2))."""
    try:
        target = os.open(plan.pid_namespace, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise StageError("namespaces", error.errno or 0, error.strerror or str(error), plan.pid_namespace) from None

    def main(report: Report) -> NoReturn:
        init.run(plan, stdio, report)

    try:
        init.refuse_own(target, c.CLONE_NEWPID)
        if in_user_namespace():
            return clone_through_helper(lambda: syscalls.setns(target, c.CLONE_NEWPID), main, plan.clone_flags, request)
        with children_born_in(target, c.CLONE_NEWPID):
            return clone_child(main, plan.clone_flags | signal.SIGCHLD, request)
    except OSError as error:
        raise StageError("namespaces", error.errno or 0, f"setns: {error.strerror}", plan.pid_namespace) from None
    finally:
        os.close(target)


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
