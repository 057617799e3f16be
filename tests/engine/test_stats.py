"""One reading of ``stats`` in Docker's JSON: counted by a cgroup, or, where there is none, seen in /proc."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from containerlab.engine import stats as readings
from containerlab.engine.clock import ZERO
from containerlab.engine.container import Container
from containerlab.engine.state import ContainerState
from containerlab.engine.stats import stats
from containerlab.runtime import facts

Make = Callable[..., Container]


def read(container: Container, previous: dict[str, Any] | None = None) -> dict[str, Any]:
    return asyncio.run(stats(container, previous))


def test_a_container_that_does_not_run_has_docker_s_empty_figures(make_container: Make) -> None:
    container = make_container()
    shown = read(container)
    assert (shown["id"], shown["name"], shown["read"], shown["preread"]) == (container.id, "/web", ZERO, ZERO)
    assert (shown["memory_stats"], shown["pids_stats"]) == ({}, {})
    assert "networks" not in shown
    assert shown["cpu_stats"]["cpu_usage"]["total_usage"] == 0
    again = read(container, {"read": "r", "cpu_stats": {"c": 1}})
    assert (again["preread"], again["precpu_stats"]) == ("r", {"c": 1})


@pytest.fixture
def busy() -> Iterator[int]:
    """The pid of a program that has spent some processor time and waits."""
    script = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; echo done; read x"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(["sh", "-c", script], **pipes) as process:  # type: ignore[call-overload]
        try:
            assert process.stdout.readline() == b"done\n"
            yield process.pid
        finally:
            process.kill()


def test_without_a_cgroup_the_processes_themselves_are_looked_at(
    make_container: Make, busy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "pids_of", lambda _container: [busy])
    shown = read(make_container(state=ContainerState(status="running", pid=busy)))
    assert shown["read"] != ZERO
    assert shown["pids_stats"] == {"current": 1}
    assert 0 < shown["memory_stats"]["usage"] < shown["memory_stats"]["limit"]
    assert shown["cpu_stats"]["cpu_usage"]["total_usage"] > 0


def test_what_a_cgroup_counts_stands_and_the_rest_is_looked_at(
    make_container: Make, busy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "pids_of", lambda _container: [busy])
    monkeypatch.setattr(facts, "cgroup_stats", lambda _paths: {"memory": {"usage": 7, "limit": 9}})
    shown = read(make_container(state=ContainerState(status="running", pid=busy)))
    assert shown["memory_stats"] == {"usage": 7, "limit": 9, "stats": {}}
    assert shown["pids_stats"] == {"current": 1}


def test_the_interfaces_of_a_container_on_networks_are_read(
    make_container: Make, busy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "pids_of", lambda _container: [busy])
    card = {f"{way}_{what}": 3 for way in ("rx", "tx") for what in ("bytes", "packets", "errors", "dropped")}
    monkeypatch.setattr(facts, "network_counters", lambda pid: {"eth0": card} if pid == busy else {})
    state = ContainerState(status="running", pid=busy, networked=True)
    assert read(make_container(state=state))["networks"] == {"eth0": card}


def test_counters_of_interfaces_have_docker_s_names_and_leave_loopback_out() -> None:
    counters = facts.network_counters(os.getpid())
    assert "lo" not in counters
    for card in counters.values():
        assert sorted(card) == sorted(
            f"{way}_{what}" for way in ("rx", "tx") for what in ("bytes", "packets", "errors", "dropped")
        )
    assert facts.network_counters(2**22 + 1) == {}


def test_figures_of_the_cgroup_get_docker_s_names() -> None:
    memory = readings._memory_stats({"usage": 5, "limit": 9, "failcnt": 0, "stat.cache": 3})
    assert memory == {"usage": 5, "limit": 9, "failcnt": 0, "stats": {"cache": 3}}
    without = readings._memory_stats({"usage": 5})
    assert without["limit"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE")
    assert readings._blkio({"read_bytes": 1, "write_bytes": 2}) == {
        "io_service_bytes_recursive": [
            {"major": 0, "minor": 0, "op": "read", "value": 1},
            {"major": 0, "minor": 0, "op": "write", "value": 2},
        ],
        "io_serviced_recursive": None,
    }
    assert readings._renamed({"current": 1, "limit": 2, "x": 3}) == {"current": 1, "limit": 2}


def test_the_host_s_processor_time_grows_by_what_all_its_processors_spend() -> None:
    before, began = readings._host_cpu_ns(), time.monotonic_ns()
    time.sleep(0.05)
    grown = readings._host_cpu_ns() - before
    assert 0 <= grown <= (time.monotonic_ns() - began + 50_000_000) * ((os.cpu_count() or 1) + 1)
