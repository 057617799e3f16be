"""Another store with an engine of its own: on one host, what a second machine would be."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import docker
import docker.errors

from containerlab import paths
from containerlab.errors import ContainerlabError

__all__ = ["AnotherStore", "another_store"]

_END_S = 30.0


def another_store() -> AnotherStore:
    """A new, empty store in a folder of its own. Whoever asks for it ends it."""
    return AnotherStore(Path(tempfile.mkdtemp(prefix="containerlab-store-")))


class AnotherStore:
    """``store("run", "--rm", "lab/busybox", "date")`` is the command ``containerlab run …`` with this store's engine.

    The engine starts with the first command. As a context manager it ends with the block.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        atexit.register(self.end)

    def __call__(self, *words: str) -> str:
        """What the command prints. Raises ContainerlabError with its last words where it fails."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "containerlab", *words],
            env=self._environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise ContainerlabError(f"containerlab {' '.join(words)} ended with exit code {done.returncode}: {said}")
        return done.stdout

    def __enter__(self) -> AnotherStore:
        return self

    def __exit__(self, *about: object) -> None:
        self.end()

    def end(self) -> None:
        """Remove all that is in it, end its engine, and take the folder away. Once is enough, twice does no harm."""
        atexit.unregister(self.end)
        if not self.folder.exists():
            return
        if self._engine():
            self._empty()
        self._end_engine()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _empty(self) -> None:
        """Without root some files belong to other ids than the user's: only the engine can remove them."""
        client = docker.DockerClient(base_url=f"unix://{paths.api_socket(self.folder)}", version="1.43")
        with contextlib.closing(client), contextlib.suppress(docker.errors.APIError):
            for container in client.containers.list(all=True):
                container.remove(force=True, v=True)
            for volume in client.volumes.list():
                volume.remove(force=True)
            for image in client.images.list():
                client.images.remove(image.id, force=True)
            client.api.prune_builds()

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("DOCKER_HOST", "CONTAINERLAB_HOST")}
        return {**kept, "CONTAINERLAB_STORE": str(self.folder)}

    def _end_engine(self) -> None:
        """The one that runs, and with the idle end of another one the supervisor too."""
        pid = self._engine()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _END_S
        while self._engine() and time.monotonic() < deadline:
            time.sleep(0.02)
        serve = [sys.executable, "-P", "-m", "containerlab", "serve", "--store", str(self.folder), "--idle-exit", "0.1"]
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                serve, env=self._environment(), cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, timeout=_END_S, check=False,
            )  # fmt: skip

    def _engine(self) -> int:
        """The process that listens on the store's socket; 0 where nobody does, or it can't be seen from here."""
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(paths.api_socket(self.folder)))
            except OSError:
                return 0
            # Process, user and group at the other end (SO_PEERCRED, unix(7)).
            return int(struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])
