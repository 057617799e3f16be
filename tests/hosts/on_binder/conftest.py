"""Run by test_binder in a Binder-like host: everything that a class does, on the rung proot."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import docker
import pytest
from docker.models.containers import Container

from tests.hosts.on_binder.work import IMAGE
from tests.store import Store


@pytest.fixture(scope="session", autouse=True)
def binder() -> None:
    """These files have no ``test_`` in their names: nobody meets them but who names them."""
    if os.environ.get("CONTAINERLAB_TEST_HOST") != "binder":
        pytest.skip("for a Binder-like host (tests/hosts/binder.py)")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = Store(tmp_path_factory.mktemp("proot") / "store")
    made.start()
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def client(store: Store) -> Iterator[docker.DockerClient]:
    store.start()
    made = docker.DockerClient(base_url=store.host)
    yield made
    for container in made.containers.list(all=True):
        container.remove(force=True)
    made.close()


@pytest.fixture
def running(client: docker.DockerClient) -> Container:
    return client.containers.run(IMAGE, ["sleep", "300"], detach=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What ``document`` reads: ``@lesson {"name", "cells", "as_stored", "left_out"}``."""
    for report in terminalreporter.stats.get("passed", ()):
        for kind, told in report.user_properties:
            if kind == "lesson":
                terminalreporter.write_line(f"@lesson {json.dumps(told)}")
