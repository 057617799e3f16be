"""Limits, rlimits and devices in the OCI runtime spec's words."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

from containerlab.engine.models import DeviceMapping, HostConfig, Ulimit
from containerlab.engine.resources import (
    VM_OVERHEAD,
    device_rules,
    devices,
    limits,
    parse_device_rule,
    process_bound,
    rlimits,
)
from containerlab.errors import InvalidParameter

MIB = 1 << 20
UNLIMITED = (1 << 64) - 1


@pytest.mark.parametrize(
    ("host", "default_pids", "expected"),
    [
        ({}, 0, {}),
        ({}, 10, {"pids": {"limit": 10}}),
        ({"pids_limit": 5}, 10, {"pids": {"limit": 5}}),
        ({"pids_limit": 0}, 10, {"pids": {"limit": 10}}),
        ({"pids_limit": -1}, 10, {}),
        ({"memory": 8 * MIB}, 0, {"memory": {"limit": 8 * MIB, "swap": 16 * MIB}}),
        ({"memory": 8 * MIB, "memory_swap": -1}, 0, {"memory": {"limit": 8 * MIB, "swap": -1}}),
        ({"memory": 8 * MIB, "memory_swap": 8 * MIB}, 0, {"memory": {"limit": 8 * MIB, "swap": 8 * MIB}}),
        (
            {"memory": 128 * MIB, "runtime": "vm"},
            0,
            {"memory": {"limit": 128 * MIB + VM_OVERHEAD, "swap": 256 * MIB + VM_OVERHEAD}},
        ),
        (
            {"memory": 128 * MIB, "memory_swap": -1, "runtime": "vm"},
            0,
            {"memory": {"limit": 128 * MIB + VM_OVERHEAD, "swap": -1}},
        ),
        ({"memory_reservation": 8 * MIB}, 0, {"memory": {"reservation": 8 * MIB}}),
        ({"memory_swappiness": -1, "oom_kill_disable": False}, 0, {}),
        ({"memory_swappiness": 0}, 0, {"memory": {"swappiness": 0}}),
        ({"nano_cpus": 1}, 0, {"cpu": {"period": 100_000, "quota": 0}}),
        ({"nano_cpus": 250_000_000}, 0, {"cpu": {"period": 100_000, "quota": 25_000}}),
        ({"cpu_period": 5000, "cpu_quota": 2500}, 0, {"cpu": {"period": 5000, "quota": 2500}}),
        ({"cpu_quota": -1}, 0, {"cpu": {"quota": -1}}),
        ({"cpuset_cpus": "0-1", "cpuset_mems": "0"}, 0, {"cpu": {"cpus": "0-1", "mems": "0"}}),
    ],
)
def test_limits_are_written_as_docker_writes_them(
    host: dict[str, Any], default_pids: int, expected: dict[str, Any]
) -> None:
    assert limits(HostConfig(**host), default_pids) == expected


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [(1, 2, (1, 2)), (0, 0, (0, 0)), (5, -1, (5, UNLIMITED)), (-1, -1, (UNLIMITED, UNLIMITED))],
)
def test_minus_one_is_no_limit(soft: int, hard: int, expected: tuple[int, int]) -> None:
    (made,) = rlimits([Ulimit(name="nofile", soft=soft, hard=hard)])
    assert (made["type"], (made["soft"], made["hard"])) == ("RLIMIT_NOFILE", expected)


def test_every_rlimit_of_the_kernel_has_its_name() -> None:
    known = {name for name in dir(resource) if name.startswith("RLIMIT_")} - {"RLIMIT_OFILE"}
    for name in known:
        assert rlimits([Ulimit(name=name.removeprefix("RLIMIT_").lower(), soft=1, hard=1)])[0]["type"] == name


@pytest.mark.parametrize(
    ("ulimit", "message"),
    [
        (Ulimit(name="foo", soft=1, hard=1), "invalid ulimit type: foo"),
        (Ulimit(name="NOFILE", soft=1, hard=1), "invalid ulimit type: NOFILE"),
        (Ulimit(name="core", soft=2, hard=1), "ulimit soft limit must be less than or equal to hard limit: 2 > 1"),
        (Ulimit(name="core", soft=-1, hard=1), "ulimit soft limit must be less than or equal to hard limit: -1 > 1"),
    ],
)
def test_a_ulimit_that_can_t_be_is_refused_in_docker_s_words(ulimit: Ulimit, message: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        rlimits([ulimit])
    assert refused.value.message == message


def test_a_bound_on_processes_is_never_above_the_caller_s_own() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    made = process_bound(4096)
    assert made["soft"] == made["hard"] == (4096 if hard == resource.RLIM_INFINITY else min(4096, hard))


def test_a_device_keeps_its_place_unless_another_is_asked_for() -> None:
    (same,) = devices(DeviceMapping(path_on_host="/dev/null"))
    (other,) = devices(DeviceMapping(path_on_host="/dev/null", path_in_container="/dev/x"))
    assert (same["path"], other["path"]) == ("/dev/null", "/dev/x")
    assert (same["type"], same["major"], same["minor"], same["fileMode"]) == ("c", 1, 3, 0o666)
    assert device_rules([same], "rw") == [{"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}]


def test_a_link_to_a_device_is_that_device(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/zero")
    (node,) = devices(DeviceMapping(path_on_host=str(tmp_path / "link")))
    assert (node["path"], node["minor"]) == (str(tmp_path / "link"), 5)


def test_a_folder_gives_its_nodes_and_follows_no_link_in_it(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/file").touch()
    (tmp_path / "d/link").symlink_to("/dev/null")
    with pytest.raises(InvalidParameter, match="no such device"):
        devices(DeviceMapping(path_on_host=str(tmp_path)))


@pytest.mark.parametrize("path", ["/dev/nonono", "/etc/passwd", "/dev/null/x"])
def test_what_is_no_device_is_refused_in_docker_s_words(path: str) -> None:
    with pytest.raises(
        InvalidParameter, match=f'error gathering device information while adding custom device "{path}"'
    ):
        devices(DeviceMapping(path_on_host=path))


@pytest.mark.parametrize("access", ["", "x", "rwx", "RW"])
def test_a_device_s_access_is_of_r_w_and_m(access: str) -> None:
    with pytest.raises(InvalidParameter, match=f"invalid device mode: {access}"):
        devices(DeviceMapping(path_on_host="/dev/null", cgroup_permissions=access))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("c 1:3 r", {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "r"}),
        ("a *:* rwm", {"allow": True, "type": "a", "access": "rwm"}),
        ("b 8:* m", {"allow": True, "type": "b", "major": 8, "access": "m"}),
    ],
)
def test_a_device_rule_is_read_with_its_stars(rule: str, expected: dict[str, Any]) -> None:
    assert parse_device_rule(rule) == expected


@pytest.mark.parametrize("rule", ["", "c 1:3", "d 1:3 r", "c 1 r", "c 1:3 x", "c  1:3 r", "c 1:3 r\n", "c -1:3 r"])
def test_what_is_no_device_rule_is_refused_in_docker_s_words(rule: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid device cgroup rule format: '"):
        parse_device_rule(rule)
