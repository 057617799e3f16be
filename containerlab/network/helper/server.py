"""What the helper serves, and the engine's requests that say so.

``RUN/network.sock``: SOCK_SEQPACKET, one JSON object a packet with descriptors beside it, each answered by one. A
container is served until it is dropped or its process ends, which its pidfd tells without the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from containerlab.network.helper.forward import TcpForward, UdpForward
from containerlab.network.helper.names import Elsewhere, Zone, Zones, answer
from containerlab.network.helper.outward import Outward

__all__ = ["MAX_DESCRIPTORS", "PACKET", "Server"]

PACKET = 1 << 16
MAX_DESCRIPTORS = 200
# A helper that serves nothing ends after so many seconds, at once where no engine is connected.
_IDLE_SECONDS = 30.0
_TCP_QUERY_SECONDS = 5.0
_QUERIES = 64


class _Served:
    """One container: its ends on networks, the sockets of its name service, its ports."""

    def __init__(self) -> None:
        self.networks: list[str] = []
        self.upstreams: list[str] = []
        self.links: dict[str, str] = {}
        self.sockets: list[socket.socket] = []
        self.forwards: list[TcpForward | UdpForward] = []
        self.pidfd = -1
        self.tasks: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        for task in self.tasks:
            task.cancel()
        for each in self.sockets:
            loop.remove_reader(each)
            each.close()
        for forward in self.forwards:
            forward.close()
        if self.pidfd >= 0:
            loop.remove_reader(self.pidfd)
            os.close(self.pidfd)


class Server:
    """Serves in the namespace in which it is made; ``inode`` names that to the engine."""

    def __init__(self, path: Path, inode: int) -> None:
        self._path = path
        self._inode = inode
        self._served: dict[str, _Served] = {}
        self._zones: Zones = {}
        self._titles: dict[str, str] = {}
        self._outward = Outward()
        self._connections: set[socket.socket] = set()
        self._done = asyncio.Event()
        self._ending: asyncio.TimerHandle | None = None

    async def serve(self) -> None:
        """Until nothing is left to serve, or the engine says so."""
        loop = asyncio.get_running_loop()
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        previous = os.umask(0o177)
        try:
            listener.bind(str(self._path))
        finally:
            os.umask(previous)
        listener.listen(8)
        listener.setblocking(False)
        loop.add_reader(listener, self._accept, listener)
        self._ending = loop.call_later(_IDLE_SECONDS, self._done.set)
        await self._done.wait()
        self._path.unlink(missing_ok=True)
        for name in tuple(self._served):
            self._drop(name)

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid != os.geteuid():
            connection.close()
            return
        connection.setblocking(False)
        self._connections.add(connection)
        asyncio.get_running_loop().add_reader(connection, self._receive, connection)

    def _receive(self, connection: socket.socket) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(connection, PACKET, MAX_DESCRIPTORS + 2, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        if not data:
            asyncio.get_running_loop().remove_reader(connection)
            self._connections.discard(connection)
            connection.close()
            self._look_for_the_end()
            return
        for fd in fds:
            os.set_inheritable(fd, False)
        try:
            reply = self._handle(json.loads(data), list(fds))
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        with contextlib.suppress(OSError):
            connection.send(json.dumps(reply).encode())
        self._look_for_the_end()

    def _handle(self, request: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        operation = request["op"]
        if operation == "hello":
            return {"netns": self._inode, "pid": os.getpid(), "containers": sorted(self._served)}
        if operation == "quit":
            self._done.set()
        elif operation == "keep":
            for name in self._served.keys() - set(request["containers"]):
                self._drop(name)
        elif operation == "drop":
            self._drop(request["container"])
        elif operation == "names":
            self._set_names(request["container"], request["networks"], fds)
            served = self._served[request["container"]]
            served.upstreams, served.links = request.get("upstreams", []), request.get("links", {})
            self._outward.meet(served.upstreams)
        elif operation == "ports":
            self._add_ports(request["container"], request["ports"], fds)
        elif operation == "watch":
            self._watch(request["container"], fds[0])
        else:
            raise ValueError(f"there is no operation {operation}")
        return {"ok": True}

    def _set_names(self, name: str, networks: dict[str, Any], fds: list[int]) -> None:
        """``networks``: id → title, names, addresses; descriptors are the UDP and the TCP socket of port 53."""
        served = self._served.setdefault(name, _Served())
        self._forget_names(name)
        served.networks = list(networks)
        for network, end in networks.items():
            self._titles[network] = end["title"]
            self._zones.setdefault(network, {})[name] = (end["names"], end["addresses"])
        if fds:
            datagrams, streams = (socket.socket(fileno=fd) for fd in fds)
            loop = asyncio.get_running_loop()
            for each in (datagrams, streams):
                each.setblocking(False)
                served.sockets.append(each)
            loop.add_reader(datagrams, self._answer_datagram, served, datagrams)
            loop.add_reader(streams, self._accept_query, served, streams)

    def _forget_names(self, name: str) -> None:
        for network in self._served[name].networks:
            zone = self._zones.get(network, {})
            zone.pop(name, None)
            if not zone:
                self._zones.pop(network, None)
                self._titles.pop(network, None)

    def _add_ports(self, name: str, ports: list[dict[str, Any]], fds: list[int]) -> None:
        served = self._served.setdefault(name, _Served())
        for port, fd in zip(ports, fds, strict=True):
            kind = TcpForward if port["protocol"] == "tcp" else UdpForward
            served.forwards.append(kind(socket.socket(fileno=fd), (port["address"], port["port"])))

    def _watch(self, name: str, pidfd: int) -> None:
        served = self._served.get(name)
        if served is None or served.pidfd >= 0:
            os.close(pidfd)
            return
        served.pidfd = pidfd
        asyncio.get_running_loop().add_reader(pidfd, self._ended, name)

    def _ended(self, name: str) -> None:
        self._drop(name)
        self._look_for_the_end()

    def _drop(self, name: str) -> None:
        if name in self._served:
            self._forget_names(name)
            self._served.pop(name).close()

    def _look_for_the_end(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        if not self._served:
            wait = _IDLE_SECONDS if self._connections else 0.0
            self._ending = asyncio.get_running_loop().call_later(wait, self._end_if_unused)

    def _end_if_unused(self) -> None:
        if not self._served:
            self._done.set()

    def _zones_of(self, served: _Served) -> list[tuple[str, Zone]]:
        return [(self._titles[network], self._zones[network]) for network in served.networks]

    def _answer(self, served: _Served, request: bytes, *, datagram: bool) -> bytes | None:
        """Raises Elsewhere."""
        zones, outward = self._zones_of(served), bool(served.upstreams)
        return answer(request, zones, served.links, datagram=datagram, outward=outward)

    def _answer_datagram(self, served: _Served, datagrams: socket.socket) -> None:
        for _ in range(_QUERIES):
            try:
                request, sender = datagrams.recvfrom(4096)
            except OSError:
                return
            try:
                reply = self._answer(served, request, datagram=True)
            except Elsewhere:
                self._spawn(served, self._answer_from_outside(served, datagrams, request, sender))
                continue
            if reply is not None:
                with contextlib.suppress(OSError):
                    datagrams.sendto(reply, sender)

    def _spawn(self, served: _Served, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        served.tasks.add(task)
        task.add_done_callback(served.tasks.discard)

    async def _answer_from_outside(
        self, served: _Served, datagrams: socket.socket, request: bytes, sender: tuple[str, int]
    ) -> None:
        reply = await self._outward.ask(request, served.upstreams, stream=False)
        with contextlib.suppress(OSError):
            datagrams.sendto(reply, sender)

    def _accept_query(self, served: _Served, streams: socket.socket) -> None:
        try:
            connection, _ = streams.accept()
        except OSError:
            return
        if len(served.tasks) >= _QUERIES:
            connection.close()
            return
        self._spawn(served, self._answer_stream(served, connection))

    async def _answer_stream(self, served: _Served, connection: socket.socket) -> None:
        """Queries with their length before them (RFC 1035, section 4.2.2)."""
        loop = asyncio.get_running_loop()
        connection.setblocking(False)
        received = b""
        try:
            async with asyncio.timeout(_TCP_QUERY_SECONDS):
                while piece := await loop.sock_recv(connection, 4096):
                    received += piece
                    while len(received) >= 2 and len(received) >= 2 + int.from_bytes(received[:2], "big"):
                        length = int.from_bytes(received[:2], "big")
                        request, received = received[2 : 2 + length], received[2 + length :]
                        try:
                            reply = self._answer(served, request, datagram=False)
                        except Elsewhere:
                            reply = await self._outward.ask(request, served.upstreams, stream=True)
                        if reply is None:
                            return
                        await loop.sock_sendall(connection, len(reply).to_bytes(2, "big") + reply)
        except (OSError, TimeoutError):
            return
        finally:
            connection.close()
