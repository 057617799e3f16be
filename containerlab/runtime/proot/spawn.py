"""Starting a process on this rung: one fork, the copied root, and proot in place of namespaces.

The same words as ``runtime.spawn`` and ``runtime.join``: ``Starting`` is polled, stages and timeline are the same. What
is forked becomes proot and stays the parent of everything below it, also of what is orphaned (PR_SET_CHILD_SUBREAPER,
which exec keeps), so that a container's processes are always proot's descendants.
"""

# ruff: noqa: PTH101, PTH110
from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import signal
import time
from typing import TYPE_CHECKING, Any, NoReturn

from containerlab.errors import HostLacks
from containerlab.runtime import constants as c
from containerlab.runtime import devices, init, syscalls, users
from containerlab.runtime.clone import clone_child
from containerlab.runtime.inroot import Root
from containerlab.runtime.process import Process, set_oom_score
from containerlab.runtime.proot import guest
from containerlab.runtime.proot.program import NO_SECCOMP, locate
from containerlab.runtime.proot.root import make_root
from containerlab.runtime.report import Report, StageError
from containerlab.runtime.signals import reset_signals
from containerlab.runtime.starting import Starting

if TYPE_CHECKING:
    from containerlab.runtime.proot.guest import Bound

    Stdio = tuple[int, int, int] | None

__all__ = ["spawn", "spawn_exec"]

# What the loader of proot itself would obey, or proot: it reaches the program by env(1).
_OF_LOADER = ("LD_", "PROOT_", "GLIBC_", "MALLOC_")
_ENV = ("/usr/bin/env", "/bin/env")


class _Plan:
    """A start, checked in the parent."""

    def __init__(
        self,
        spec: dict[str, Any],
        bundle: str,
        process: dict[str, Any],
        words: str | None,
        groups: list[str],
    ) -> None:
        self.spec, self.bundle = spec, bundle
        self.bounds = guest.bounds(spec, bundle)
        self.process = Process.from_spec(process, seccomp=None, user_words=words, group_words=groups)
        self.proot = locate()
        for bound in self.bounds:
            if ":" in bound.source or ":" in bound.destination:
                raise ValueError(f"proot can bind no path with a colon: {bound.source} at {bound.destination}")


def spawn(spec: dict[str, Any], bundle: str, stdio: Stdio) -> Starting:
    """The container's first process. Raises ``StageError`` for what fails before the fork."""
    annotations = spec.get("annotations", {})
    words, groups = annotations.get("containerlab.user"), json.loads(annotations.get("containerlab.groups", "[]"))
    return _start(lambda: _Plan(spec, bundle, spec.get("process", {}), words, groups), stdio, first=True)


def spawn_exec(bundle: str, process: dict[str, Any], stdio: Stdio) -> Starting:
    """A further process with the same root; ``process`` as in ``join.spawn_exec``. Raises ``StageError``."""

    def plan() -> _Plan:
        with open(f"{bundle}/config.json", "rb") as file:
            spec = json.load(file)
        return _Plan(spec, bundle, process, process.get("user_name"), [])

    return _start(plan, stdio, first=False)


def _start(make_plan: Any, stdio: Stdio, *, first: bool) -> Starting:
    request = time.monotonic_ns()
    try:
        plan: _Plan = make_plan()
    except OSError as error:
        raise StageError("clone", error.errno or 0, error.strerror or str(error), error.filename or "") from error
    except HostLacks as error:
        raise StageError("clone", errno.ENOSYS, error.message) from error
    except (ValueError, KeyError, TypeError) as error:
        raise StageError("clone", errno.EINVAL, f"config.json: {error}") from error
    if plan.process.terminal != (stdio is None):
        raise StageError("clone", errno.EINVAL, "a terminal takes no stdio, and anything else needs it")
    return clone_child(lambda report: _run(plan, stdio, report, first), signal.SIGCHLD, request)


