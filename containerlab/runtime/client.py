"""The engine's side of the supervisor's socket, for asyncio (docs/interfaces.md, "The supervisor")."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["PROTOCOL", "SupervisorClient", "SupervisorError"]

PROTOCOL = 1
_PACKET = 65536


class SupervisorError(OSError):
    """The supervisor's refusal: errno, strerror, filename, and the ``stage`` at which it happened."""

    def __init__(self, stage: str, number: int, message: str, path: str = "") -> None:
        super().__init__(number, message, path or None)
        self.stage = stage


class SupervisorClient:
    """One connection. Callbacks run in the loop that ``connect`` was awaited in."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._last_id = 0
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._outgoing: deque[tuple[int, bytes, list[int]]] = deque()
        self._callbacks: list[Callable[[dict[str, Any]], None]] = []
        self._lost_callbacks: list[Callable[[], None]] = []
        self._closed = False
        self._loop.add_reader(connection, self._receive)

    @classmethod
    async def connect(cls, run_folder: str | os.PathLike[str]) -> SupervisorClient:
        """Connects. Raises OSError when nobody listens, SupervisorError when another protocol is spoken."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        connection.setblocking(False)
        try:
            connection.connect(str(Path(run_folder) / "supervisor.sock"))
        except OSError:
            connection.close()
            raise
        client = cls(connection)
        try:
            await client.call("hello", protocol=PROTOCOL)
        except BaseException:
            client.close()
            raise
        return client

    async def call(self, op: str, fds: Sequence[int] = (), **fields: Any) -> dict[str, Any]:
        """The ``ok`` of a request. ``fds`` are sent along (duplicated: the caller still closes its own).

        ``list`` is read page by page to its end. Raises SupervisorError; ConnectionError when the supervisor is gone.
        """
        if op != "list":
            return await self._call(op, fds, fields)
        containers: list[dict[str, Any]] = []
        after = ""
        while True:
            page = await self._call(op, (), {"after": after})
            containers += page["containers"]
            if not page["more"]:
                return {"containers": containers}
            after = containers[-1]["container"]

    def call_threadsafe(self, op: str, fds: Sequence[int] = (), **fields: Any) -> dict[str, Any]:
        """``call`` for another thread, which it blocks until the reply."""
        return asyncio.run_coroutine_threadsafe(self.call(op, fds, **fields), self._loop).result()

    async def _call(self, op: str, fds: Sequence[int], fields: dict[str, Any]) -> dict[str, Any]:
        if self._closed:
            raise ConnectionResetError(errno.ECONNRESET, "the supervisor is gone")
        self._last_id += 1
        number = self._last_id
        packet = json.dumps({"id": number, "op": op, **fields}, separators=(",", ":")).encode()
        if len(packet) > _PACKET:
            raise SupervisorError("protocol", errno.EMSGSIZE, f"the request is longer than {_PACKET} bytes")
        future: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._replies[number] = future
        self._outgoing.append((number, packet, [os.dup(fd) for fd in fds]))
        if len(self._outgoing) == 1:
            self._send()
        try:
            return await future
        finally:
            self._replies.pop(number, None)

    def _send(self) -> None:
        try:
            while self._outgoing:
                _, packet, fds = self._outgoing[0]
                socket.send_fds(self._socket, [packet], fds)
                self._outgoing.popleft()
                for fd in fds:
                    os.close(fd)
        except BlockingIOError:
            self._loop.add_writer(self._socket, self._send)
            return
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                self._refuse_first(error)
                return
            self._lose()
            return
        self._loop.remove_writer(self._socket)

    def _refuse_first(self, error: OSError) -> None:
        """This one packet can't be sent (EMSGSIZE, ETOOMANYREFS); the others can."""
        number, _, fds = self._outgoing.popleft()
        for fd in fds:
            os.close(fd)
        future = self._replies.get(number)
        if future is not None and not future.done():
            future.set_exception(SupervisorError("protocol", error.errno or 0, error.strerror or str(error)))
        self._send()

    def _receive(self) -> None:
        for _ in range(64):
            try:
                packet = self._socket.recv(_PACKET)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self._lose()
                return
            self._take(json.loads(packet))

    def _take(self, message: dict[str, Any]) -> None:
        if "event" in message:
            for callback in list(self._callbacks):
                callback(message)
            return
        future = self._replies.get(message["id"])
        if future is None or future.done():
            return
        if "ok" in message:
            future.set_result(message["ok"])
        else:
            error = message["error"]
            future.set_exception(SupervisorError(error["stage"], error["errno"], error["message"], error["path"]))

    def on_event(self, callback: Callable[[dict[str, Any]], None]) -> None:
        """``callback(event)`` for every pushed event from now on."""
        self._callbacks.append(callback)

    def on_lost(self, callback: Callable[[], None]) -> None:
        """``callback()`` once, when the supervisor closes the connection; not after ``close``."""
        self._lost_callbacks.append(callback)

    def _lose(self) -> None:
        if not self._closed:
            self.close()
            for callback in list(self._lost_callbacks):
                callback()

    def close(self) -> None:
        """Closes the connection; calls that wait fail with ConnectionError. The supervisor and its containers go on."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        for _, _, fds in self._outgoing:
            for fd in fds:
                os.close(fd)
        self._outgoing.clear()
        for future in self._replies.values():
            if not future.done():
                future.set_exception(ConnectionResetError(errno.ECONNRESET, "the supervisor is gone"))
