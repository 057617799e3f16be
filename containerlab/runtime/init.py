"""What a container's first process does, from the raw clone to exec; the order is the kernel's, not ours to choose.

It runs in the cloned child of a single-threaded parent: nothing is imported any more (inside the container an
import would read the image's files, CVE-2019-14271), and every failure goes to the parent by the report.
"""

from __future__ import annotations

import errno
import fcntl
import gc
import os
import socket
import struct
import sys
import termios
from typing import TYPE_CHECKING, NoReturn

from containerlab.runtime import constants as c
from containerlab.runtime import devices, rootfs, syscalls
from containerlab.runtime.inroot import Root
from containerlab.runtime.mounts import FIRST_TREE
from containerlab.runtime.process import finish, set_oom_score
from containerlab.runtime.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from containerlab.runtime.plan import Plan

__all__ = ["child", "close_inherited", "join_cgroup", "refuse_own", "run", "take_terminal"]

_SYNC = 3


def child(main: Callable[[Report], NoReturn], sync_fd: int, request_ns: int) -> NoReturn:
    """The frame of every cloned child: no imports, no garbage collection, the failure reported, never returns."""
    gc.disable()
    sys.meta_path.clear()
    report = Report(sync_fd, request_ns)
    try:
        report.stamp("clone")
        main(report)
    except BaseException as error:
        try:
            report.failed(error)
        finally:
            os._exit(1)
    os._exit(1)


def run(plan: Plan, stdio: Sequence[int] | None, report: Report) -> NoReturn:
    """Builds the container around the calling process and becomes its program."""
    report.stage = "cgroup"
    set_oom_score(plan.process.oom_score_adj)
    join_cgroup(plan.join_fds, namespace=plan.cgroup_namespace)
    report.stamp("cgroup")
    report.stage = "namespaces"
    syscalls.prctl(c.PR_SET_DUMPABLE, 0)
    for path, kind in plan.joins:
        _join(path, kind)
    close_inherited(stdio, report, plan.trees)
    os.setsid()
    os.umask(0o022)
    _own_names(plan)
    report.stage = "overlay"
    syscalls.mount("", "/", "", plan.propagation | c.MS_REC)
    root = Root(plan.root.execute())
    report.stamp("overlay")
    _fill(plan, root, report)
    report.stage = "pivot_root"
    if plan.root_readonly:
        syscalls.mount_setattr(root.fd, set=c.MOUNT_ATTR_RDONLY)
    rootfs.pivot(root.fd)
    report.stamp("pivot_root")
    finish(plan.process, root, report)


def join_cgroup(join_fds: list[int], *, namespace: bool) -> None:
    """Moves the calling process, which has one thread, by itself: 0 is the writer (cgroups(7))."""
    for fd in join_fds:
        os.write(fd, b"0")
    if namespace:
        syscalls.unshare(c.CLONE_NEWCGROUP)


def close_inherited(stdio: Sequence[int] | None, report: Report, trees: Sequence[int] = ()) -> None:
    """Stdio in place, the report at 3, ``trees`` behind it, and nothing else of the parent's is open from here on
    (CVE-2024-21626)."""
    # Out of the way first: one of them may stand where another belongs.
    above = FIRST_TREE + len(trees)
    kept = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(above, 10)) for fd in trees]
    if stdio is not None:
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(above, 10)) for fd in stdio]
        for number, fd in enumerate(high):
            os.dup2(fd, number)
    if report.fd != _SYNC:
        os.dup2(report.fd, _SYNC, inheritable=False)
        report.fd = _SYNC
    for number, fd in enumerate(kept, FIRST_TREE):
        os.dup2(fd, number, inheritable=False)
    syscalls.close_range(above)


def take_terminal(slave: int) -> None:
    """The slave becomes stdio and the controlling terminal of the session (ioctl_tty(2))."""
    for number in (0, 1, 2):
        os.dup2(slave, number)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    if slave > 2:
        os.close(slave)


def _join(path: str, kind: int) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        refuse_own(fd, kind)
        syscalls.setns(fd, kind)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(fd)


def refuse_own(fd: int, kind: int) -> None:
    """ESRCH for the namespace that the caller is in, the host's: whose namespace was meant has ended meanwhile, and its
    process id is another process's by now."""
    name = next(file for word, file in c.NAMESPACE_FILES.items() if c.NAMESPACES[word] == kind)
    own, meant = os.stat(f"/proc/self/ns/{name}"), os.fstat(fd)  # noqa: PTH116  hot path
    if (own.st_dev, own.st_ino) == (meant.st_dev, meant.st_ino):
        raise ProcessLookupError(errno.ESRCH, "the container whose namespace is to be joined has ended")


def _own_names(plan: Plan) -> None:
    if plan.hostname:
        syscalls.sethostname(plan.hostname)
    if plan.domainname:
        syscalls.setdomainname(plan.domainname)
    if plan.clone_flags & c.CLONE_NEWNET:
        _loopback_up()


def _loopback_up() -> None:
    """netdevice(7): sets IFF_UP on ``lo``, which a new network namespace has down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        fcntl.ioctl(control, c.SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", c.IFF_UP))


def _fill(plan: Plan, root: Root, report: Report) -> None:
    report.stage = "mount"
    for step in plan.mounts:
        step.execute(root)
    for name, value in plan.sysctl.items():
        _write_sysctl(root, name, value)
    report.stamp("mounts")
    report.stage = "dev"
    for step in plan.devices:
        step.execute(root)
    if plan.process.terminal:
        master, slave = devices.open_console(root, plan.process.console_size, bind=True)
        report.console(master)
        os.close(master)
        take_terminal(slave)
    report.stage = "cwd"
    os.close(root.ensure_directory(plan.process.cwd))
    report.stamp("dev")


def _write_sysctl(root: Root, name: str, value: str) -> None:
    path = "/proc/sys/" + name.replace(".", "/")
    try:
        fd = root.open(path, os.O_WRONLY)
        try:
            if syscalls.fstatfs_type(fd) != c.PROC_SUPER_MAGIC:
                raise OSError(errno.EINVAL, "not a file of procfs")
            os.write(fd, value.encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise OSError(error.errno, f"sysctl {name}: {error.strerror}", path) from None
