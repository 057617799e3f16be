"""The programs that this rung stands on, proved by running them: proot, and the static init below it."""

from __future__ import annotations

import os

from containerlab.errors import HostLacks
from containerlab.runtime import tini

__all__ = ["NO_SECCOMP", "locate", "prove"]

NO_SECCOMP = "PROOT_NO_SECCOMP"
"""proot(1): with it no seccomp filter speeds up the tracing; on some kernels it only works so."""

_LIMIT_S = 10.0


def locate() -> str:
    """The path of proot. Raises HostLacks."""
    for folder in os.environ.get("PATH", "").split(":"):
        path = f"{folder}/proot"
        if folder.startswith("/") and os.path.isfile(path) and os.access(path, os.X_OK):  # noqa: PTH113
            return path
    raise HostLacks("proot is not installed", hint="Install it (Debian: apt install proot; conda-forge: proot).")


def prove() -> None:
    """Runs the init under proot, with proot's seccomp acceleration and else without.

    Where only the latter works ``PROOT_NO_SECCOMP`` is set from here on. Raises HostLacks with what stands in the way.
    """
    proot = locate()
    try:
        init = tini.find()
    except HostLacks:
        raise HostLacks(
            "proot needs a static tini, which knows how a program ended, and this host has none",
            hint="Install it (Debian: apt install tini).",
        ) from None
    command = [proot, "-v", "-1", "-0", "-w", "/", init, "--version"]
    reasons = []
    for extra in ({}, {NO_SECCOMP: "1"}):
        reason = _run(command, {**os.environ, **extra})
        if not reason:
            os.environ.update(extra)
            return
        reasons.append(reason)
    raise HostLacks(f"proot doesn't work here: {reasons[-1]}", hint="It needs ptrace(2), and a /tmp to execute from.")


def _run(command: list[str], environment: dict[str, str]) -> str:
    """Why it doesn't work; empty where it does."""
    # Imported late: the supervisor imports this module, and needs it not.
    import subprocess

    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {_LIMIT_S:.0f} seconds"
    except OSError as error:
        return error.strerror or str(error)
    if done.returncode == 0:
        return ""
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return said[0] if said else f"exit code {done.returncode}"
