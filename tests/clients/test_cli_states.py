"""pause, update, health checks and the out-of-memory mark, by the real command line."""

from __future__ import annotations

import json
import time

import pytest

from tests.waiting import eventually

IMAGE = "lab/busybox"
COUNT = ("sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done")


@pytest.mark.counted
def test_a_paused_container_stands_still_and_goes_on(cli, name):
    cli.ok("run", "-d", "--network", "none", "--name", name, IMAGE, *COUNT)
    cli.ok("pause", name)
    assert cli.ok("inspect", "-f", "{{.State.Status}} {{.State.Paused}}", name) == "paused true"
    assert cli.ok("ps", "--filter", f"name={name}", "--format", "{{.Status}}").endswith("(Paused)")
    before = cli.ok("logs", name)
    time.sleep(0.3)
    assert cli.ok("logs", name) == before
    cli.ok("unpause", name)
    assert eventually(lambda: cli.ok("logs", name) != before)
    assert cli.ok("inspect", "-f", "{{.State.Status}}", name) == "running"


@pytest.mark.counted
def test_what_a_paused_container_refuses(cli, name):
    cli.ok("run", "-d", "--network", "none", "--name", name, IMAGE, "sleep", "1000")
    cli.ok("pause", name)
    assert "is already paused" in cli("pause", name).err
    assert "is paused" in cli("exec", name, "true").err
    assert "paused" in cli("start", name).err
    cli.ok("unpause", name)
    assert "is not paused" in cli("unpause", name).err


@pytest.mark.counted
@pytest.mark.parametrize("verb", [("kill",), ("stop", "-t", "1"), ("rm", "-f")])
def test_a_paused_container_can_be_ended(cli, name, verb):
    cli.ok("run", "-d", "--network", "none", "--name", name, IMAGE, "sleep", "1000")
    cli.ok("pause", name)
    cli.ok(*verb, name)
    assert eventually(lambda: cli("inspect", "-f", "{{.State.Running}}", name).out.strip() in ("", "false"))


@pytest.mark.counted
def test_update_changes_limits_at_once_and_for_the_next_start(cli, name):
    cli.ok("run", "-d", "--network", "none", "--name", name, "-m", "32m", IMAGE, "sleep", "1000")
    cli.ok("update", "--memory", "48m", "--memory-swap", "96m", "--pids-limit", "9", "--restart", "on-failure:3", name)
    shown = json.loads(cli.ok("inspect", name))[0]["HostConfig"]
    assert (shown["Memory"], shown["MemorySwap"], shown["PidsLimit"]) == (48 << 20, 96 << 20, 9)
    assert shown["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    read = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max"
    assert cli.ok("exec", name, "sh", "-c", read) == str(48 << 20)
    cli.ok("restart", "-t", "0", name)
    assert cli.ok("exec", name, "sh", "-c", read) == str(48 << 20)


def test_update_refuses_what_cannot_be(cli, name):
    cli.ok("create", "--network", "none", "--name", name, IMAGE, "true")
    assert cli("update", "--memory", "1m", name).code == 1
    answer = cli("update", "--restart", "sometimes", name)
    assert answer.code != 0


def test_health_goes_from_starting_to_healthy_to_unhealthy(cli, name):
    cli.ok(
        *(
            "run",
            "-d",
            "--network",
            "none",
            "--name",
            name,
            "--health-cmd",
            "test -e /well",
            "--health-interval",
            "300ms",
        ),
        *("--health-retries", "2", IMAGE, "sleep", "1000"),
    )

    def status() -> str:
        return cli.ok("inspect", "-f", "{{.State.Health.Status}}", name)

    assert status() == "starting"
    assert "(health: starting)" in cli.ok("ps", "--filter", f"name={name}", "--format", "{{.Status}}")
    cli.ok("exec", name, "touch", "/well")
    assert eventually(lambda: status() == "healthy")
    assert cli.ok("ps", "-q", "--filter", f"name={name}", "--filter", "health=healthy")
    cli.ok("exec", name, "rm", "/well")
    assert eventually(lambda: status() == "unhealthy")
    [shown] = json.loads(cli.ok("inspect", name))
    health = shown["State"]["Health"]
    assert health["FailingStreak"] >= 2
    assert health["Log"][-1]["ExitCode"] == 1
    assert len(health["Log"]) <= 5


def test_a_health_check_that_hangs_is_ended(cli, name):
    cli.ok(
        *("run", "-d", "--network", "none", "--name", name, "--health-cmd", "echo here; sleep 777"),
        *("--health-interval", "100ms", "--health-timeout", "300ms", "--health-retries", "1", IMAGE, "sleep", "1000"),
    )
    assert eventually(lambda: cli.ok("inspect", "-f", "{{.State.Health.Status}}", name) == "unhealthy")
    [shown] = json.loads(cli.ok("inspect", name))
    assert shown["State"]["Health"]["Log"][0]["ExitCode"] == -1
    assert "exceeded timeout" in shown["State"]["Health"]["Log"][0]["Output"]


def test_no_healthcheck_takes_an_images_check_away(cli, name, tmp_path):
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nHEALTHCHECK --interval=5s CMD echo fine\n")
    cli.ok("build", "-t", f"{name}:1", str(tmp_path))
    try:
        cli.ok("run", "-d", "--network", "none", "--name", name, "--no-healthcheck", f"{name}:1", "sleep", "1000")
        assert cli.ok("inspect", "-f", "{{if .State.Health}}some{{else}}none{{end}}", name) == "none"
    finally:
        cli("rm", "-f", name)
        cli("rmi", f"{name}:1")


@pytest.mark.counted
def test_a_container_that_is_killed_for_want_of_memory_is_marked(cli, name):
    eater = "a=x; while :; do a=$a$a; done"
    answer = cli(
        "run", "--network", "none", "--name", name, "-m", "16m", "--memory-swap", "16m", IMAGE, "sh", "-c", eater
    )
    assert answer.code == 137
    assert cli.ok("inspect", "-f", "{{.State.OOMKilled}}", name) == "true"


def test_a_log_of_a_size_goes_round(cli, name):
    cli.ok(
        *("run", "--network", "none", "--name", name, "--log-opt", "max-size=10k", "--log-opt", "max-file=2", IMAGE),
        *("sh", "-c", "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i; done"),
    )
    lines = cli.ok("logs", name).splitlines()
    assert lines[-1] == "line 2000"
    assert len(lines) < 2000
    assert lines == [f"line {number}" for number in range(2001 - len(lines), 2001)]


def test_the_local_driver_keeps_and_the_none_driver_refuses(cli, name):
    cli.ok("run", "--network", "none", "--name", name, "--log-driver", "local", IMAGE, "echo", "kept")
    assert cli.ok("logs", name) == "kept"
    assert cli.ok("inspect", "-f", "{{.HostConfig.LogConfig.Type}}", name) == "local"
    cli.ok("rm", name)
    cli.ok("run", "--network", "none", "--name", name, "--log-driver", "none", IMAGE, "echo", "gone")
    assert "does not support reading" in cli("logs", name).err
    cli.ok("rm", name)
    assert cli("create", "--name", name, "--log-driver", "nosuch", IMAGE).code == 1
