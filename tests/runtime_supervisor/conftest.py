"""A supervisor of the test's own, and containers of one static busybox."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from containerlab.runtime.client import SupervisorClient
from containerlab.runtime.spec import default_process, default_spec
from tests.groups import groups
from tests.supervisor import end_supervisor, start_supervisor

LIMIT = 30
_APPLETS = ("cat", "dd", "echo", "head", "ls", "mknod", "seq", "sh", "sleep", "stty", "tail", "true", "yes")


class Lab:
    """A running supervisor; ``container`` makes bundles for it, ``client`` connects to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # A unix socket's path has 108 bytes, and pytest's folders are deep.
        self.run = Path(f"/tmp/cl-sup-{os.getpid()}-{uuid.uuid4().hex[:8]}")
        self.run.mkdir(mode=0o700)
        self.process: subprocess.Popen[bytes] | None = None
        self.errors = folder / "supervisor.err"
        self.names: list[str] = []

    def start(self) -> None:
        self.process = start_supervisor(self.run, self.errors)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def bundle(self, *args: str, name: str = "", **options: Any) -> tuple[str, str]:
        """A container's id and its bundle; ``resources`` are added to the spec's, the rest is ``default_spec``'s."""
        name = name or f"cltest-{uuid.uuid4().hex[:12]}"
        self.names.append(name)
        path = self.folder / name
        rootfs = path / "rootfs"
        for folder in ("bin", "dev", "proc", "sys", "etc", "tmp", "root"):
            (rootfs / folder).mkdir(parents=True)
        shutil.copy("/usr/bin/busybox", rootfs / "bin/busybox")
        for applet in _APPLETS:
            (rootfs / "bin" / applet).symlink_to("busybox")
        resources = options.pop("resources", {})
        drop = options.pop("drop", ())
        spec = default_spec(args, **options)
        spec["linux"]["resources"].update(resources)
        for kind, names in spec["process"]["capabilities"].items():
            spec["process"]["capabilities"][kind] = [word for word in names if word not in drop]
        (path / "config.json").write_text(json.dumps(spec))
        return name, str(path)

    def log(self, name: str, **limits: int) -> dict[str, Any]:
        """``io.log`` for a container."""
        return {
            "driver": "json-file",
            "path": str(self.folder / f"{name}-json.log"),
            "max_size": 0,
            "max_file": 1,
        } | limits

    def records(self, name: str) -> list[dict[str, str]]:
        """The log's records."""
        return [json.loads(line) for line in (self.folder / f"{name}-json.log").read_bytes().splitlines()]

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        connection = await SupervisorClient.connect(self.run)
        try:
            yield Client(self, connection)
        finally:
            connection.close()

    def stop(self) -> None:
        try:
            if self.process is not None:
                asyncio.run(self._end_containers())
                end_supervisor(self.process)
        finally:
            for name in self.names:
                _remove_groups(name)
            shutil.rmtree(self.run)
        problems = self.errors.read_text() if self.errors.exists() else ""
        assert "Traceback" not in problems, problems

    async def _end_containers(self) -> None:
        with contextlib.suppress(OSError):
            async with self.client() as client:
                for record in (await client.call("list"))["containers"]:
                    await client.remove(record["container"])


class Client:
    """``call`` and what tests do with it."""

    def __init__(self, lab: Lab, connection: SupervisorClient) -> None:
        self.lab, self.connection = lab, connection
        self.call = connection.call
        self.events: list[dict[str, Any]] = []
        self._changed = asyncio.Event()
        connection.on_event(self._event)

    def _event(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        self._changed.set()

    async def create(
        self, *args: str, io: dict[str, Any] | None = None, log: bool | dict[str, int] = False, **options: Any
    ) -> str:
        name, bundle = self.lab.bundle(*args, tty=bool((io or {}).get("tty")), **options)
        words = {"tty": False, "stdin": False, "stdin_once": False, "log": None} | (io or {})
        if log is not False:
            words["log"] = self.lab.log(name, **(log if isinstance(log, dict) else {}))
        await self.call("create", container=name, bundle=bundle, io=words)
        return name

    async def attach(self, name: str, *streams: str, **options: Any) -> Stream:
        ours, theirs = socket.socketpair()
        fields = {"exec": None, "multiplexed": False, "replay": False, "detach_keys": ""} | options
        with theirs:
            words = list(streams or ("stdout", "stderr"))
            await self.call("attach", (theirs.fileno(),), container=name, streams=words, **fields)
        return Stream(ours)

    async def exec(
        self, name: str, *args: str, io: dict[str, Any] | None = None, attach: bool = True, **process: Any
    ) -> tuple[str, Stream | None]:
        """Starts an exec, attached from its beginning unless told otherwise."""
        words = {"tty": False, "stdin": False, "stdin_once": True, "log": None} | (io or {})
        what = default_process(args, tty=words["tty"]) | process
        number = uuid.uuid4().hex
        fields = {"container": name, "exec": number, "process": what, "io": words}
        if not attach:
            await self.call("exec", **fields)
            return number, None
        ours, theirs = socket.socketpair()
        with theirs:
            joined = {"streams": ["stdin", "stdout", "stderr"], "multiplexed": False}
            await self.call("exec", (theirs.fileno(),), attach=joined, **fields)
        return number, Stream(ours)

    async def exit(self, name: str, exec_id: str | None = None) -> dict[str, Any]:
        """The exit event of a container or exec."""
        deadline = asyncio.get_running_loop().time() + LIMIT
        while True:
            for event in self.events:
                if event["event"] == "exit" and (event["container"], event["exec"]) == (name, exec_id):
                    return event
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), deadline - asyncio.get_running_loop().time())

    async def run(self, *args: str, **options: Any) -> tuple[int, bytes]:
        """Runs a container to its end: its exit code, its stdout and stderr together."""
        name = await self.create(*args, **options)
        stream = await self.attach(name)
        await self.call("start", container=name)
        output = await stream.read_all()
        code = (await self.exit(name))["exit_code"]
        stream.close()
        await self.call("forget", container=name)
        return code, output

    async def record(self, name: str) -> dict[str, Any]:
        return next(r for r in (await self.call("list"))["containers"] if r["container"] == name)

    async def remove(self, name: str) -> None:
        """Kills and forgets."""
        with contextlib.suppress(OSError):
            await self.call("signal", container=name, exec=None, signal=signal.SIGKILL, all=False)
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            try:
                await self.call("forget", container=name)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                return


class Stream:
    """The client's side of an attached connection."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.socket = connection
        self._loop = asyncio.get_running_loop()

    async def read(self, count: int = 65536) -> bytes:
        return await asyncio.wait_for(self._loop.sock_recv(self.socket, count), LIMIT)

    async def read_until(self, mark: bytes) -> bytes:
        data = b""
        while mark not in data:
            piece = await self.read()
            assert piece, f"the stream ended before {mark!r}: {data!r}"
            data += piece
        return data

    async def read_all(self) -> bytes:
        pieces = []
        while piece := await self.read():
            pieces.append(piece)
        return b"".join(pieces)

    async def write(self, data: bytes) -> None:
        await asyncio.wait_for(self._loop.sock_sendall(self.socket, data), LIMIT)

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()


def _remove_groups(name: str) -> None:
    for path in groups(name):
        with contextlib.suppress(OSError):
            path.rmdir()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.stop()
