"""A Docker daemon of the tests' own, for holding the kit against the real thing."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

_LIMIT_S = 30


@contextlib.contextmanager
def running_dockerd(*, bridge: bool = False) -> Iterator[str]:
    """The address of a daemon, ended and swept away with the block; a skip where none starts.

    With ``bridge`` it makes docker0 and firewall rules: only in a network namespace of the caller's own.
    """
    if shutil.which("dockerd") is None or shutil.which("docker") is None:
        pytest.skip("dockerd or docker isn't installed")
    # On a short path: a socket's has 108 bytes.
    folder = Path(tempfile.mkdtemp(prefix="cl-dockerd-", dir="/tmp"))
    address = f"unix://{folder}/docker.sock"
    places = ["--data-root", folder / "data", "--exec-root", folder / "exec", "-p", folder / "pid", "-H", address]
    options = ["--cgroup-parent", f"/{folder.name}"]
    if not bridge:
        options += ["--bridge=none", "--iptables=false", "--ip6tables=false"]
    with open(folder / "log", "wb") as log:
        daemon = subprocess.Popen(["dockerd", *places, *options], stdout=log, stderr=log)
    try:
        _wait_until_it_answers(address, daemon)
        yield address
    finally:
        daemon.terminate()
        daemon.wait(_LIMIT_S)
        _sweep(folder)


def _wait_until_it_answers(address: str, daemon: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while True:
        try:
            docker.DockerClient(base_url=address).close()
        except docker.errors.DockerException:
            if time.monotonic() > deadline or daemon.poll() is not None:
                pytest.skip("dockerd doesn't start here")
            time.sleep(0.2)
        else:
            return


def _sweep(folder: Path) -> None:
    """What dockerd leaves: its data's own mount, the namespace that it bound, its parent cgroup, its files."""
    for mount in (folder / "data", folder / "exec" / "netns" / "default"):
        subprocess.run(["umount", mount], capture_output=True, check=False)
    for group in [Path("/sys/fs/cgroup") / folder.name, *Path("/sys/fs/cgroup").glob(f"*/{folder.name}")]:
        with contextlib.suppress(OSError):
            group.rmdir()
    shutil.rmtree(folder, ignore_errors=True)
