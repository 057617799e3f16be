"""``docker update``: other limits for what exists and for what runs, and what Docker refuses of them."""

from __future__ import annotations

import pytest

from tests.clients.conftest import IMAGE

CREATE = ("create", "--network", "none")


@pytest.fixture
def sleeper(cli, name):
    """A running container without limits."""
    cli.ok("run", "-d", "--network", "none", "--name", name, IMAGE, "sleep", "1000")
    return name


def limit(cli, name: str, controller: str, first: str, second: str) -> str:
    script = f"cat /sys/fs/cgroup/{controller}/{first} 2>/dev/null || cat /sys/fs/cgroup/{second}"
    return cli.ok("exec", name, "sh", "-c", script)


@pytest.mark.counted
def test_processors_of_what_runs(cli, sleeper):
    assert cli.ok("update", "--cpuset-cpus", "0", "--cpuset-mems", "0", sleeper) == sleeper
    assert cli.ok("exec", sleeper, "nproc") == "1"
    assert cli.ok("exec", sleeper, "sh", "-c", "grep Cpus_allowed_list /proc/1/status").split()[1] == "0"
    cli.ok("update", "--cpu-shares", "512", "--cpus", "0.5", sleeper)
    assert limit(cli, sleeper, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
    assert cli.ok("inspect", "-f", "{{.HostConfig.CpusetCpus}} {{.HostConfig.NanoCpus}}", sleeper) == "0 500000000"


@pytest.mark.counted
def test_processors_of_what_is_only_created(cli, name):
    cli.ok(*CREATE, "--name", name, IMAGE, "nproc")
    cli.ok("update", "--cpuset-cpus", "0", name)
    cli.ok("update", "--cpu-period", "50000", "--cpu-quota", "20000", name)
    assert cli.ok("start", "-a", name) == "1"
    assert cli.ok("inspect", "-f", "{{.HostConfig.CpuPeriod}} {{.HostConfig.CpuQuota}}", name) == "50000 20000"


@pytest.mark.counted
def test_a_cpuset_leaves_nothing_behind(cli, sleeper):
    cli.ok("update", "--cpuset-cpus", "0", sleeper)
    cli.ok("restart", "-t", "0", sleeper)
    assert cli.ok("exec", sleeper, "nproc") == "1"
    cli.ok("rm", "-f", sleeper)


@pytest.mark.counted
def test_memory_and_its_swap(cli, name):
    cli.ok(*CREATE, "-m", "30m", "--name", name, IMAGE, "true")
    # Twice the limit may be used with swap: above that both have to be said.
    cli.ok("update", "-m", "50m", name)
    answer = cli("update", "-m", "80m", name)
    assert answer.code == 1
    assert "Memory limit should be smaller than already set memoryswap limit, update the memoryswap" in answer.err
    cli.ok("update", "-m", "80m", "--memory-swap", "100m", name)
    cli.ok("update", "--memory-reservation", "90m", name)
    shown = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.MemoryReservation}}"
    assert cli.ok("inspect", "-f", shown, name) == f"{80 << 20} {100 << 20} {90 << 20}"
    assert "Minimum memory reservation allowed is 6MB" in cli("update", "--memory-reservation", "1m", name).err


@pytest.mark.counted
def test_memory_of_what_has_no_limit_yet_needs_its_swap(cli, name):
    cli.ok(*CREATE, "--name", name, IMAGE, "true")
    answer = cli("update", "-m", "50m", name)
    assert answer.code == 1
    assert "update the memoryswap at the same time" in answer.err
    cli.ok("update", "-m", "50m", "--memory-swap", "-1", name)


@pytest.mark.counted
def test_two_ways_to_say_how_much_processor_are_not_mixed(cli, name):
    cli.ok(*CREATE, "--name", name, "--cpus", "0.5", IMAGE, "true")
    identifier = cli.ok("inspect", "-f", "{{.Id}}", name)
    for option, said in (("--cpu-period", "Period"), ("--cpu-quota", "Quota")):
        answer = cli("update", option, "1000", name)
        assert answer.code == 1
        assert answer.err.strip() == (
            f"Error response from daemon: Cannot update container {identifier}: "
            f"Conflicting options: CPU {said} cannot be updated as NanoCPUs has already been set"
        )


def test_a_container_that_removes_itself_gets_no_restart_policy(cli, name):
    cli.ok(*CREATE, "--rm", "--name", name, IMAGE, "true")
    answer = cli("update", "--restart", "always", name)
    assert answer.code == 1
    assert "Restart policy cannot be updated because AutoRemove is enabled for the container" in answer.err


@pytest.mark.ours("Docker carries them out, where the kernel does")
@pytest.mark.parametrize("option", ["--blkio-weight", "--cpu-rt-period", "--cpu-rt-runtime", "--kernel-memory"])
def test_a_limit_that_is_not_carried_out_is_refused_by_name(cli, name, option):
    cli.ok(*CREATE, "--name", name, IMAGE, "true")
    answer = cli("update", option, "500", name)
    assert answer.code == 1
    assert option in answer.err
