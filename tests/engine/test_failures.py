"""A start that was refused: Docker's words, and the exit code that the docker client makes of them."""

from __future__ import annotations

import errno
import os

import pytest

from containerlab.engine.failures import start_failed


def refused(number: int, stage: str, path: str | None = None, said: str = "") -> OSError:
    error = OSError(number, said or os.strerror(number), path)
    error.stage = stage  # type: ignore[attr-defined]
    return error


def client_code(message: str) -> int:
    """What docker/cli (cli/command/container/run.go, ``toStatusError``) exits with."""
    if "executable file not found" in message or "no such file or directory" in message:
        return 127
    if "permission denied" in message or "is a directory" in message:
        return 126
    return 125


TASK = "failed to create task for container: failed to create shim task: OCI runtime create failed: "


@pytest.mark.parametrize(
    ("number", "command", "detail", "code"),
    # What Docker 20.10 with runc 1.1 says of the same commands.
    [
        (errno.ENOENT, "nonono", 'exec: "nonono": executable file not found in $PATH', 127),
        (errno.ENOENT, "/nonono", 'exec: "/nonono": stat /nonono: no such file or directory', 127),
        (errno.ENOENT, "./x", 'exec: "./x": stat ./x: no such file or directory', 127),
        (errno.EACCES, "/etc/passwd", 'exec: "/etc/passwd": permission denied', 126),
        (errno.EPERM, "/x", 'exec: "/x": permission denied', 126),
        (errno.EISDIR, "/etc", 'exec: "/etc": permission denied', 126),
        (errno.E2BIG, "/x", 'exec: "/x": argument list too long', 125),
        (errno.ENOMEM, "/x", 'exec: "/x": cannot allocate memory', 125),
    ],
)
def test_a_command_that_can_t_be_run_is_told_in_docker_s_words(
    number: int, command: str, detail: str, code: int
) -> None:
    failure = start_failed(refused(number, "exec", command), command)
    assert failure.message == f"{TASK}unable to start container process: {detail}: unknown"
    assert failure.exit_code == code == client_code(failure.message)
    assert failure.status == 400


def test_a_program_of_another_kind_is_not_executable() -> None:
    failure = start_failed(refused(errno.ENOEXEC, "exec", "/x"), "/x")
    assert 'exec: "/x": exec format error' in failure.message
    assert failure.exit_code == 126


def test_an_exec_s_failure_begins_with_docker_s_other_words() -> None:
    failure = start_failed(refused(errno.ENOENT, "exec"), "nonono", of_exec=True)
    assert failure.message == (
        "OCI runtime exec failed: exec failed: unable to start container process: "
        'exec: "nonono": executable file not found in $PATH: unknown'
    )


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (
            refused(errno.ENOTDIR, "cwd", "/etc/passwd"),
            'chdir to cwd ("/etc/passwd") set in config.json failed: not a',
        ),
        (
            refused(errno.EINVAL, "user", said="no matching entries in passwd file"),
            "unable to find user: no matching",
        ),
        (refused(errno.EBUSY, "mount", "/x"), 'mount "/x": device or resource busy'),
        (refused(errno.EBUSY, "mount", "/x", "its source is gone"), "device or resource busy (its source is gone)"),
        (
            refused(errno.ENOTSUP, "cgroup", said="no memory controller"),
            "cgroup: operation not supported (no memory",
        ),
        (OSError(errno.EPIPE, "Broken pipe"), "start: broken pipe"),
        (OSError("the supervisor is gone"), "start: the supervisor is gone"),
    ],
)
def test_any_other_failure_names_its_stage_and_is_125(error: OSError, detail: str) -> None:
    failure = start_failed(error, "sh")
    assert detail in failure.message
    assert failure.message.startswith(TASK)
    assert failure.exit_code == 125
