"""Published ports: what comes in on the host goes to a container, and back.

The listening sockets come from the engine, which bound them in the host's network namespace; the connecting ones are
made here, in the lab's.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket

from containerlab.network.helper.stream import Stream

__all__ = ["TcpForward", "UdpForward"]

_PIECE = 1 << 16
# A UDP conversation that is silent for so long is over (moby's userland proxy: 90 s), of so many at once at most.
_UDP_SECONDS = 90.0
_CONVERSATIONS = 1024
_CONNECTIONS = 4096
_ACCEPTS = 64
_PAUSE = 0.1


def _family(target: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ipaddress.ip_address(target).version == 6 else socket.AF_INET


class TcpForward:
    """One listening socket; every connection to it goes to ``target``, an address and a port."""

    def __init__(self, listener: socket.socket, target: tuple[str, int]) -> None:
        listener.setblocking(False)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # which its connections inherit
        self._listener = listener
        self._target, self._family = target, _family(target[0])
        self._streams: set[Stream] = set()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Close the socket and every connection."""
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for stream in tuple(self._streams):
            stream.close()

    def _accept(self) -> None:
        for _ in range(_ACCEPTS):
            try:
                client, _ = self._listener.accept()
                if len(self._streams) >= _CONNECTIONS:
                    client.close()
                    continue
                try:
                    stream = Stream(client, self._family, self._streams.discard)
                except OSError:
                    client.close()
                    raise
                self._streams.add(stream)
                stream.start(self._target)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    # The client waits in the backlog; asking again at once would only burn time.
                    self._loop.remove_reader(self._listener)
                    self._loop.call_later(_PAUSE, self._resume)
                    return

    def _resume(self) -> None:
        if self._listener.fileno() >= 0:
            self._loop.add_reader(self._listener, self._accept)


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
