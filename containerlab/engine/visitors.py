"""One visitor (``containerlab.engine.visitor``) as the engine sees it: a socket, a process, and their end."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import containerlab
from containerlab.errors import ContainerlabError

__all__ = ["Visitor"]

_END_SECONDS = 5.0


class Visitor:
    """Made with its process, that has ``descriptors`` under their own numbers.

    ``gone`` is set once that has ended and is reaped, ``exit_code`` is its own then."""

    def __init__(self, request: dict[str, Any], descriptors: list[int]) -> None:
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self.gone = asyncio.Event()
        self.exit_code: int | None = None
        self._socket, theirs = socket.socketpair()
        try:
            self._socket.setblocking(False)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "containerlab.engine.visitor", json.dumps(request)],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                pass_fds=descriptors,
                cwd="/",
                env=_environment(),
            )
        except BaseException:
            self._socket.close()
            raise
        finally:
            theirs.close()
        self._pidfd = os.pidfd_open(self._process.pid)
        self._loop.add_reader(self._pidfd, self._reap)

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self.exit_code = self._process.wait()
        self.gone.set()

    async def end(self) -> None:
        """Kill it unless it has ended; one that the kernel can't kill yet is reaped when it can."""
        if not self.gone.is_set():
            self._process.kill()
        self._socket.close()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self.gone.wait()
        except TimeoutError:
            return

    async def send(self, data: bytes, seconds: float) -> bool:
        """Pass on a piece of its input; False when it doesn't read any more."""
        try:
            async with asyncio.timeout(seconds):
                await self._loop.sock_sendall(self._socket, data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        except TimeoutError:
            raise _stuck(seconds) from None
        return True

    def end_of_input(self) -> None:
        """No more comes."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return  # it has ended

    async def receive(self, size: int, seconds: float) -> bytes:
        """A piece of what it says, empty at the end."""
        if self._received:
            data, self._received = self._received, b""
            return data
        try:
            async with asyncio.timeout(seconds):
                return await self._loop.sock_recv(self._socket, size)
        except ConnectionResetError:
            return b""
        except TimeoutError:
            raise _stuck(seconds) from None

    async def line(self, limit: int, seconds: float) -> dict[str, Any]:
        """The next line of JSON. Raises ContainerlabError when there is none."""
        said = b""
        while b"\n" not in said:
            piece = await self.receive(limit, seconds)
            if not piece or len(said) > limit:
                raise ContainerlabError("the look into the container's files ended without an answer")
            said += piece
        line, _, self._received = said.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _environment() -> dict[str, str]:
    """The engine's own, in which the visitor finds the package that the engine was started from."""
    package = str(Path(containerlab.__file__).parent.parent)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))}


def _stuck(seconds: float) -> ContainerlabError:
    return ContainerlabError(
        f"a file system of the container's gave no answer within {seconds:.0f} seconds.",
        hint="A FUSE or network file system that is mounted in it may hang.",
    )
