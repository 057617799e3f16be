"""Reaching an engine: ``connect()`` finds the one that was chosen, or starts the user's own.

``DOCKER_HOST``, when set, wins; else ``CONTAINERLAB_HOST``; else the engine of the user's store
(``CONTAINERLAB_STORE``), which is started when none runs. A client of the user's own engine outlives it: an
engine that idled out or was killed is started again by the client's next request.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import docker
import requests
from docker.errors import DockerException
from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool

from containerlab import paths
from containerlab.errors import EngineUnreachable

__all__ = ["API_VERSION", "connect", "find_host", "lab_get", "start_engine"]

API_VERSION = "1.43"
_IDLE_EXIT_SECONDS = 300
_START_SECONDS = 30.0
_LOG_TAIL_BYTES = 2000
_NOBODY_LISTENS = (FileNotFoundError, ConnectionRefusedError)


def find_host() -> str:
    """The URL of the engine that ``connect()`` would take, whether it runs or not."""
    chosen = os.environ.get("DOCKER_HOST") or os.environ.get("CONTAINERLAB_HOST")
    return chosen or f"unix://{paths.api_socket(paths.store_folder())}"


def connect(start: bool = True) -> docker.DockerClient:
    """A client of the chosen engine; without ``start``, the user's own must run already.

    Raises EngineUnreachable with the reason.
    """
    try:
        if os.environ.get("DOCKER_HOST"):
            return _answering(docker.from_env())
        if os.environ.get("CONTAINERLAB_HOST"):
            return _answering(docker.DockerClient(base_url=find_host()))
    except DockerException as error:
        raise EngineUnreachable(
            f"No engine answers at {find_host()}: {error}",
            hint="Unset DOCKER_HOST and CONTAINERLAB_HOST to use your own engine, which starts by itself.",
        ) from error
    return _connect_own(paths.store_folder(), start=start)


def lab_get(client: docker.DockerClient, path: str, /, **parameters: str | list[str]) -> dict[str, Any]:
    """The JSON of a ``/containerlab/…`` route (docs/interfaces.md); ``parameters`` become the query.

    Raises docker.errors.NotFound where the engine is another one that has no such route.
    """
    api = client.api
    response = api.get(f"{api.base_url}{path}", params=parameters, timeout=api.timeout)
    return cast("dict[str, Any]", api._result(response, json=True))


def start_engine(store: Path, idle_exit: float = _IDLE_EXIT_SECONDS) -> None:
    """See to it that an engine of ``store`` takes connections; of many callers, one starts it.

    ``idle_exit``: seconds unused after which one that is started now ends.
    Raises EngineUnreachable with the engine's own reason.
    """
    deadline = time.monotonic() + _START_SECONDS
    path = paths.api_socket(store)
    while not _listens(path):
        if time.monotonic() > deadline:
            raise EngineUnreachable(f"The engine did not start within {_START_SECONDS:.0f} seconds.")
        answer = _launch(store, deadline, idle_exit)
        if answer["status"] == "failed":
            raise EngineUnreachable(f"The engine could not start: {answer['message']}", hint=answer.get("hint", ""))
        if answer["status"] == "running":
            # Another engine has the store: it is about to listen, or about to leave and free the lock.
            time.sleep(0.05)


def _connect_own(store: Path, *, start: bool) -> docker.DockerClient:
    path = paths.api_socket(store)
    if start:
        start_engine(store)
    elif not _listens(path):
        raise EngineUnreachable(f"No engine listens at {path}.", hint="containerlab serve starts one.")
    # The version is given, so that making a client costs no request.
    client = docker.DockerClient(base_url=f"unix://{path}", version=API_VERSION)
    api = client.api
    if start:
        adapter = _StartingAdapter(f"http+unix://{path}", store, timeout=api.timeout)
        api._custom_adapter = adapter
        api.mount("http+docker://", adapter)
    return client


def _answering(client: docker.DockerClient) -> docker.DockerClient:
    client.ping()
    return client


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except _NOBODY_LISTENS:
            return False
        except OSError as error:
            raise EngineUnreachable(f"The engine's socket {path} refuses a connection: {error.strerror}") from error
    return True


def _launch(store: Path, deadline: float, idle_exit: float) -> dict[str, str]:
    """Start ``serve`` in a session of its own and wait for what it says (api/ready.py has the words)."""
    read_end, write_end = os.pipe()
    command = [sys.executable, *paths.INTERPRETER, "-m", "containerlab", "serve", "--detach"]
    command += ["--store", os.fspath(store), "--idle-exit", str(idle_exit)]
    try:
        # This process ends at once, after its own fork: a notebook's kernel is left with no child to reap.
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_environment(write_end),
            pass_fds=[write_end],
            start_new_session=True,
        ):
            os.close(write_end)
            write_end = -1
            said = _read_line(read_end, deadline)
    except OSError as error:
        raise EngineUnreachable(f"The engine could not start: {error}") from error
    finally:
        os.close(read_end)
        if write_end >= 0:
            os.close(write_end)
    return json.loads(said) if said else {"status": "failed", "message": _last_words(store)}


def _environment(descriptor: int) -> dict[str, str]:
    """The user's environment; one malloc arena, because the engine's threads are few and its memory counts."""
    return {"MALLOC_ARENA_MAX": "1", **os.environ, "CONTAINERLAB_READY_FD": str(descriptor)}


def _read_line(descriptor: int, deadline: float) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            message = f"it did not become ready within {_START_SECONDS:.0f} seconds"
            return json.dumps({"status": "failed", "message": message}).encode()
        chunk = os.read(descriptor, 4096)
        if not chunk:
            return b""
        line += chunk
    return line


def _last_words(store: Path) -> str:
    """What an engine that died without a word left in its log."""
    log = paths.run_folder(store) / "engine.log"
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
            tail = file.read().decode(errors="replace").strip()
    except OSError:
        tail = ""
    return f"it ended before it was ready; the end of {log}:\n{tail}" if tail else "it ended before it was ready"


class _StartingConnection(UnixHTTPConnection):  # type: ignore[misc]
    """A connection that starts the engine when nobody listens."""

    store: Path

    def connect(self) -> None:
        try:
            super().connect()
        except _NOBODY_LISTENS:
            start_engine(self.store)
            super().connect()


class _StartingPool(UnixHTTPConnectionPool):  # type: ignore[misc]
    store: Path

    def _new_conn(self) -> _StartingConnection:
        connection = _StartingConnection(self.base_url, self.socket_path, self.timeout)
        connection.store = self.store
        return connection


class _StartingAdapter(UnixHTTPAdapter):  # type: ignore[misc]
    """docker-py's unix adapter, with our connections, and one pool of them where it has one for each URL."""

    def __init__(self, socket_url: str, store: Path, *, timeout: float) -> None:
        super().__init__(socket_url, timeout=timeout)
        self._store = store

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """A question that an engine took with it when it was killed is put to the next one; an order is not."""
        try:
            answer: requests.Response = super().send(request, *args, **options)
        except requests.exceptions.ConnectionError:
            if request.method not in ("GET", "HEAD"):
                raise
            answer = super().send(request, *args, **options)
        return answer

    def get_connection(self, url: str, proxies: object = None) -> _StartingPool:
        with self.pools.lock:
            pool = self.pools.get(self.socket_path)
            if pool is None:
                pool = _StartingPool(url, self.socket_path, self.timeout, maxsize=self.max_pool_size)
                pool.store = self._store
                self.pools[self.socket_path] = pool
        return cast("_StartingPool", pool)
