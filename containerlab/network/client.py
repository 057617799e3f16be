"""The engine's side of the helper: started when it is needed, started again when it has died. It blocks."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["Helper", "HelperError"]

_ANSWER_SECONDS = 10.0
_START_SECONDS = 20.0
_POLL_SECONDS = 0.005
_PACKET = 1 << 16


class HelperError(OSError):
    """The helper can't be started, doesn't answer, or refuses."""


class Helper:
    """One connection. ``inode`` is that of the lab's namespace; a helper of another one is ended."""

    def __init__(self, run: Path, inode: int) -> None:
        self._run = run
        self._inode = inode
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.pid = 0

    @property
    def connected(self) -> bool:
        """Whether a helper was there when it was last spoken to."""
        return self._socket is not None

    def close(self) -> None:
        """Let go of it; one that serves nothing then ends by itself."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._reap()

    def find(self) -> list[str] | None:
        """Connect to a helper that runs: the containers that it serves; None where none does."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        connection.settimeout(_ANSWER_SECONDS)
        try:
            connection.connect(str(self._run / "network.sock"))
            self._socket = connection
            hello = self.call("hello")
        except OSError:
            connection.close()
            self._socket = None
            return None
        if hello["netns"] != self._inode:
            with contextlib.suppress(OSError):
                self.call("quit")
            self.close()
            return None
        self.pid = hello["pid"]
        containers: list[str] = hello["containers"]
        return containers

    def ensure(self) -> list[str] | None:
        """A connection, to a new helper if need be. What it serves where it was connected anew, None where it was."""
        if self._socket is not None:
            if not _ended(self._socket):
                return None
            self.close()
        served = self.find()
        deadline = time.monotonic() + _START_SECONDS
        while served is None:
            if time.monotonic() > deadline:
                raise HelperError(110, "the network helper doesn't start; its complaint is in network.err")
            if self._process is None or self._process.poll() is not None:
                self._start()
            time.sleep(_POLL_SECONDS)
            served = self.find()
        return served

    def _start(self) -> None:
        package = Path(__file__).resolve().parents[2]
        with open(self._run / "network.err", "wb") as complaint:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "containerlab.network.helper", str(self._run)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaint,
                cwd="/",
                env={**os.environ, "PYTHONPATH": str(package)},
                start_new_session=True,
            )

    def _reap(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            self._process = None

    def call(self, operation: str, fds: Sequence[int] = (), **fields: Any) -> dict[str, Any]:
        """One request and its answer. Raises HelperError; the connection is closed where the helper is gone."""
        if self._socket is None:
            raise HelperError(107, "the network helper isn't connected")
        packet = json.dumps({"op": operation, **fields}, separators=(",", ":")).encode()
        try:
            socket.send_fds(self._socket, [packet], list(fds))
            data = self._socket.recv(_PACKET)
        except OSError as error:
            self.close()
            raise HelperError(error.errno or 0, f"the network helper doesn't answer: {error}") from error
        if not data:
            self.close()
            raise HelperError(104, "the network helper has ended")
        answer: dict[str, Any] = json.loads(data)
        if "error" in answer:
            raise HelperError(22, f"the network helper refuses: {answer['error']}")
        return answer


def _ended(connection: socket.socket) -> bool:
    # Nothing is pushed, so that a socket to read from between two calls has ended.
    return bool(select.select([connection], [], [], 0)[0])
