"""The supervisor's namespaces: made with it once, joined by every later engine of the same store.

As root only a mount namespace, with slave propagation, so that what the host mounts later is seen and nothing goes
out; as anybody else a user namespace first. All of it happens before the caller's first thread: unshare(2) of a
user namespace and setns(2) into one refuse a process with two.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from pathlib import Path

from containerlab.errors import HostLacks
from containerlab.runtime import constants as c
from containerlab.runtime import host_mounts, syscalls, userns
from containerlab.runtime.identity import Identity, open_process

__all__ = ["ensure_supervisor", "enter_namespaces", "supervisor_identity"]

_START_LIMIT_S = 10.0
_POLL_S = 0.002
_RECORD = "supervisor.json"
_COMPLAINT = "supervisor.err"


def ensure_supervisor(run_folder: Path, store: Path) -> None:
    """Leaves the caller in the namespaces of the store's supervisor, which lives when this returns.

    Raises ``HostLacks`` where the host allows no such namespaces, or the supervisor couldn't be started; ``OSError``
    when the folders can't be made.
    """
    host_mounts.remember()
    for folder in (run_folder, store):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(run_folder / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        identity = supervisor_identity(run_folder)
        if identity is None or not _join(identity):
            enter_namespaces()
            _start(run_folder)
    finally:
        os.close(lock)


def supervisor_identity(run_folder: Path) -> Identity | None:
    """Who the run folder's record says the supervisor is, dead or alive; None without a record."""
    try:
        record = json.loads((run_folder / _RECORD).read_bytes())
        return Identity(int(record["pid"]), int(record["starttime"]), str(record["boot_id"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def enter_namespaces() -> None:
    """Makes the namespaces for a new supervisor around the caller; ``HostLacks`` says what the host refuses."""
    here = os.getcwd()  # noqa: PTH109
    if os.geteuid() != 0 or not _may_mount():
        try:
            userns.enter_user_namespace()
        except OSError as error:
            raise HostLacks(
                f"this host lets {_who()} make no user namespace ({error.strerror})",
                hint="containerlab doctor tells what is allowed here.",
            ) from error
    try:
        syscalls.unshare(c.CLONE_NEWNS)
        syscalls.mount("", "/", "", c.MS_SLAVE | c.MS_REC)
    except OSError as error:
        raise HostLacks(f"this host lets {_who()} make no mount namespace ({error.strerror})") from error
    os.chdir(here)


def _may_mount() -> bool:
    """CAP_SYS_ADMIN here: root of a container often lacks it."""
    return bool(syscalls.capget()[0] & 1 << 21)


def _who() -> str:
    return "root" if os.geteuid() == 0 else f"user {os.geteuid()}"


def _join(identity: Identity) -> bool:
    """Joins a live supervisor's namespaces; False when it is gone."""
    try:
        pidfd = open_process(identity)
    except ProcessLookupError:
        return False
    here = os.getcwd()  # noqa: PTH109
    try:
        kinds = c.CLONE_NEWNS
        if not _same_namespace(identity.pid, "user"):
            kinds |= c.CLONE_NEWUSER
        if kinds != c.CLONE_NEWNS or not _same_namespace(identity.pid, "mnt"):
            syscalls.setns(pidfd, kinds)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    userns.in_user_namespace.cache_clear()
    os.chdir(here)
    return True


def _same_namespace(pid: int, name: str) -> bool:
    try:
        theirs = os.stat(f"/proc/{pid}/ns/{name}")  # noqa: PTH116
    except FileNotFoundError:
        raise ProcessLookupError(3, "No such process", str(pid)) from None
    return os.path.samestat(theirs, os.stat(f"/proc/self/ns/{name}"))  # noqa: PTH116


def _start(run_folder: Path) -> None:
    """Starts the supervisor as a daemon (daemon(7): double fork, setsid, null stdio) and waits until it listens."""
    complaint = run_folder / _COMPLAINT
    for stale in (run_folder / _RECORD, complaint):
        stale.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                _exec_supervisor(run_folder, complaint)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    deadline = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < deadline:
        identity = supervisor_identity(run_folder)
        if identity is not None and _lives(identity):
            return
        if complaint.exists() and complaint.stat().st_size and identity is None:
            # A traceback is written at once, but not in one piece.
            time.sleep(0.1)
            break
        time.sleep(_POLL_S)
    reason = complaint.read_text(errors="replace").strip().splitlines() if complaint.exists() else []
    raise HostLacks(f"the supervisor didn't start: {reason[-1] if reason else 'no answer within 10 seconds'}")


def _lives(identity: Identity) -> bool:
    try:
        os.close(open_process(identity))
    except ProcessLookupError:
        return False
    return True


def _exec_supervisor(run_folder: Path, complaint: Path) -> None:
    """Its own small interpreter: no site, nothing of the environment that could change what it imports."""
    null = os.open("/dev/null", os.O_RDWR)
    error = os.open(complaint, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for number, fd in ((0, null), (1, null), (2, error)):
        os.dup2(fd, number)
    os.chdir("/")
    os.umask(0o022)
    syscalls.close_range(3)
    program = str(Path(__file__).resolve().parent / "supervisor")
    arguments = [sys.executable, "-S", "-E", program, str(run_folder)]
    os.execv(sys.executable, arguments)
