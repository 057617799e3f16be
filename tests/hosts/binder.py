"""A Binder-like host to run a command in: ``python -m tests.hosts.binder COMMAND…``, as root.

It is a container of our own runtime over this machine's root file system: uid 1000, Docker's default seccomp profile
and capabilities (so no user namespace, no mount, no chroot; clone3 is ENOSYS, ptrace works), no ``/dev/fuse``, no
cgroup to write to, loopback alone. Everything of this machine is there to be read; what is written goes with it. The
home lies in an overlay, and tini is PID 1, as on Binder: with the command ends whatever it has started.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from containerlab.runtime import cgroups, launch, seccomp
from containerlab.runtime.capabilities import DEFAULT
from containerlab.runtime.spawn import Failed, spawn
from containerlab.runtime.spec import default_spec

__all__ = ["HOME", "PARTS", "main", "run"]

UID = 1000
HOME = "/home/jovyan"
PARTS = tuple(
    f"tests/hosts/on_binder/{name}.py"
    for name in ("processes", "life", "files", "networks", "looking", "limits", "lessons")
)
"""The tests that are for such a host."""

_SOURCE = Path(__file__).resolve().parents[2]
_START_LIMIT_S = 30.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> int:
    """The command's exit code; its stdio is ours. The caller is root, has one thread, and gets a mount namespace."""
    launch.enter_namespaces()
    # Not on the machine's root file system: an overlay's upper directory can't lie in its own lower one.
    folder = Path(tempfile.mkdtemp(prefix="cl-binder-", dir="/dev/shm"))
    try:
        return _run(folder, command, environment or {})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(folder: Path, command: Sequence[str], environment: Mapping[str, str]) -> int:
    for name in ("upper", "work", "rootfs"):
        (folder / name).mkdir(mode=0o755)
    home = folder / "upper" / HOME.lstrip("/")
    home.mkdir(parents=True)
    os.chown(home, UID, UID)
    overlay = {
        "layers": "/",
        "lower": ["."],
        "upper": str(folder / "upper"),
        "work": str(folder / "work"),
        "volatile": True,
    }
    annotations = {
        "containerlab.init": "1",
        "containerlab.overlay": json.dumps(overlay),
        "containerlab.seccomp": str(seccomp.profile_path(folder, frozenset(DEFAULT))),
    }
    python = f"{_SOURCE}/.venv/bin"
    values = {
        "PATH": f"{python}:{_PATH}",
        "HOME": HOME,
        "USER": "jovyan",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(_SOURCE),
        "PYTHONDONTWRITEBYTECODE": "1",
        **environment,
    }
    env = [f"{name}={value}" for name, value in values.items()]
    spec = default_spec(
        command, env=env, cwd=str(_SOURCE), hostname="binder", user=f"{UID}:{UID}", annotations=annotations
    )
    driver = cgroups.driver()
    if not driver.can_filter_devices:
        for kept in spec["process"]["capabilities"].values():
            kept.remove("CAP_MKNOD")  # never with unfiltered devices
    rules = spec["linux"]["resources"]["devices"] if driver.can_filter_devices else None
    cgroup = driver.create(f"binder-{os.getpid()}", {}, devices=rules)
    try:
        starting = spawn(spec, str(folder), (0, 1, 2), cgroup)
        return _wait(starting.pid, starting)
    finally:
        cgroup.kill()
        cgroup.close()
        driver.clear(f"binder-{os.getpid()}")


def _wait(pid: int, starting: object) -> int:
    answer = None
    with contextlib.suppress(KeyboardInterrupt):
        while answer is None:
            if not select.select([starting], [], [], _START_LIMIT_S)[0]:
                break
            answer = starting.receive()  # type: ignore[attr-defined]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(pid, signal.SIGKILL))
    if not answer or isinstance(answer, Failed):
        os.kill(pid, signal.SIGKILL)
    while True:
        try:
            _, status = os.waitpid(pid, 0)
            break
        except KeyboardInterrupt:
            os.kill(pid, signal.SIGKILL)
    if isinstance(answer, Failed):
        raise OSError(answer.errno, f"{answer.stage}: {answer.message}", answer.path or None)
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def main(arguments: Sequence[str]) -> int:
    """``[NAME=VALUE…] COMMAND…``."""
    words = list(arguments)
    environment: dict[str, str] = {}
    while words and "=" in words[0] and not words[0].startswith("-"):
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    if not words:
        print(__doc__, file=sys.stderr)
        return 2
    return run(words, environment=environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
