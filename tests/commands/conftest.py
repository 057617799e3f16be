"""The verbs against an engine: ours, or the one that ``DOCKER_HOST`` names."""

from __future__ import annotations

import contextlib
import shlex
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest

from containerlab.commands.build_steps import BuildLog
from containerlab.commands.context import Context
from containerlab.commands.registry import invoke
from tests.clients.conftest import host

__all__ = ["host"]


class Kept:
    """An output that remembers."""

    def __init__(self) -> None:
        self.out = b""
        self.err = b""
        self.notices: list[str] = []
        self.log: BuildLog | None = None

    def stdout(self, data: bytes) -> None:
        self.out += data

    def stderr(self, data: bytes) -> None:
        self.err += data

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def step(self, log: BuildLog) -> None:
        self.log = log


@pytest.fixture
def client(host: str) -> Iterator[docker.DockerClient]:
    made = docker.DockerClient(base_url=host)
    yield made
    made.close()


@pytest.fixture
def output() -> Kept:
    return Kept()


@pytest.fixture
def context(client: docker.DockerClient, output: Kept) -> Context:
    """As a terminal would be, with no terminal and no input."""
    return Context(output=output, connect=lambda: client)


@pytest.fixture
def verb(context: Context) -> Callable[[str], Any]:
    """``verb("run --rm lab/busybox true")`` gives the result."""
    return lambda line: invoke(shlex.split(line), context)


@pytest.fixture
def name(client: docker.DockerClient) -> Iterator[str]:
    """A container's name that nobody has; whoever takes it is removed."""
    made = f"t-{uuid.uuid4().hex[:8]}"
    yield made
    with contextlib.suppress(docker.errors.NotFound):
        client.api.remove_container(made, force=True)
