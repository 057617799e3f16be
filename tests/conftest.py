"""What every test may rely on: a test that needs what this host or user lacks is skipped, by name."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.rungs import ids_host, one_id_host
from tests.store import Store

__all__ = ["ids_host", "one_id_host", "session_host"]


@functools.cache
def _host() -> dict[str, Any]:
    """What ``containerlab doctor`` finds, in a process of its own: this one has threads, and namespaces want none."""
    command = [sys.executable, "-m", "containerlab", "doctor", "--json"]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=False).stdout)
    return found


def _real_docker() -> bool:
    return "DOCKER_HOST" in os.environ


# For each mark, what it stands for, and whether that can't be had here.
_NEEDS: dict[str, tuple[str, Callable[[], bool]]] = {
    "root": ("root", lambda: os.geteuid() != 0),
    "ids": ("users beside root", lambda: not _real_docker() and _host()["rung"] not in ("root", "rootless-ids")),
    "counted": ("a pids cgroup", lambda: not _real_docker() and not _host()["features"].get("cgroup_pids", False)),
    "namespaces": ("namespaces of containers' own", lambda: not _real_docker() and _host()["rung"] == "proot"),
    "freezer": ("a freezer", lambda: not _real_docker() and not _host()["features"].get("cgroup_freezer", False)),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked with a need that can't be met."""
    for item in items:
        for mark, (what, is_lacking) in _NEEDS.items():
            if item.get_closest_marker(mark) and is_lacking():
                item.add_marker(pytest.mark.skip(reason=f"needs {what}"))
        alone = item.get_closest_marker("ours")
        if alone and _real_docker():
            item.add_marker(pytest.mark.skip(reason=f"of this engine alone: {alone.args[0]}"))


@pytest.fixture(scope="session")
def session_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The engine that a session's tests share, also those of a module whose ``host`` is more than one."""
    chosen = os.environ.get("DOCKER_HOST")
    if chosen:
        yield chosen
        return
    made = Store(tmp_path_factory.mktemp("clients") / "store")
    try:
        made.start()
        yield made.host
    finally:
        made.end()
