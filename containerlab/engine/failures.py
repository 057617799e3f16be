"""A refused start in Docker's words, and the exit code that goes with it.

The docker client reads the exit code out of these very words (docker/cli cli/command/container/run.go): "executable
file not found" and "no such file or directory" mean 127, "permission denied" 126, anything else 125.
"""

from __future__ import annotations

import errno
import os

from containerlab.errors import StartFailed

__all__ = ["bind_failed", "start_failed"]

_TASK = "failed to create task for container: failed to create shim task: OCI runtime create failed: "
_EXEC = "OCI runtime exec failed: exec failed: "
_WRONG_KIND = (
    ": Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is "
    "the expected type"
)
# 125 is the command line's own failure, that an exec's code is never mistaken for (moby daemon/exec.go).
_NOT_INVOKED = 126
_START = "unable to start container process: "


def start_failed(exc: OSError, command: str, *, of_exec: bool = False) -> StartFailed:
    """``exc`` is the supervisor's answer: errno, and where known ``stage`` and the path that refused."""
    stage = getattr(exc, "stage", "") or ""
    detail, code = _reason(exc, stage, command)
    if of_exec:
        code = max(code, _NOT_INVOKED)
        if stage == "user":
            return StartFailed(exc.strerror or detail, exit_code=code)
    head = _EXEC if of_exec else _TASK
    whole = f"{head}{_START}{detail}: unknown"
    return StartFailed(whole + (_WRONG_KIND if _is_wrong_kind(exc, stage) else ""), exit_code=code)


def bind_failed(exc: OSError, source: str, destination: str) -> StartFailed:
    """``source``, which was there when the container was created, can't be opened."""
    where = f'error during container init: error mounting "{source}" to rootfs at "{destination}"'
    reason = (exc.strerror or str(exc)).lower()
    return StartFailed(f"{_TASK}{_START}{where}: stat {source}: {reason}: unknown", exit_code=125)


def _is_wrong_kind(exc: OSError, stage: str) -> bool:
    return stage == "mount" and exc.errno == errno.ENOTDIR


def _reason(exc: OSError, stage: str, command: str) -> tuple[str, int]:
    reason = (os.strerror(exc.errno) if exc.errno else str(exc)).lower()
    if stage == "exec":
        return _exec_reason(exc, command, reason)
    if stage == "cwd":
        return f'chdir to cwd ("{exc.filename or ""}") set in config.json failed: {reason}', 125
    if stage == "user":
        return f"unable to find user: {exc.strerror or reason}", 125
    where = f' "{exc.filename}"' if exc.filename else ""
    if _is_wrong_kind(exc, stage):
        return f"error during container init: error mounting to rootfs at{where}: {reason}", 125
    said = exc.strerror if exc.strerror and exc.strerror.lower() != reason else ""
    return f"{stage or 'start'}{where}: {reason}{f' ({said})' if said else ''}", 125


def _exec_reason(exc: OSError, command: str, reason: str) -> tuple[str, int]:
    if exc.errno == errno.ENOENT and "/" not in command:
        return f'exec: "{command}": executable file not found in $PATH', 127
    if exc.errno == errno.ENOENT:
        return f'exec: "{command}": stat {command}: no such file or directory', 127
    if exc.errno in (errno.EACCES, errno.EPERM, errno.EISDIR):
        return f'exec: "{command}": permission denied', 126
    return f'exec: "{command}": {reason}', 126 if exc.errno == errno.ENOEXEC else 125
