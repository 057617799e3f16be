"""The verbs against an engine: ours, or the one that ``DOCKER_HOST`` names."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import docker
import pytest

from containerlab.commands.build_steps import BuildLog
from containerlab.commands.compose.board import Board
from containerlab.commands.context import Context
from containerlab.commands.registry import invoke
from containerlab.commands.transfer_log import TransferLog
from tests.clients.conftest import client, host, name, store

__all__ = ["client", "host", "name", "store"]


class Kept:
    """An output that remembers."""

    def __init__(self) -> None:
        self.out = b""
        self.err = b""
        self.notices: list[str] = []
        self.log: BuildLog | None = None
        self.transfers: list[TransferLog] = []

    def stdout(self, data: bytes) -> None:
        self.out += data

    def stderr(self, data: bytes) -> None:
        self.err += data

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def transfer(self, log: TransferLog) -> None:
        self.transfers.append(log)

    def step(self, log: BuildLog) -> None:
        self.log = log

    def services(self, board: Board) -> None:
        self.notices += board.untold()


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
