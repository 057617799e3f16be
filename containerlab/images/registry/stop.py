"""How a transfer is ended from another thread, also while it waits for the network."""

from __future__ import annotations

import contextlib
import socket
import threading

__all__ = ["Stop", "Stopped"]


class Stopped(Exception):
    """Nobody wants the transfer's result any more."""


class Stop:
    """Asked to end once; whatever waits on a socket that it knows then wakes up."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._children: list[Stop] = []

    def child(self) -> Stop:
        """One that is set with this one, and can be set alone."""
        made = Stop()
        with self._lock:
            self._children.append(made)
            asked = self._event.is_set()
        if asked:
            made.set()
        return made

    def set(self) -> None:
        """End the transfer; may be called from any thread, and more than once."""
        with self._lock:
            self._event.set()
            for sock in self._sockets:
                with contextlib.suppress(OSError):
                    # TLS's own shutdown would talk to the peer, and another thread is in the middle of a read.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
            children = list(self._children)
        for child in children:
            child.set()

    @property
    def asked(self) -> bool:
        """Whether the transfer shall end."""
        return self._event.is_set()

    def check(self) -> None:
        """Raises ``Stopped`` when the transfer shall end."""
        if self._event.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Let time pass; raises ``Stopped`` at once when the transfer shall end."""
        if self._event.wait(seconds):
            raise Stopped

    def watch(self, sock: socket.socket) -> None:
        """Have a socket woken up; raises ``Stopped`` when it is too late for that."""
        with self._lock:
            self.check()
            self._sockets.add(sock)

    def forget(self, sock: socket.socket) -> None:
        """The socket is closed, or about to be."""
        with self._lock:
            self._sockets.discard(sock)