def _run(plan: _Plan, stdio: Stdio, report: Report, first: bool) -> NoReturn:
    init.close_inherited(stdio, report)
    os.setsid()
    os.umask(0o022)
    report.stage = "overlay"
    if first:
        _fresh(plan)
    root = make_root(plan.spec, plan.bundle, guest.points(plan.bounds))
    report.stamp("copy")
    _check_sources(plan.bounds, report)
    report.stage = "dev"
    if plan.process.terminal:
        master, slave = os.openpty()
        size = plan.process.console_size
        if size:
            devices.set_size(master, size.get("height", 0), size.get("width", 0))
        report.console(master)
        os.close(master)
        init.take_terminal(slave)
    _finish(plan, root, report)


def _fresh(plan: _Plan) -> None:
    """An empty folder for each tmpfs: what a run before has left in it is gone, as with the file system itself."""
    scratch = f"{plan.bundle}/tmpfs/"
    shutil.rmtree(scratch, ignore_errors=True)
    for bound in plan.bounds:
        if bound.source.startswith(scratch):
            os.makedirs(bound.source)  # noqa: PTH103
            os.chmod(bound.source, 0o1777)


def _check_sources(bounds: list[Bound], report: Report) -> None:
    report.stage = "mount"
    for bound in bounds:
        if not os.path.exists(bound.source):
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), bound.source)


def _finish(plan: _Plan, root: str, report: Report) -> NoReturn:
    """User, directory, limits, exec."""
    process, bounds = plan.process, plan.bounds
    report.stage = "user"
    user = _resolve(process, root)
    process.env.setdefault("HOME", user.home)
    report.stamp("user")
    report.stage = "cwd"
    _check_directory(bounds, root, process.cwd)
    report.stage = "limits"
    set_oom_score(process.oom_score_adj)
    for number, soft, hard in process.rlimits:
        _set_limit(number, soft, hard)
    report.stage = "exec"
    guest.find_program(bounds, root, process.cwd, process.args[0], process.env.get("PATH", ""))
    options = guest.arguments(bounds, root, process.cwd, (user.uid, user.gid))
    words, environment = _environment(process, bounds, root)
    # What a program leaves behind is proot's child, not the supervisor's.
    syscalls.prctl(c.PR_SET_CHILD_SUBREAPER, 1)
    os.umask(process.umask)
    os.chdir("/")
    reset_signals()
    report.stamp("exec")
    report.ready()
    syscalls.close_range(report.fd + 1)
    os.execve(plan.proot, ["proot", *options, *words], environment)


def _resolve(process: Process, root: str) -> users.ResolvedUser:
    inside = Root(os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
    try:
        # They can't be given, but one that nobody knows is refused as on every rung.
        users.resolve_groups(inside, process.group_words)
        if process.user_words is None:
            return users.ResolvedUser(process.uid, process.gid, [process.gid], users.home_of(inside, process.uid))
        return users.resolve_user(inside, process.user_words)
    finally:
        os.close(inside.fd)


def _check_directory(bounds: list[Bound], root: str, cwd: str) -> None:
    """Docker makes a working directory that isn't there."""
    try:
        os.close(guest.opened(bounds, root, cwd, make=True))
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        message = f'chdir to cwd ("{cwd}") set in config.json failed: {words}'
        raise OSError(error.errno, message, cwd) from None


def _set_limit(number: int, soft: int, hard: int) -> None:
    try:
        resource.setrlimit(number, (soft, hard))
    except (OSError, ValueError) as error:
        raised = errno.EPERM if soft <= hard or hard == -1 else errno.EINVAL
        raise OSError(raised, f"setting resource limit {number} to {soft}:{hard}: {error}") from None


def _environment(process: Process, bounds: list[Bound], root: str) -> tuple[list[str], dict[str, str]]:
    """The program's words, and the environment that proot itself is given."""
    special = {name: value for name, value in process.env.items() if name.startswith(_OF_LOADER)}
    environment = {name: value for name, value in process.env.items() if name not in special}
    if NO_SECCOMP in os.environ:
        environment[NO_SECCOMP] = "1"
    if not special:
        return process.args, environment
    for path in _ENV:
        try:
            os.close(guest.opened(bounds, root, path))
        except OSError:
            continue
        if "=" not in process.args[0]:
            return [path, *(f"{name}={value}" for name, value in special.items()), *process.args], environment
    names = " ".join(special)
    raise OSError(errno.ENOTSUP, f"under proot {names} can't be set for a program without env(1) in its image")
