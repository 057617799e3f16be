"""What a host without bridges gives: the default network with loopback alone, said so, and no more than that."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from containerlab.database import Database
from containerlab.engine.attachments import Attachments
from containerlab.engine.background import Background
from containerlab.engine.models import ContainerConfig, HostConfig, NetworkingConfig, PortBinding
from containerlab.engine.network_set import NetworkSet
from containerlab.engine.parts import Parts
from containerlab.errors import HostLacks, InvalidParameter
from containerlab.network.model import Endpoint

PORTS = {"80/tcp": [PortBinding()]}


@pytest.fixture(params=[True, False], ids=["bridges", "none"])
def bridges(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def attachments(tmp_path: Path, bridges: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attachments]:
    database = Database(tmp_path / "db")
    settings = SimpleNamespace(run=tmp_path, publish_ip="127.0.0.1")
    parts = cast(Parts, SimpleNamespace(settings=settings, database=database, engine_id="e", background=Background()))
    made = Attachments(parts, NetworkSet(parts))

    def prove(_network: object) -> None:
        if not bridges:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(made.worker, "prove", prove)
    yield made
    database.close()


def plan(attachments: Attachments, **host: Any) -> tuple[list[Endpoint], list[str]]:
    async def run() -> tuple[list[Endpoint], list[str]]:
        try:
            return await attachments.plan(ContainerConfig(), HostConfig(**host), NetworkingConfig())
        finally:
            await attachments.close()

    return asyncio.run(run())


def test_the_default_network(attachments: Attachments, bridges: bool) -> None:
    ends, warnings = plan(attachments)
    assert ([end.network for end in ends], len(warnings)) == ((["bridge"], 0) if bridges else ([], 1))
    assert bridges or "loopback alone here: this host gives no network of bridges" in warnings[0]


def test_a_published_port(attachments: Attachments, bridges: bool) -> None:
    if bridges:
        assert plan(attachments, port_bindings=PORTS)[1] == []
        return
    with pytest.raises(HostLacks, match="published ports can't be had"):
        plan(attachments, port_bindings=PORTS)


@pytest.mark.parametrize("mode", ["host", "none"])
def test_a_port_that_is_not_published_is_a_warning(attachments: Attachments, mode: str) -> None:
    warning = f"Published ports are discarded when using {mode} network mode"
    assert plan(attachments, network_mode=mode, port_bindings=PORTS) == ([], [warning])


def test_a_virtual_machine_has_loopback_alone(attachments: Attachments) -> None:
    ends, warnings = plan(attachments, runtime="vm")
    assert ends == [] and "virtual machine" in warnings[0]


def test_a_virtual_machine_publishes_nothing(attachments: Attachments) -> None:
    with pytest.raises(InvalidParameter, match="none of its ports"):
        plan(attachments, runtime="vm", port_bindings=PORTS)
