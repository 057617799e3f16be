"""Published ports: what comes in on the host goes to a container, and back.

The listening sockets come from the engine, which bound them in the host's network namespace; the connecting ones are
made here, in the lab's. Data is copied with what the other side hasn't taken yet held by the kernel's own buffers.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket

__all__ = ["TcpForward", "UdpForward"]

_PIECE = 1 << 16
_CONNECT_SECONDS = 10.0
# A UDP conversation that is silent for so long is over (moby's userland proxy: 90 s), of so many at once at most.
_UDP_SECONDS = 90.0
_CONVERSATIONS = 1024
_CONNECTIONS = 4096


def _family(target: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ipaddress.ip_address(target).version == 6 else socket.AF_INET


class TcpForward:
    """One listening socket; every connection to it goes to ``target``, an address and a port."""

    def __init__(self, listener: socket.socket, target: tuple[str, int]) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.create_task(self._accept())

    def close(self) -> None:
        """Close the socket and every connection."""
        self._accepting.cancel()
        for task in self._tasks:
            task.cancel()
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                if error.errno in (errno.EBADF, errno.EINVAL):
                    return
                await asyncio.sleep(0.1)  # out of descriptors, or a client that was gone at once
                continue
            if len(self._tasks) >= _CONNECTIONS:
                client.close()
                continue
            task = asyncio.create_task(self._carry(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        server = socket.socket(_family(self._target[0]), socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            for each in (client, server):
                each.setblocking(False)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.wait_for(loop.sock_connect(server, self._target), _CONNECT_SECONDS)
            await asyncio.gather(_copy(client, server), _copy(server, client))
        except (OSError, TimeoutError):
            # The client sees its connection reset, as from a program that isn't there.
            with contextlib.suppress(OSError):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        finally:
            server.close()
            client.close()


async def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Until the source's end, which is passed on: the other direction may go on."""
    loop = asyncio.get_running_loop()
    buffer = bytearray(_PIECE)
    view = memoryview(buffer)
    while count := await loop.sock_recv_into(source, buffer):
        await loop.sock_sendall(sink, view[:count])
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class UdpForward:
    """One bound socket; each sender gets a socket of its own towards ``target``, so that answers find back."""

    def __init__(self, listener: socket.socket, target: tuple[str, int]) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._target = target
        self._conversations: dict[tuple[str, int], tuple[socket.socket, float]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(listener, self._incoming)
        self._sweeper = self._loop.call_later(_UDP_SECONDS, self._sweep)

    def close(self) -> None:
        """Close the socket and every conversation."""
        self._sweeper.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for sender in tuple(self._conversations):
            self._end(sender)

    def _incoming(self) -> None:
        for _ in range(64):
            try:
                data, sender = self._listener.recvfrom(_PIECE)
            except OSError:
                return
            with contextlib.suppress(OSError):
                self._conversation(sender).send(data)

    def _conversation(self, sender: tuple[str, int]) -> socket.socket:
        found = self._conversations.get(sender)
        if found is None:
            if len(self._conversations) >= _CONVERSATIONS:
                self._end(min(self._conversations, key=lambda key: self._conversations[key][1]))
            made = socket.socket(_family(self._target[0]), socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            try:
                made.setblocking(False)
                made.connect(self._target)
            except OSError:
                made.close()
                raise
            self._loop.add_reader(made, self._outgoing, made, sender)
            found = made, 0.0
        self._conversations[sender] = found[0], self._loop.time()
        return found[0]

    def _outgoing(self, conversation: socket.socket, sender: tuple[str, int]) -> None:
        for _ in range(64):
            try:
                data = conversation.recv(_PIECE)
            except BlockingIOError:
                return
            except OSError:  # nobody listens there: the sender finds out by silence
                return
            self._conversations[sender] = conversation, self._loop.time()
            with contextlib.suppress(OSError):
                self._listener.sendto(data, sender)

    def _sweep(self) -> None:
        bound = self._loop.time() - _UDP_SECONDS
        for sender in [sender for sender, (_, at) in self._conversations.items() if at < bound]:
            self._end(sender)
        self._sweeper = self._loop.call_later(_UDP_SECONDS, self._sweep)

    def _end(self, sender: tuple[str, int]) -> None:
        conversation, _ = self._conversations.pop(sender)
        self._loop.remove_reader(conversation)
        conversation.close()
