"""The supervisor's life: its socket, its record in the run folder, its table of containers, its reaping."""

# The supervisor does without pathlib, 1.5 MB of its memory, and without dataclasses (they import inspect), 1.2 MB.
# ruff: noqa: PTH105, PTH108
from __future__ import annotations

import contextlib
import errno
import gc
import json
import os
import resource
import signal
import socket
import struct
import sys

from containerlab.rung import PROOT, copies_roots
from containerlab.runtime import cgroups
from containerlab.runtime.identity import boot_id, starttime
from containerlab.runtime.supervisor.connection import Connection
from containerlab.runtime.supervisor.loop import READ, Loop
from containerlab.runtime.supervisor.operations import Operations
from containerlab.runtime.supervisor.protocol import PROTOCOL

__all__ = ["main"]

_ACCEPT_PAUSE = 0.2


def main(arguments: list[str]) -> int:
    """Runs until ``shutdown`` has been asked for and no container is left. Returns the exit status."""
    if arguments[:1] == ["--run"]:
        del arguments[0]
    if len(arguments) != 1:
        print("usage: supervisor [--run] RUN_FOLDER", file=sys.stderr)
        return 2
    loop = Loop()
    try:
        server = Server(loop, arguments[0])
    except OSError as error:
        print(f"supervisor: {error}", file=sys.stderr)
        return 1
    gc.collect()
    gc.freeze()
    try:
        loop.run()
    finally:
        server.close()
    return 0


class Server:
    """Listens on ``supervisor.sock``, takes whoever has our uid, reaps."""

    def __init__(self, loop: Loop, run_folder: str) -> None:
        self._loop, self._run_folder = loop, run_folder
        self._connections: set[Connection] = set()
        self._listener = _listen(f"{run_folder}/supervisor.sock")
        _raise_descriptor_limit()
        self._operations = Operations(loop, cgroups.driver(), self._publish)
        loop.on_signal(signal.SIGCHLD, self._reap)
        # Its end would be every container's: it goes when it is asked to, and after the last one.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.on_signal(number, self._operations.shut_down)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        loop.watch(self._listener.fileno(), READ, lambda _events: self._accept())
        self._write_record()

    def _write_record(self) -> None:
        pid = os.getpid()
        record = {"pid": pid, "starttime": starttime(pid), "boot_id": boot_id(), "protocol": PROTOCOL}
        record["rung"] = PROOT if copies_roots() else ""
        path = f"{self._run_folder}/supervisor.json"
        with open(os.open(f"{path}.tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            json.dump(record, file)
        os.replace(f"{path}.tmp", path)

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            # EMFILE and the like: the client waits in the backlog; asking again at once would only burn time.
            print(f"supervisor: accept: {error.strerror}", file=sys.stderr, flush=True)
            self._loop.unwatch(self._listener.fileno())
            self._loop.call_later(
                _ACCEPT_PAUSE,
                lambda: self._loop.watch(self._listener.fileno(), READ, lambda _events: self._accept()),
            )
            return
        _, uid, _ = struct.unpack("iII", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid != os.geteuid():
            peer.close()
            return
        self._connections.add(Connection(self._loop, peer, self._operations.handle, self._connections.discard))

    def _publish(self, packet: bytes) -> None:
        for connection in list(self._connections):
            connection.send(packet)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._operations.reaped(pid, status)

    def close(self) -> None:
        for name in ("supervisor.sock", "supervisor.json"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self._run_folder}/{name}")
        self._listener.close()


def _listen(path: str) -> socket.socket:
    """Binds ``path``, in place of a socket that nobody listens on. Raises OSError(EADDRINUSE) when somebody does."""
    kind = socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_UNIX, kind) as probe:
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            pass
        else:
            raise OSError(errno.EADDRINUSE, "a supervisor is already listening", path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, kind)
    mask = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(mask)
    listener.setblocking(False)
    listener.listen(64)
    return listener


def _raise_descriptor_limit() -> None:
    """A container takes three or four descriptors of ours; the usual soft limit of 1,024 is few."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
