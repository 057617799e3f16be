"""A tiny engine behind the real HTTP layer, served on a real unix socket by a thread of its own."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from containerlab.api.app import make_app
from containerlab.api.connection import connection_factory
from containerlab.api.folders import listen
from containerlab.engine.models import ContainerConfig, ExecConfig, HostConfig, NetworkingConfig
from containerlab.engine.settings import Settings
from containerlab.errors import BuildFailed, NoSuchContainer, NoSuchExec, NotModified


class FakeWaiter:
    def __init__(self, containers: FakeContainers) -> None:
        self.containers = containers

    async def result(self) -> dict[str, Any]:
        await self.containers.exited.wait()
        return {"StatusCode": 7}

    def close(self) -> None:
        self.containers.waiters -= 1


class FakeContainers:
    """Knows one container, ``one``."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.exited = asyncio.Event()
        self.started = asyncio.Event()
        self.waiters = 0
        self.finished_starts = 0
        self.is_tty = False
        self.log: list[tuple[int, bytes]] = [(1, b"out\n"), (2, b"err\n")]
        self.following = 0

    def _known(self, ref: str) -> None:
        if ref != "one":
            raise NoSuchContainer(ref)

    async def create(
        self,
        config: ContainerConfig,
        host_config: HostConfig,
        name: str | None = None,
        networking: NetworkingConfig | None = None,
    ) -> tuple[str, list[str]]:
        self.calls.append(("create", config, host_config, name))
        return "f" * 64, ["a warning"]

    async def list(self, **options: Any) -> list[dict[str, Any]]:
        self.calls.append(("list", options))
        return []

    async def inspect(self, ref: str, *, size: bool = False) -> dict[str, Any]:
        self._known(ref)
        return {"Id": "f" * 64, "Size": size}

    async def start(self, ref: str, detach_keys: str = "") -> None:
        self._known(ref)
        self.started.set()
        await asyncio.sleep(0.2)
        self.finished_starts += 1

    async def stop(self, ref: str, timeout: int | None = None, signal: str | None = None) -> None:
        self.calls.append(("stop", timeout, signal))
        raise NotModified("it does not run")

    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None:
        self._known(ref)

    async def top(self, ref: str, ps_args: str = "-ef") -> dict[str, Any]:
        raise RuntimeError("nobody foresaw this")

    def wait(self, ref: str, condition: str = "not-running") -> FakeWaiter:
        self._known(ref)
        self.waiters += 1
        return FakeWaiter(self)

    def tty(self, ref: str) -> bool:
        self._known(ref)
        return self.is_tty

    async def attach(self, ref: str, fd: int, **options: Any) -> None:
        self.calls.append(("attach", options))
        os.write(fd, b"hello from the other side")

    def logs(self, ref: str, *, follow: bool = False, **options: Any) -> AsyncIterator[tuple[int, bytes]]:
        self._known(ref)
        self.calls.append(("logs", options))
        return self._lines(follow)

    async def _lines(self, follow: bool) -> AsyncIterator[tuple[int, bytes]]:
        for line in self.log:
            yield line
        if follow:
            self.following += 1
            try:
                await asyncio.Event().wait()
            finally:
                self.following -= 1


class FakeExecs:
    async def create(self, ref: str, config: ExecConfig) -> str:
        return "e1"

    def check(self, exec_id: str) -> None:
        if exec_id != "e1":
            raise NoSuchExec(exec_id)

    async def start(self, exec_id: str, fd: int | None, **options: Any) -> None:
        raise BuildFailed("the command can't be run")


class FakeImages:
    """``pull`` does what the image's name says."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()

    async def inspect(self, ref: str) -> dict[str, Any]:
        return {"Id": ref}

    async def pull(self, ref: str, emit: Callable[[dict[str, Any]], None], **options: Any) -> None:
        self.asked = (ref, options)
        if ref.startswith("refused"):
            raise NoSuchContainer("nothing was sent yet")
        emit({"status": f"Pulling {ref}"})
        if ref.startswith("failing"):
            raise BuildFailed("half way", exit_code=3)
        if ref.startswith("endless"):
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()


class FakeBuilds:
    """Notes what the context holds, then does what the Dockerfile says."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, bytes]] = []
        self.cancelled = asyncio.Event()

    async def build(
        self, context: Any, options: Any, emit: Callable[[dict[str, Any]], None], accounts: Any = None
    ) -> None:
        dockerfile = context.dockerfile(options.dockerfile)
        self.seen.append((options, dockerfile))
        emit({"stream": "Step 1/1 : FROM x\n"})
        emit({"containerlab": {"step": 1, "status": "done"}})
        if dockerfile == b"wait":
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()

    def let_go(self, context: Any) -> None:
        context.close()


class FakeEvents:
    async def _none(self) -> AsyncIterator[dict[str, Any]]:
        yield {"Type": "container", "Action": "start"}

    def subscribe(self, since: Any = None, until: Any = None, filters: Any = None) -> AsyncIterator[dict[str, Any]]:
        return self._none()

    def close(self) -> None:
        """Nobody listens for long."""


class FakeSystem:
    def version(self) -> dict[str, Any]:
        return {"ApiVersion": "1.50"}


class FakeEngine:
    def __init__(self, store: Path) -> None:
        self.settings = Settings(store=store, run=store)
        self.builds = FakeBuilds()
        self.containers = FakeContainers()
        self.execs = FakeExecs()
        self.images = FakeImages()
        self.events = FakeEvents()
        self.system = FakeSystem()
        self.touched = 0

    def touch(self) -> None:
        self.touched += 1


class Serving:
    """The served socket, and helpers to talk to it as a client would."""

    def __init__(self, engine: FakeEngine, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.engine, self.path, self.loop = engine, path, loop

    def socket(self) -> socket.socket:
        """A raw connection; five seconds for each call on it."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(5)
        sock.connect(os.fspath(self.path))
        return sock

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one request on a new connection."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = self.socket()
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def post(self, path: str, data: Any) -> tuple[int, Any]:
        """Status and JSON answer of a POST of JSON."""
        status, _, body = self.request("POST", path, json.dumps(data).encode(), {"Content-Type": "application/json"})
        return status, json.loads(body) if body else None

    def on_loop(self, call: Callable[[], None]) -> None:
        """Do something inside the server's event loop."""
        self.loop.call_soon_threadsafe(call)


async def _serve(engine: FakeEngine, path: Path) -> Callable[[], Awaitable[None]]:
    runner = web.AppRunner(make_app(engine), handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    factory = connection_factory(runner.server)
    server = await asyncio.get_running_loop().create_unix_server(factory, sock=listen(path))

    async def stop() -> None:
        server.close()
        await runner.cleanup()

    return stop


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    """The API of a fake engine on a unix socket."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    (tmp_path / "store").mkdir()
    engine, path = FakeEngine(tmp_path / "store"), tmp_path / "api.sock"
    stop = asyncio.run_coroutine_threadsafe(_serve(engine, path), loop).result(10)
    try:
        yield Serving(engine, path, loop)
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
