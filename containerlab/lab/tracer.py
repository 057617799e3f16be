"""A listener between clients and the engine: it passes every byte on, and writes down who asked what.

Any client will do that takes a socket's address: docker-py, the docker command, curl.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from containerlab.client import find_host, start_engine
from containerlab.errors import EngineUnreachable, UsageError
from containerlab.lab.http_heads import Heads
from containerlab.paths import api_socket, store_folder

__all__ = ["Call", "Tracer", "trace"]

_PIECE = 64 * 1024
_VERSION = re.compile(r"^/v1\.\d+(?=/)")
_STATUS = re.compile(r"HTTP/\d\.\d ([0-9]{3})\b")
_ID = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


@dataclass
class Call:
    """One request: times in seconds since the trace began, ``status`` 0 until the answer's head has come."""

    method: str
    path: str
    began: float
    status: int = 0
    answered: float | None = None

    @property
    def took_ms(self) -> float:
        """From the request's head to the answer's, in milliseconds."""
        return ((self.answered or self.began) - self.began) * 1000

    @property
    def upgraded(self) -> bool:
        """The connection became a stream in both directions."""
        return self.status == 101


class Tracer:
    """The listener. ``host`` is what ``DOCKER_HOST`` has to be for a client to be listened to."""

    def __init__(self, engine: str, revive: Callable[[], None] | None = None) -> None:
        """``engine`` is the path of the engine's own socket; ``revive`` starts one that has idled out meanwhile."""
        self._engine, self._revive = engine, revive
        self._folder = Path(tempfile.mkdtemp(prefix="cl-trace-"))
        self.socket = self._folder / "engine.sock"
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._open: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(os.fspath(self.socket))
        self.socket.chmod(0o600)
        self._listener.listen(64)
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    @property
    def calls(self) -> list[Call]:
        """What was asked so far, in order."""
        with self._lock:
            return list(self._calls)

    def close(self) -> None:
        """Listen no more; open connections end."""
        self._listener.close()
        # A thread in accept(2) isn't woken by close: one last connection does it.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as knock:
            knock.connect(os.fspath(self.socket))
        with self._lock:
            held = list(self._open)
        for end in held:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        waiting: deque[Call] = deque()
        requests, answers = Heads(answers=False), Heads(answers=True)
        with client, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as engine:
            try:
                self._reach(engine)
            except (OSError, EngineUnreachable):
                return  # the client sees its connection end
            with self._lock:
                self._open |= {client, engine}
            back = threading.Thread(
                target=self._relay, args=(engine, client, lambda data: self._answer(data, requests, answers, waiting))
            )
            back.start()
            self._relay(client, engine, lambda data: self._ask(data, requests, answers, waiting))
            back.join()
            with self._lock:
                self._open -= {client, engine}

    def _reach(self, engine: socket.socket) -> None:
        try:
            engine.connect(self._engine)
        except (FileNotFoundError, ConnectionRefusedError):
            if self._revive is None:
                raise
            self._revive()
            engine.connect(self._engine)

    def _relay(self, source: socket.socket, target: socket.socket, read: Callable[[bytes], None]) -> None:
        """Pass on until the end; each side's half-close reaches the other."""
        try:
            while data := source.recv(_PIECE):
                read(data)
                target.sendall(data)
        except OSError:
            pass
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _ask(self, data: bytes, requests: Heads, answers: Heads, waiting: deque[Call]) -> None:
        for head in requests.feed(data):
            method, _, rest = head.partition(" ")
            path = unquote(rest.partition(" ")[0])
            call = Call(method, _ID.sub(r"\1", _VERSION.sub("", path)), time.monotonic() - self._began)
            answers.expects_no_body = method == "HEAD"
            waiting.append(call)
            with self._lock:
                self._calls.append(call)

    def _answer(self, data: bytes, requests: Heads, answers: Heads, waiting: deque[Call]) -> None:
        for head in answers.feed(data):
            # What isn't HTTP is passed on all the same, and answers nothing.
            found = _STATUS.match(head)
            status = int(found[1]) if found else 0
            if status in (0, 100) or not waiting:
                continue
            call = waiting.popleft()
            call.status, call.answered = status, time.monotonic() - self._began
            if status == 101:
                requests.leave()


@contextlib.contextmanager
def trace() -> Iterator[Tracer]:
    """Listen for the length of a block: give its ``host`` to a client, and read its ``calls``.

    Raises UsageError where the engine isn't on a unix socket.
    """
    host = find_host()
    if not host.startswith("unix://"):
        raise UsageError(f"Only an engine on a unix socket can be listened to, not {host}.")
    path = host.removeprefix("unix://")
    revive = None
    if path == os.fspath(api_socket(store_folder())):
        revive = functools.partial(start_engine, store_folder())
        revive()
    tracer = Tracer(path, revive)
    try:
        yield tracer
    finally:
        tracer.close()
