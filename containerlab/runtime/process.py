"""The last part of every start, a container's or an exec's: from inside the root to the program.

OCI's ``process`` object is read in the parent (:meth:`Process.from_spec`); :func:`finish` runs in the child.
"""

from __future__ import annotations

import errno
import os
import resource
import stat
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from containerlab.runtime import capabilities, syscalls, users
from containerlab.runtime import constants as c
from containerlab.runtime.signals import reset_signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from containerlab.runtime.inroot import Root
    from containerlab.runtime.report import Report

__all__ = ["Process", "finish", "look_up", "set_oom_score"]


class Process(NamedTuple):
    """OCI's process object, checked. ``user_words`` are Docker's, None for numbers; ``load_filter`` installs one."""

    args: list[str]
    env: dict[str, str]
    cwd: str
    user_words: str | None
    uid: int
    gid: int
    groups: list[int]
    group_words: list[str]
    bounding: int
    effective: int
    permitted: int
    rlimits: list[tuple[int, int, int]]
    no_new_privileges: bool
    oom_score_adj: int | None
    umask: int
    terminal: bool
    console_size: dict[str, int] | None
    load_filter: Callable[[], None] | None = None

    @classmethod
    def from_spec(
        cls, process: dict[str, Any], *, seccomp: str | None, user_words: str | None, group_words: list[str]
    ) -> Process:
        """Raises ``ValueError`` for what can't be, ``OSError`` when the filter can't be read."""
        args = process.get("args")
        if not args:
            raise ValueError("process.args is empty: there is no command to run")
        if not process.get("cwd", "").startswith("/"):
            raise ValueError(f"process.cwd must be an absolute path, not {process.get('cwd', '')!r}")
        user, caps = process.get("user", {}), process.get("capabilities", {})
        return cls(
            args=list(args),
            env=dict(word.partition("=")[::2] for word in process.get("env", [])),
            cwd=process["cwd"],
            user_words=user_words,
            uid=user.get("uid", 0),
            gid=user.get("gid", 0),
            groups=list(user.get("additionalGids", [])),
            group_words=group_words,
            bounding=capabilities.mask(caps.get("bounding", [])),
            effective=capabilities.mask(caps.get("effective", [])),
            permitted=capabilities.mask(caps.get("permitted", [])),
            rlimits=[_rlimit(entry) for entry in process.get("rlimits", [])],
            no_new_privileges=bool(process.get("noNewPrivileges", False)),
            oom_score_adj=process.get("oomScoreAdj"),
            umask=user.get("umask", 0o022),
            terminal=bool(process.get("terminal", False)),
            console_size=process.get("consoleSize"),
            load_filter=_filter(seccomp) if seccomp else None,
        )


def _filter(path: str) -> Callable[[], None]:
    # Imported before the clone: afterwards there may be no file system to import from.
    from containerlab.runtime.seccomp_load import prepared

    with open(path, "rb") as file:
        return prepared(file.read())


def _rlimit(entry: dict[str, Any]) -> tuple[int, int, int]:
    number = getattr(resource, entry["type"], None)
    if number is None or not entry["type"].startswith("RLIMIT_"):
        raise ValueError(f"unknown resource limit {entry['type']!r}")
    # The spec's numbers are unsigned; Python's are the same bits, signed.
    soft, hard = (-1 if value >= 2**63 else value for value in (entry["soft"], entry["hard"]))
    return number, soft, hard


def finish(process: Process, root: Root, report: Report) -> NoReturn:
    """User, directory, limits, filter, capabilities, exec. ``OSError`` at the stage that ``report`` says."""
    report.stage = "user"
    user = _resolve(process, root)
    process.env.setdefault("HOME", user.home)
    report.stamp("user")
    report.stage = "cwd"
    entered = _enter(root, process.cwd, may_wait=user.uid != 0)
    os.close(root.fd)
    report.stage = "limits"
    _set_limits(process.rlimits)
    _own_keyring()
    report.stage = "capabilities"
    capabilities.drop_bounding(process.bounding)
    if not process.no_new_privileges:
        _load_filter(process, report)
    report.stage = "user"
    _give_stdio(user.uid)
    _become(user)
    report.stage = "capabilities"
    if user.uid == 0:
        capabilities.set_capabilities(process.effective, process.permitted)
    else:
        # As moby does, and as execve(2) would: the bounding set is all that a user has.
        capabilities.set_capabilities(0, 0)
    if not entered:
        report.stage = "cwd"
        _chdir(process.cwd)
    if process.no_new_privileges:
        syscalls.prctl(c.PR_SET_NO_NEW_PRIVS, 1)
        _load_filter(process, report)
    report.stage = "exec"
    path = look_up(process.args[0], process.env.get("PATH", ""))
    os.umask(process.umask)
    reset_signals()
    report.stamp("exec")
    report.ready()
    syscalls.close_range(report.fd + 1)
    try:
        os.execve(path, process.args, process.env)
    except OSError as error:
        raise OSError(error.errno, f"exec {path}: {_go(error)}", path) from None


def set_oom_score(score: int | None) -> None:
    """/proc/PID/oom_score_adj. Written before the process stops being dumpable, while the file is still its own.

    Lowering needs CAP_SYS_RESOURCE: without it Docker's default of 0 stays what the engine has, as in rootless Docker.
    """
    if score is None:
        return
    fd = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
    try:
        if int(os.read(fd, 16)) != score:
            os.write(fd, b"%d" % score)
    except OSError as error:
        if score != 0 or error.errno not in {errno.EACCES, errno.EPERM}:
            raise OSError(error.errno, f"oom_score_adj: {error.strerror}") from None
    finally:
        os.close(fd)


