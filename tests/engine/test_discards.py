"""Limits that a host can't give: named, left out, and nothing else changed."""

from __future__ import annotations

import pytest

from containerlab.engine.discards import discard
from containerlab.engine.models import HostConfig
from containerlab.errors import InvalidParameter

MEMORY = ("memory", "memory_swap", "memory_reservation", "swappiness", "oom_kill_disable")
EVERYTHING = dict.fromkeys((*MEMORY, "pids", "cpu_shares", "cpu_quota", "cpuset"), True)


def test_where_everything_can_be_had_nothing_changes():
    host = HostConfig(memory=1 << 30, memory_swap=2 << 30, pids_limit=9, cpu_shares=2, cpuset_cpus="0", nano_cpus=5)
    assert discard(host, EVERYTHING) == (host, [])


@pytest.mark.parametrize(
    ("feature", "asked", "word"),
    [
        ("memory", {"memory": 1 << 30, "memory_swap": 2 << 30}, "memory limit"),
        ("memory_swap", {"memory_swap": 2 << 30}, "without swap"),
        ("memory_reservation", {"memory_reservation": 1 << 20}, "soft limit"),
        ("swappiness", {"memory_swappiness": 7}, "swappiness"),
        ("oom_kill_disable", {"oom_kill_disable": True}, "OomKillDisable"),
        ("pids", {"pids_limit": 9}, "PIDs limit"),
        ("cpu_shares", {"cpu_shares": 512}, "Shares discarded"),
        ("cpu_quota", {"cpu_period": 100000, "cpu_quota": 5000}, "period/quota"),
        ("cpuset", {"cpuset_cpus": "0", "cpuset_mems": "0"}, "Cpuset"),
    ],
)
def test_a_limit_that_cannot_be_had_is_discarded_with_a_warning(feature, asked, word):
    kept, warnings = discard(HostConfig(**asked), {**EVERYTHING, feature: False})
    assert kept == HostConfig()
    assert len(warnings) == 1 and word in warnings[0]


def test_memory_without_swap_accounting_is_limited_without_swap():
    kept, warnings = discard(HostConfig(memory=1 << 30), {**EVERYTHING, "memory_swap": False})
    assert (kept.memory, kept.memory_swap) == (1 << 30, -1)
    assert len(warnings) == 1 and "without swap" in warnings[0]


def test_no_limit_is_nothing_to_discard():
    host = HostConfig(memory_swap=-1, pids_limit=-1, memory_swappiness=-1)
    assert discard(host, {}) == (host, [])


def test_cpus_are_refused_as_docker_refuses_them():
    with pytest.raises(InvalidParameter, match="NanoCPUs can not be set"):
        discard(HostConfig(nano_cpus=10**9), {})


def test_a_killer_that_is_off_without_a_limit_is_warned_of() -> None:
    everything = dict.fromkeys([*MEMORY, "pids", "cpu_shares", "cpu_quota", "cpuset"], True)
    host, warnings = discard(HostConfig(oom_kill_disable=True), everything)
    assert host.oom_kill_disable
    assert len(warnings) == 1 and warnings[0].startswith("OOM killer is disabled for the container, but no memory")
    assert discard(HostConfig(oom_kill_disable=True, memory=64 << 20), everything)[1] == []
