"""A process on its way, as the parent that cloned it sees it: what it reports until its program runs, or can't."""

from __future__ import annotations

import json
import os
import socket
from typing import Any, NamedTuple

__all__ = ["Failed", "Started", "Starting"]

_PACKET = 65536


class Started(NamedTuple):
    """The program runs. ``timeline`` is [step, CLOCK_MONOTONIC nanoseconds], in order."""

    timeline: list[tuple[str, int]]


class Failed(NamedTuple):
    """The program doesn't run; the process ends, or has ended. Words as in docs/interfaces.md."""

    stage: str
    errno: int
    message: str
    path: str


class Starting:
    """A process on its way. ``console``: the terminal's master descriptor once it has come, the caller's to close."""

    def __init__(self, pid: int, sync: socket.socket) -> None:
        self.pid = pid
        self.sync = sync
        self.console: int | None = None
        self._timeline: list[tuple[str, int]] | None = None
        self._failed: Failed | None = None

    def fileno(self) -> int:
        """``sync``'s descriptor, for a selector."""
        return self.sync.fileno()

    def receive(self) -> Started | Failed | None:
        """Reads what is there without waiting; None when it isn't decided yet. Closes ``sync`` with the answer."""
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self.sync, _PACKET, 1, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            except ConnectionResetError:
                data, fds = b"", []
            if fds:
                os.set_inheritable(fds[0], False)
                self.console = fds[0]
            elif data:
                self._take(json.loads(data))
            else:
                self.sync.close()
                return self._answer()

    def _take(self, message: dict[str, Any]) -> None:
        if "timeline" in message:
            self._timeline = [(step, at) for step, at in message["timeline"]]
        else:
            self._failed = Failed(message["stage"], message["errno"], message["message"], message["path"])

    def _answer(self) -> Started | Failed:
        if self._failed is not None:
            return self._failed
        if self._timeline is None:
            return Failed("exec", 0, "the process ended before it could run its program", "")
        return Started(self._timeline)
