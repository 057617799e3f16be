"""netlink(7), as much of it as bridges, veth pairs, addresses, routes and a packet filter need.

A socket speaks for the network namespace in which it was opened, whichever thread uses it later. Several requests go
out in one packet, each is answered by its own error or acknowledgement, in order.

By hand, because a start waits for it: pyroute2's messages take 1 to 2 ms each and 18 MB of the engine's memory.
"""

from __future__ import annotations

import errno
import itertools
import os
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ["Netlink", "Request", "attribute", "nested", "text"]

_HEADER = struct.Struct("=IHHII")
_ACK, _DUMP, _REQUEST = 0x4, 0x300, 0x1
_ERROR, _DONE = 2, 3
_NETLINK_EXT_ACK, _SOL_NETLINK = 11, 270
_ANSWER = 1 << 16
_SECONDS = 10.0


class Request(NamedTuple):
    """One message: its type (RTM_*), its flags beside NLM_F_REQUEST and NLM_F_ACK, its body."""

    kind: int
    flags: int
    body: bytes


def attribute(kind: int, value: bytes) -> bytes:
    """struct rtattr: length, type, value, padded to four bytes."""
    return struct.pack("=HH", len(value) + 4, kind) + value + b"\0" * (-len(value) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute made of attributes."""
    return attribute(kind, b"".join(attributes))


def text(kind: int, value: str) -> bytes:
    """An attribute that is a string."""
    return attribute(kind, value.encode() + b"\0")


class Netlink:
    """A socket of the calling thread's network namespace; usable from any thread.

    ``protocol`` is rtnetlink's (NETLINK_ROUTE) unless said otherwise.
    """

    def __init__(self, protocol: int = 0) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.bind((0, 0))
        self._socket.settimeout(_SECONDS)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def send(self, requests: Sequence[Request], around: tuple[Request, Request] | None = None) -> None:
        """Carry all of them out. Raises OSError for the first that the kernel refused; the others were still tried.

        ``around`` begins and ends a transaction, in which all or nothing is carried out; success isn't told of them.
        """
        with self._lock:
            numbers = [next(self._numbers) for _ in requests]
            packet = b"".join(
                _message(request.kind, request.flags | _ACK, number, request.body)
                for request, number in zip(requests, numbers, strict=True)
            )
            first = next(self._numbers)
            if around is not None:
                begin, end = (_message(each.kind, each.flags, first, each.body) for each in around)
                packet = begin + packet + end
            self._socket.send(packet)
            refused, waiting = 0, set(numbers)
            while waiting:
                for kind, number, body in self._receive():
                    if kind == _ERROR and number == first:  # the transaction itself: nothing else is answered
                        waiting.clear()
                    elif kind != _ERROR or number not in waiting:
                        continue
                    waiting.discard(number)
                    refused = refused or -struct.unpack_from("=i", body)[0]
        if refused:
            raise OSError(refused, os.strerror(refused))

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """The bodies of every answer to a dump request."""
        with self._lock:
            number = next(self._numbers)
            self._socket.send(_message(kind, _DUMP, number, body))
            found: list[bytes] = []
            while True:
                for answered, which, answer in self._receive():
                    if which != number:
                        continue
                    if answered == _DONE:
                        return found
                    if answered == _ERROR:
                        refused = -struct.unpack_from("=i", answer)[0]
                        raise OSError(refused, os.strerror(refused))
                    found.append(answer)

    def _receive(self) -> Iterator[tuple[int, int, bytes]]:
        try:
            packet = self._socket.recv(_ANSWER)
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, "the kernel didn't answer a netlink request") from None
        at = 0
        while at + _HEADER.size <= len(packet):
            length, kind, _, number, _ = _HEADER.unpack_from(packet, at)
            if length < _HEADER.size:
                return
            yield kind, number, packet[at + _HEADER.size : at + length]
            at += (length + 3) & ~3


def _message(kind: int, flags: int, number: int, body: bytes) -> bytes:
    padded = body + b"\0" * (-len(body) % 4)
    return _HEADER.pack(_HEADER.size + len(padded), kind, flags | _REQUEST, number, 0) + padded
