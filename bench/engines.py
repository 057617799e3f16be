"""An engine of ours and a dockerd, each with a folder of its own, started for a benchmark and ended after it."""

from __future__ import annotations

import io
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

__all__ = ["Engine", "busybox_root", "dockerd", "ours"]

IMAGE = "lab/busybox"


class Engine:
    """A running engine: its client, its socket, and the process that leads its tree."""

    def __init__(self, socket: Path, leader: int, tree: list[int] | None = None) -> None:
        self.socket = socket
        self.leader = leader
        self.client = docker.DockerClient(base_url=f"unix://{socket}", timeout=60)
        self._tree = tree

    def processes(self) -> list[int]:
        """The engine's own processes: the leader and all below it, containers' programs excepted."""
        return [pid for pid in (self._tree or descendants(self.leader)) if _alive(pid)]


@contextmanager
def ours() -> Iterator[Engine]:
    """``containerlab serve`` on a store in a temporary folder; the supervisor counts as part of the engine."""
    folder = Path(tempfile.mkdtemp(prefix="cl-bench-"))
    command = [sys.executable, "-m", "containerlab", "serve"]
    command += ["--socket", str(folder / "s"), "--store", str(folder / "store")]
    server = subprocess.Popen(command, start_new_session=True)
    try:
        _wait_for(folder / "s", server)
        supervisor = _supervisor(folder / "store")
        engine = Engine(folder / "s", server.pid, [server.pid, supervisor])
        engine.client.images.pull(IMAGE, tag="latest")
        yield engine
        for container in engine.client.containers.list(all=True):
            container.remove(force=True)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _supervisor(store: Path) -> int:
    import json

    from containerlab.paths import run_folder

    record = json.loads((run_folder(store) / "supervisor.json").read_text())
    return int(record["pid"])


@contextmanager
def dockerd() -> Iterator[Engine]:
    """A real dockerd without a bridge, so that nothing of the host's network is touched."""
    folder = Path(tempfile.mkdtemp(prefix="cl-dockerd-"))
    command = ["dockerd", "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")]
    command += ["-H", f"unix://{folder}/s", "-p", str(folder / "pid"), "--bridge", "none"]
    command += ["--iptables=false", "--ip6tables=false"]
    log = (folder / "log").open("wb")
    server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(folder / "s", server)
        engine = Engine(folder / "s", server.pid)
        engine.client.api.import_image_from_data(busybox_tar(), repository=IMAGE, tag="latest")
        yield engine
        for container in engine.client.containers.list(all=True):
            container.remove(force=True)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(socket: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        try:
            docker.DockerClient(base_url=f"unix://{socket}", version="1.41").ping()
            return
        except Exception:
            time.sleep(0.1)
    raise SystemExit(f"no engine came up at {socket}")


def busybox_root(folder: Path) -> Path:
    """A root file system of one static busybox with its applets as links, for the peers."""
    binary = shutil.which("busybox") or "/bin/busybox"
    applets = subprocess.run([binary, "--list"], capture_output=True, text=True, check=True).stdout.split()
    (folder / "bin").mkdir(parents=True)
    for name in ("proc", "sys", "dev", "tmp", "etc", "root"):
        (folder / name).mkdir()
    shutil.copy(binary, folder / "bin/busybox")
    for applet in applets:
        if applet != "busybox":
            (folder / "bin" / applet).symlink_to("busybox")
    return folder


def busybox_tar() -> bytes:
    """The same root as a tar stream, for ``docker import``."""
    with tempfile.TemporaryDirectory() as folder:
        root = busybox_root(Path(folder) / "root")
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            archive.add(root, arcname=".")
        return stream.getvalue()


def descendants(leader: int) -> list[int]:
    """``leader`` and every process below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parent = int(stat.rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found = [leader]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/smaps_rollup").exists()
