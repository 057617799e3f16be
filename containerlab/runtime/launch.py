"""The supervisor's namespaces: made with it once, joined by every later engine of the same store.

As root only a mount namespace, with slave propagation, so that what the host mounts later is seen and nothing goes
out; as anybody else a user namespace first. All of it happens before the caller's first thread: unshare(2) of a
user namespace and setns(2) into one refuse a process with two. A host that gives no namespace is left as it is, once
proot is proved to work there.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from pathlib import Path

from containerlab import paths, rung
from containerlab.errors import HostLacks
from containerlab.runtime import constants as c
from containerlab.runtime import host_mounts, syscalls, userns
from containerlab.runtime.identity import Identity, lives, open_process
from containerlab.runtime.storage import check_store

__all__ = ["ensure_supervisor", "enter_namespaces", "find_rung", "supervisor_identity"]

_START_LIMIT_S = 10.0
_POLL_S = 0.002
_RECORD = "supervisor.json"
_COMPLAINT = "supervisor.err"


def ensure_supervisor(run_folder: Path, store: Path) -> None:
    """Leaves the caller in the namespaces of the store's supervisor, which lives when this returns.

    On the rung ``proot`` there are none, and ``rung.copies_roots`` says so from here on. Raises ``HostLacks`` where the
    host allows neither, or the supervisor couldn't be started; ``OSError`` when the folders can't be made.
    """
    host_mounts.remember()
    for folder in (run_folder, store):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(run_folder / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        identity = supervisor_identity(run_folder)
        if identity is None or not _join(identity, _recorded_rung(run_folder)):
            find_rung()
            check_store(store, mounts=not rung.copies_roots())
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


def find_rung() -> None:
    """Takes the rung that is asked for, else the best one: its namespaces are made around the caller.

    Raises ``HostLacks`` with what stands in the way.
    """
    wanted = rung.asked()
    if wanted == rung.PROOT:
        _take_proot()
        return
    try:
        enter_namespaces(wanted)
    except HostLacks as refused:
        if wanted:
            raise
        try:
            _take_proot()
        except HostLacks as error:
            hint = f"{error.hint} containerlab doctor tells what is allowed here.".lstrip()
            raise HostLacks(f"{refused.message}, and {error.message}", hint=hint) from error


def _take_proot() -> None:
    from containerlab.runtime.proot.program import prove

    if os.geteuid() == 0 and _may_mount():
        raise HostLacks(
            "the rung proot isolates nothing, and as root a container's root would be the host's",
            hint="Run the engine as an ordinary user, or leave CONTAINERLAB_RUNG unset.",
        )
    prove()
    rung.settle(rung.PROOT)


def enter_namespaces(wanted: str = "") -> None:
    """Makes the namespaces for a new supervisor around the caller; ``HostLacks`` says what the host refuses.

    ``wanted`` is a rung's name, for one that must be no other.
    """
    here = os.getcwd()  # noqa: PTH109
    is_root, who = os.geteuid() == 0 and _may_mount(), _who()
    if wanted == "root" and not is_root:
        raise HostLacks(f"the rung root needs root with CAP_SYS_ADMIN, and this is {_who()}")
    if not is_root or wanted.startswith("rootless"):
        try:
            has_ids = userns.enter_user_namespace(one_id=wanted == "rootless-one-id")
        except OSError as error:
            raise HostLacks(
                f"this host lets {_who()} make no user namespace ({error.strerror})",
                hint="containerlab doctor tells what is allowed here.",
            ) from error
        if wanted == "rootless-ids" and not has_ids:
            raise HostLacks(f"the rung rootless-ids needs subordinate ids and newuidmap, which {who} lacks")
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


def _recorded_rung(run_folder: Path) -> str:
    """Which rung the supervisor stands on; empty for one with namespaces."""
    try:
        return str(json.loads((run_folder / _RECORD).read_bytes()).get("rung", ""))
    except (OSError, ValueError):
        return ""


def _join(identity: Identity, theirs: str) -> bool:
    """Joins a live supervisor's namespaces, and takes its rung; False when it is gone."""
    try:
        pidfd = open_process(identity)
    except ProcessLookupError:
        return False
    wanted = rung.asked()
    if wanted and (wanted == rung.PROOT) != (theirs == rung.PROOT):
        os.close(pidfd)
        raise HostLacks(
            f"{rung.VARIABLE} asks for the rung {wanted}, but this store's containers run on another",
            hint="End them first, or take another store (CONTAINERLAB_STORE).",
        )
    if theirs == rung.PROOT:
        os.close(pidfd)
        rung.settle(rung.PROOT)
        return True
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
        if identity is not None and lives(identity):
            return
        if complaint.exists() and complaint.stat().st_size and identity is None:
            # A traceback is written at once, but not in one piece.
            time.sleep(0.1)
            break
        time.sleep(_POLL_S)
    reason = complaint.read_text(errors="replace").strip().splitlines() if complaint.exists() else []
    raise HostLacks(f"the supervisor didn't start: {reason[-1] if reason else 'no answer within 10 seconds'}")


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
    arguments = [sys.executable, *paths.INTERPRETER, "-S", "-E", program, str(run_folder)]
    os.execv(sys.executable, arguments)