def look_up(name: str, path: str) -> str:
    """The program that ``name`` means, as Go's ``exec.LookPath``, with its words (ENOENT, EACCES, EISDIR)."""
    if "/" in name:
        _check_program(name, f'exec: "{name}": ')
        return name
    for directory in path.split(":") if path else ():
        candidate = f"{directory or '.'}/{name}"
        try:
            _check_program(candidate, "")
        except OSError:
            continue
        return candidate
    raise OSError(errno.ENOENT, f'exec: "{name}": executable file not found in $PATH', name)


def _check_program(path: str, prefix: str) -> None:
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except OSError as error:
        raise OSError(error.errno, f"{prefix}stat {path}: {_go(error)}", path) from None
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, f"{prefix}is a directory", path)
    if not os.access(path, os.X_OK):
        raise OSError(errno.EACCES, f"{prefix}permission denied", path)


def _go(error: OSError) -> str:
    """The kernel's words as Docker's messages have them, in lower case."""
    return (error.strerror or str(error)).lower()


def _resolve(process: Process, root: Root) -> users.ResolvedUser:
    if process.user_words is None:
        groups = [process.gid, *(gid for gid in process.groups if gid != process.gid)]
        home = "/" if "HOME" in process.env else users.home_of(root, process.uid)
        user = users.ResolvedUser(process.uid, process.gid, groups, home)
    else:
        user = users.resolve_user(root, process.user_words)
        user.groups.extend([gid for gid in process.groups if gid not in user.groups])
    extra = users.resolve_groups(root, process.group_words)
    user.groups.extend([gid for gid in extra if gid not in user.groups])
    return user


def _enter(root: Root, cwd: str, *, may_wait: bool) -> bool:
    """Changes to ``cwd``; False when only the user itself may go there, and it has to be tried again as that user."""
    try:
        fd = root.open(cwd, os.O_PATH | os.O_DIRECTORY)
        try:
            os.fchdir(fd)
        finally:
            os.close(fd)
    except PermissionError:
        if not may_wait:
            raise
        return False
    except OSError as error:
        raise _cwd_error(cwd, error) from None
    _check_cwd(cwd)
    return True


def _chdir(cwd: str) -> None:
    try:
        os.chdir(cwd)
    except OSError as error:
        raise _cwd_error(cwd, error) from None
    _check_cwd(cwd)


def _cwd_error(cwd: str, error: OSError) -> OSError:
    return OSError(error.errno, f'chdir to cwd ("{cwd}") set in config.json failed: {_go(error)}', cwd)


def _check_cwd(cwd: str) -> None:
    """A directory outside the root has no path here (CVE-2024-21626)."""
    if not syscalls.getcwd().startswith("/"):
        raise OSError(errno.ENOENT, "the working directory is outside the container", cwd)


def _set_limits(rlimits: list[tuple[int, int, int]]) -> None:
    for number, soft, hard in rlimits:
        try:
            resource.setrlimit(number, (soft, hard))
        except (OSError, ValueError) as error:
            # Python says ValueError for EPERM and for a soft limit above the hard one.
            raised = errno.EPERM if soft <= hard or hard == -1 else errno.EINVAL
            message = f"setting resource limit {number} to {soft}:{hard}: {error}"
            raise OSError(raised, message) from None


def _own_keyring() -> None:
    """A session keyring of its own. Without one (a host's filter, a quota) seccomp still keeps keyctl away."""
    try:
        syscalls.join_session_keyring()
    except OSError as error:
        if error.errno not in {errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EDQUOT}:
            raise


def _load_filter(process: Process, report: Report) -> None:
    report.stage = "seccomp"
    if process.load_filter is not None:
        process.load_filter()
    report.stamp("seccomp")


def _give_stdio(uid: int) -> None:
    """So that a user can open /dev/stdout again, as runc does; /dev/null stays root's."""
    for fd in (0, 1, 2):
        try:
            status = os.fstat(fd)
            if status.st_uid != uid and status.st_rdev != os.makedev(1, 3):
                os.fchown(fd, uid, -1)
        except OSError as error:
            # A pipe of another user namespace, a read-only file, a closed descriptor: it works as it is.
            if error.errno not in {errno.EINVAL, errno.EPERM, errno.EROFS, errno.EBADF}:
                raise


def _become(user: users.ResolvedUser) -> None:
    try:
        _set_groups(user)
        os.setresgid(user.gid, user.gid, user.gid)
        os.setresuid(user.uid, user.uid, user.uid)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.EPERM}:
            raise
        message = (
            f"user {user.uid}, groups {' '.join(map(str, user.groups))}: {error.strerror} (on this host a container "
            "has only the ids that its user namespace maps: see containerlab doctor, rung)"
        )
        raise OSError(error.errno, message) from None


def _set_groups(user: users.ResolvedUser) -> None:
    try:
        os.setgroups(user.groups)
    except PermissionError:
        # With one id only the kernel denies setgroups(2) (user_namespaces(7)); the primary group alone needs none.
        if user.groups != [user.gid]:
            raise
