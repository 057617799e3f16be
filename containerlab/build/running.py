"""One command in a container of its own, through the supervisor: started, listened to, waited for, and forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from containerlab.build.messages import Output

__all__ = ["Runner", "Supervisor"]

_CHUNK = 65536
_KILL_LIMIT_S = 10.0


class Supervisor(Protocol):
    """The part of ``runtime.client.SupervisorClient`` that a build uses."""

    async def call(self, op: str, fds: Sequence[int] = (), **fields: Any) -> dict[str, Any]:
        """One request; raises SupervisorError, an OSError with ``stage``."""

    def on_event(self, callback: Callable[[dict[str, Any]], None]) -> object:
        """Have ``callback`` called, in the event loop, with whatever the supervisor pushes."""

    def on_lost(self, callback: Callable[[], None]) -> object:
        """Have ``callback`` called when the supervisor is gone."""


class Runner:
    """Runs bundles; one for the engine's life, because the supervisor's events can't be unsubscribed."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._exits: dict[str, asyncio.Future[int]] = {}
        supervisor.on_event(self._event)
        supervisor.on_lost(self._lost)

    async def run(self, container: str, bundle: Path, output: Output) -> int:
        """The exit code of the bundle's process; its stdout and stderr go to ``output`` as they come.

        Raises OSError with ``stage`` when it couldn't be started. When cancelled, everything in it is killed first.
        """
        exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._exits[container] = exited
        try:
            await self._supervisor.call(
                "create",
                container=container,
                bundle=str(bundle),
                io={"tty": False, "stdin": False, "stdin_once": False, "log": None},
            )
            try:
                reader, writer = await self._attach(container)
                try:
                    await self._supervisor.call("start", container=container)
                    await _pump(reader, output)
                finally:
                    writer.close()
                return await asyncio.shield(exited)
            finally:
                await _uninterrupted(self._end(container, exited))
        finally:
            del self._exits[container]

    def _event(self, event: dict[str, Any]) -> None:
        exited = self._exits.get(event.get("container", ""))
        if event.get("event") == "exit" and not event.get("exec") and exited is not None and not exited.done():
            exited.set_result(event["exit_code"])

    def _lost(self) -> None:
        for exited in self._exits.values():
            if not exited.done():
                exited.set_exception(ConnectionResetError(errno.ECONNRESET, "the supervisor is gone"))

    async def _attach(self, container: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                await self._supervisor.call(
                    "attach",
                    fds=(theirs.fileno(),),
                    container=container,
                    exec=None,
                    streams=["stdout", "stderr"],
                    multiplexed=False,
                    replay=False,
                    detach_keys="",
                )
            except BaseException:
                ours.close()
                raise
        return await asyncio.open_connection(sock=ours)

    async def _end(self, container: str, exited: asyncio.Future[int]) -> None:
        """Leave nothing of the container: no process, no record, no cgroup."""
        if not exited.done():
            # ESRCH when it was never started, or is just ending.
            with contextlib.suppress(OSError):
                await self._supervisor.call(
                    "signal", container=container, exec=None, signal=int(signal.SIGKILL), all=True
                )
                await asyncio.wait([exited], timeout=_KILL_LIMIT_S)
        with contextlib.suppress(OSError):
            await self._supervisor.call("forget", container=container)


async def _pump(reader: asyncio.StreamReader, output: Output) -> None:
    try:
        while chunk := await reader.read(_CHUNK):
            output.write(chunk)
    except ConnectionResetError:
        pass
    output.end()


async def _uninterrupted(work: Any) -> None:
    """Await ``work`` to its end, also when cancelled meanwhile; the cancellation is raised afterwards."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
    task.result()
    if cancelled:
        raise asyncio.CancelledError
