"""What the tests of the engine's parts share: containers and images in memory, and a log that is really written."""

from __future__ import annotations

import asyncio
import json
import time as clock
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from containerlab.engine.container import Container
from containerlab.engine.models import ContainerConfig, HostConfig, NetworkingConfig
from containerlab.engine.names import new_id
from containerlab.engine.state import ContainerRecord, ContainerState
from containerlab.runtime.supervisor.jsonlog import JsonLog

_Item = TypeVar("_Item")


class Log:
    """A container's log in a folder of its own, written by the supervisor's own writer or by hand."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def writer(self, max_size: int = 0, max_file: int = 1) -> JsonLog:
        return JsonLog(str(self.path), max_size, max_file)

    def add(self, text: str, stream: str = "stdout", time: str = "2026-01-02T03:04:05Z", file: str = "") -> bytes:
        """One record at the end of ``file`` (default: the newest)."""
        raw = json.dumps({"log": text, "stream": stream, "time": time}).encode() + b"\n"
        return self.add_raw(raw, file)

    def add_raw(self, raw: bytes, file: str = "") -> bytes:
        with open(f"{self.path}{file}", "ab") as target:
            target.write(raw)
        return raw

    def rotate(self) -> None:
        """Rename every file by one, as the writer does; the newest is then missing."""
        numbers = sorted((int(name.suffix[1:]) for name in self.path.parent.glob("*.log.*")), reverse=True)
        for number in numbers:
            Path(f"{self.path}.{number}").rename(f"{self.path}.{number + 1}")
        self.path.rename(f"{self.path}.1")


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "c-json.log")


@pytest.fixture
def make_container(tmp_path: Path) -> Callable[..., Container]:
    """``make_container(name, status=…, labels=…, …)``: each is created a second after the one before."""
    created = iter(range(1_700_000_000_000_000_000, 1_800_000_000_000_000_000, 1_000_000_000))

    def make(
        name: str = "web",
        *,
        config: ContainerConfig | None = None,
        host: HostConfig | None = None,
        state: ContainerState | None = None,
        **record: Any,
    ) -> Container:
        fields: dict[str, Any] = {
            "id": new_id(),
            "created": next(created),
            "image": "sha256:" + "1" * 64,
            "config": config or ContainerConfig(image="busybox"),
            "host_config": host or HostConfig(),
            "networking": NetworkingConfig(),
            "path": "sh",
            "args": [],
            "chain_id": "",
        }
        made = ContainerRecord(**{**fields, **record})
        return Container(made, name, state or ContainerState(), tmp_path)

    return make


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The local time zone is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    clock.tzset()
    yield
    monkeypatch.undo()
    clock.tzset()


async def collect(items: AsyncIterator[_Item], count: int | None = None, seconds: float = 10) -> list[_Item]:
    """The first ``count`` items (None: all), within ``seconds``."""
    found: list[_Item] = []

    async def read() -> None:
        if count == 0:
            return
        async for item in items:
            found.append(item)
            if len(found) == count:
                return

    await asyncio.wait_for(read(), seconds)
    return found
