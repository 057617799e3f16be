"""What a starting process tells its parent: one JSON object a packet over a SOCK_SEQPACKET pair.

``{"timeline": …}`` right before exec, ``{"stage", "errno", "message", "path"}`` on failure, and one byte ``c`` with the
console's master. The pair is close-on-exec: end of file after a timeline means that exec succeeded.
"""

from __future__ import annotations

import json
import os
import socket
import time

__all__ = ["Report", "StageError"]

# What the other side reads at most; an argument of a container may be longer than its error should be.
_LONGEST_WORD = 4096


class StageError(OSError):
    """An ``OSError`` that knows at which stage of a start it happened (docs/interfaces.md)."""

    def __init__(self, stage: str, number: int, message: str, path: str = "") -> None:
        super().__init__(number, message, path)
        self.stage = stage


class Report:
    """The child's end; ``stage`` is what is being done now."""

    def __init__(self, fd: int, request_ns: int) -> None:
        self.fd = fd
        self.stage = "clone"
        self._steps: list[tuple[str, int]] = [("request", request_ns)]

    def stamp(self, step: str) -> None:
        """``step`` is done now (CLOCK_MONOTONIC)."""
        self._steps.append((step, time.monotonic_ns()))

    def console(self, master: int) -> None:
        """Hands the terminal's master to the parent."""
        with socket.socket(fileno=os.dup(self.fd)) as sync:
            socket.send_fds(sync, [b"c"], [master])

    def ready(self) -> None:
        """All is done but exec."""
        self._send({"timeline": self._steps})

    def failed(self, error: BaseException) -> None:
        """Tells the parent why."""
        if isinstance(error, OSError):
            number, message = error.errno or 0, error.strerror or str(error)
            path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
        else:
            number, message, path = 0, f"{type(error).__name__}: {error}", ""
        stage = error.stage if isinstance(error, StageError) else self.stage
        words = {"message": message[:_LONGEST_WORD], "path": path[:_LONGEST_WORD]}
        self._send({"stage": stage, "errno": number, **words})

    def _send(self, message: dict[str, object]) -> None:
        os.write(self.fd, json.dumps(message, ensure_ascii=True).encode())
