"""An engine of ours and a dockerd, each with a folder of its own, started for a benchmark and ended after it."""

from __future__ import annotations

import contextlib
import io
import os
import select
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

from containerlab.paths import api_socket, run_folder
from containerlab.runtime.identity import open_process
from containerlab.runtime.launch import supervisor_identity

__all__ = ["IMAGE", "Engine", "dockerd", "ours"]

IMAGE = "lab/busybox"
_LIMIT_S = 30


class Engine:
    """A running engine: its client, its socket, and its processes."""

    def __init__(self, name: str, socket: Path, folder: Path, leaders: list[int]) -> None:
        self.name, self.socket, self.folder = name, socket, folder
        self.client = docker.DockerClient(base_url=f"unix://{socket}", timeout=60)
        self.leaders = leaders

    def processes(self) -> list[int]:
        """The engine's own: its leaders, all below them, and whoever has its folder on the command line.

        The last are containerd's shims, which leave their parent. Containers' programs are among these too.
        """
        found = {pid for leader in self.leaders for pid in _descendants(leader)}
        mark = os.fsencode(str(self.folder) + "/")
        for pid in _pids():
            with contextlib.suppress(OSError):
                if mark in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.add(pid)
        return sorted(found)

    def remove_containers(self) -> None:
        """Every container, running or not."""
        for container in self.client.containers.list(all=True):
            container.remove(force=True)


@contextmanager
def ours() -> Iterator[Engine]:
    """``containerlab serve`` on a store in a temporary folder; the supervisor counts as part of the engine."""
    folder = Path(tempfile.mkdtemp(prefix="cl-bench-"))
    store = folder / "store"
    socket = api_socket(store)  # where the kit's own front ends look for the engine of this store
    socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [sys.executable, "-m", "containerlab", "serve", "--socket", str(socket), "--store", str(store)]
    server = subprocess.Popen(command, start_new_session=True)
    try:
        _wait_for(socket, server)
        identity = supervisor_identity(run_folder(store))
        leaders = [server.pid, *([identity.pid] if identity else [])]
        engine = Engine("containerlab", socket, folder, leaders)
        engine.client.images.pull(IMAGE, tag="latest")
        yield engine
        engine.remove_containers()
    finally:
        _end(server)
        _end_supervisor(store)
        shutil.rmtree(run_folder(store), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _end_supervisor(store: Path) -> None:
    """One that outlived its engine; asked by SIGTERM it ends, because no container is left."""
    identity = supervisor_identity(run_folder(store))
    if identity is None:
        return
    with contextlib.suppress(ProcessLookupError):
        pidfd = open_process(identity)
        signal.pidfd_send_signal(pidfd, signal.SIGTERM)
        select.select([pidfd], [], [], _LIMIT_S)
        os.close(pidfd)


@contextmanager
def dockerd(*, bridge: bool = False) -> Iterator[Engine]:
    """A real dockerd whose containerd is its own; nothing of the host's network is touched.

    With ``bridge`` it has its own defaults (docker0, iptables, docker-proxy) in a network namespace of its own, else
    no bridge.
    """
    folder = Path(tempfile.mkdtemp(prefix="cl-dockerd-"))
    command = ["dockerd", "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")]
    command += ["-H", f"unix://{folder}/s", "-p", str(folder / "pid"), "--cgroup-parent", f"/{folder.name}"]
    if bridge:
        words = ["unshare", "--net", "--mount", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        command = [*words, *command, "--userland-proxy=true"]
    else:
        command += ["--bridge", "none", "--iptables=false", "--ip6tables=false"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(folder / "s", server)
        engine = Engine("dockerd", folder / "s", folder, [server.pid])
        engine.client.api.import_image_from_data(_busybox_tar(), repository=IMAGE, tag="latest")
        yield engine
        engine.remove_containers()
    finally:
        _end(server)
        _sweep(folder)


def _end(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(_LIMIT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _sweep(folder: Path) -> None:
    """What dockerd leaves behind: its data folder's own mount, its parent cgroup, its files."""
    subprocess.run(["umount", str(folder / "data")], capture_output=True, check=False)
    for group in [Path("/sys/fs/cgroup") / folder.name, *Path("/sys/fs/cgroup").glob(f"*/{folder.name}")]:
        with contextlib.suppress(OSError):
            group.rmdir()
    shutil.rmtree(folder, ignore_errors=True)


def _wait_for(socket: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline and server.poll() is None:
        client = docker.DockerClient(base_url=f"unix://{socket}", version="1.41")
        with contextlib.suppress(Exception):
            if client.ping():
                return
        time.sleep(0.1)
    raise RuntimeError(f"no engine came up: {server.args!r}")


def _busybox_tar() -> bytes:
    """One static busybox with its applets as links, as a tar for ``docker import``: what lab/busybox holds, too."""
    binary = shutil.which("busybox")
    if binary is None:
        raise RuntimeError("busybox is not installed")
    applets = subprocess.run([binary, "--list"], capture_output=True, text=True, check=True).stdout.split()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for folder in ("bin", "proc", "sys", "dev", "tmp", "etc", "root"):
            (root / folder).mkdir()
        shutil.copy(binary, root / "bin/busybox")
        for applet in applets:
            if applet != "busybox":
                (root / "bin" / applet).symlink_to("busybox")
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            archive.add(root, arcname=".")
        return stream.getvalue()


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _descendants(leader: int) -> list[int]:
    """``leader`` and every process below it."""
    children: dict[int, list[int]] = {}
    for pid in _pids():
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_text()
            children.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(pid)
    found = [leader]
    for pid in found:
        found.extend(children.get(pid, []))
    return found
