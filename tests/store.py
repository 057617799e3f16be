"""A store of a test's own, and the end of everything that its engine started.

``python tests/store.py FOLDER`` ends one as the user who runs it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import docker

from containerlab import paths
from containerlab.client import start_engine
from containerlab.errors import EngineUnreachable
from containerlab.runtime.identity import lives
from containerlab.runtime.launch import supervisor_identity


class Store:
    """A store of our own under a temporary folder, and the engine process that serves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def host(self) -> str:
        """What DOCKER_HOST would be."""
        return f"unix://{paths.api_socket(self.folder)}"

    def start(self) -> None:
        """Start the engine if none runs.

        Its clients come by DOCKER_HOST, which starts none: it outlasts the longest stretch of a session that asks
        it nothing, and yet no session that was killed leaves it for good.
        """
        start_engine(self.folder, idle_exit=3600)

    def pids(self, verb: str = "serve") -> list[int]:
        """The processes of this store's engine (``serve``)."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    if verb.encode() in words and os.fsencode(self.folder) in words:
                        found.append(int(entry.name))
        return found

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Signal the engine, and wait until it is gone, its socket closed."""
        pids = self.pids()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + 20
        while any(map(_holds_files, pids)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not any(map(_holds_files, pids)) and not self.pids()

    def end(self) -> None:
        """Remove every container, then engine, supervisor and files."""
        with contextlib.suppress(EngineUnreachable):
            self.start()
            client = docker.DockerClient(base_url=self.host, version="1.43")
            for container in client.containers.list(all=True):
                container.remove(force=True)
            client.close()
        self.kill(signal.SIGTERM)
        self._end_supervisor()
        shutil.rmtree(paths.run_folder(self.folder), ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end_supervisor(self) -> None:
        """It ends with its engine, unless that was killed: then one that idles out at once ends both."""
        identity = supervisor_identity(paths.run_folder(self.folder))
        if identity is None or not lives(identity):
            return
        command = [sys.executable, "-m", "containerlab", "serve", "--store", str(self.folder), "--idle-exit", "0.1"]
        subprocess.run(command, check=False, timeout=60, stderr=subprocess.DEVNULL, cwd="/")


def _holds_files(pid: int) -> bool:
    """A process that dies loses its command line first, its descriptors later, with the last thread beside a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
        return state not in (b"Z", b"X") or len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


if __name__ == "__main__":
    Store(Path(sys.argv[1])).end()
