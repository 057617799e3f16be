"""The verbs of the real command line on containers that exist."""

from __future__ import annotations

import json
import time

import pytest

IMAGE = "lab/busybox"
FOREVER = ("sleep", "1000")


def test_ps_shows_the_running_and_all_shows_the_rest(cli, name):
    cli.ok("run", "-d", "--name", name, IMAGE, *FOREVER)
    row = cli.ok(
        "ps", "--filter", f"name={name}", "--format", "{{.Names}}|{{.Image}}|{{.State}}|{{.Command}}", "--no-trunc"
    )
    assert row == f'{name}|{IMAGE}|running|"sleep 1000"'
    cli.ok("kill", name)
    cli.ok("wait", name)
    assert cli.ok("ps", "-q", "--filter", f"name={name}") == ""
    assert cli.ok("ps", "-a", "--filter", f"name={name}", "--format", "{{.Status}}").startswith("Exited (137)")


def test_ps_filters_by_label_and_exit_code(cli, name):
    cli("run", "--name", name, "--label", f"of={name}", IMAGE, "sh", "-c", "exit 5")
    assert cli.ok("ps", "-a", "--filter", f"label=of={name}", "--format", "{{.Names}}") == name
    assert name in cli.ok("ps", "-a", "--filter", "exited=5", "--format", "{{.Names}}").split()
    assert name not in cli.ok("ps", "-a", "--filter", "exited=0", "--format", "{{.Names}}").split()


def test_create_then_start_attached(cli, name):
    cli.ok("create", "--name", name, IMAGE, "sh", "-c", "echo started; exit 4")
    assert cli.ok("inspect", "-f", "{{.State.Status}}", name) == "created"
    answer = cli("start", "-a", name)
    assert (answer.code, answer.out) == (4, "started\n")


def test_start_with_input(cli, name):
    cli.ok("create", "-i", "--name", name, IMAGE, "cat")
    assert cli("start", "-ai", name, stdin=b"through\n").out == "through\n"


def test_wait_prints_the_exit_code(cli, name):
    cli.ok("run", "-d", "--name", name, IMAGE, "sh", "-c", "sleep 0.3; exit 6")
    assert cli.ok("wait", name) == "6"
    assert cli.ok("wait", name) == "6"


def test_kill_is_137_and_a_signal_by_name_reaches_the_command(cli, name):
    cli.ok(
        "run",
        "-d",
        "--name",
        name,
        IMAGE,
        "sh",
        "-c",
        "trap 'echo got; exit 0' USR1; echo up; while :; do sleep 0.1; done",
    )
    while "up" not in cli.ok("logs", name):
        time.sleep(0.05)
    assert cli.ok("kill", "-s", "USR1", name) == name
    assert cli.ok("wait", name) == "0"
    assert cli.ok("logs", name) == "up\ngot"


def test_a_container_that_is_killed_has_ended_when_the_client_is_answered(cli, name):
    for _ in range(5):
        cli.ok("run", "-d", "--name", name, IMAGE, *FOREVER)
        cli.ok("kill", name)
        assert cli.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", name) == "exited 137"
        cli.ok("rm", name)


def test_kill_of_a_container_that_does_not_run_is_an_error(cli, name):
    cli.ok("create", "--name", name, IMAGE, *FOREVER)
    answer = cli("kill", name)
    assert answer.code == 1
    assert "is not running" in answer.err


def test_stop_asks_first_and_kills_after_the_time_given(cli, name):
    cli.ok("run", "-d", "--name", name, IMAGE, "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done")
    while "up" not in cli.ok("logs", name):
        time.sleep(0.05)
    begun = time.monotonic()
    cli.ok("stop", "-t", "1", name)
    assert 0.9 < time.monotonic() - begun < 8
    assert cli.ok("inspect", "-f", "{{.State.ExitCode}}", name) == "137"


def test_restart_is_a_new_run_of_the_same_container(cli, name):
    cli.ok("run", "-d", "--name", name, IMAGE, "sh", "-c", "echo run >> /runs; sleep 1000")
    first = cli.ok("inspect", "-f", "{{.State.Pid}}", name)
    cli.ok("restart", "-t", "0", name)
    assert cli.ok("inspect", "-f", "{{.State.Running}}", name) == "true"
    assert cli.ok("inspect", "-f", "{{.State.Pid}}", name) != first
    assert cli.ok("exec", name, "cat", "/runs") == "run\nrun"


def test_rename(cli, name):
    cli.ok("create", "--name", f"{name}-old", IMAGE, "true")
    cli.ok("rename", f"{name}-old", name)
    assert cli.ok("inspect", "-f", "{{.Name}}", name) == f"/{name}"
    assert cli("inspect", "--type", "container", f"{name}-old").code == 1


def test_rm_needs_force_while_it_runs(cli, name):
    cli.ok("run", "-d", "--name", name, IMAGE, *FOREVER)
    answer = cli("rm", name)
    assert answer.code == 1
    # 20.10 says "cannot remove a running container", later versions "container is running".
    assert "running" in answer.err
    assert "force remove" in answer.err
    assert cli.ok("rm", "-f", name) == name
    assert cli("inspect", name).code == 1


def test_an_unknown_container_is_named(cli):
    answer = cli("logs", "nobody-here")
    assert answer.code == 1
    assert "No such container: nobody-here" in answer.err


def test_logs_tail_timestamps_and_since(cli, name):
    cli.ok("run", "--name", name, IMAGE, "sh", "-c", "for i in 1 2 3; do echo line $i; done; echo bad >&2")
    answer = cli("logs", name)
    assert (answer.out, answer.err) == ("line 1\nline 2\nline 3\n", "bad\n")
    # Which of two streams is read first is nobody's promise; that two lines are two of both together is.
    tail = cli("logs", "--tail", "2", name)
    assert (tail.out, tail.err) in {("line 3\n", "bad\n"), ("line 2\nline 3\n", "")}
    stamped = cli("logs", "-t", name).out.splitlines()
    assert all(line[:2] == "20" and "Z line" in line for line in stamped)
    assert cli("logs", "--since", "2100-01-01T00:00:00", name).out == ""


def test_logs_follow_until_the_exit(cli, name):
    cli.ok("run", "-d", "--name", name, IMAGE, "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done")
    assert cli("logs", "-f", name).out == "1\n2\n3\n"


@pytest.mark.ids
def test_exec_runs_beside_the_main_command(cli, name):
    cli.ok("run", "-d", "--name", name, "-e", "FROM=run", IMAGE, *FOREVER)
    assert cli.ok("exec", name, "sh", "-c", "echo $FROM; cat /proc/1/cmdline | tr '\\0' ' '") == "run\nsleep 1000"
    answer = cli(
        "exec", "-e", "X=y", "-w", "/tmp", "-u", "12", name, "sh", "-c", "echo $X $(pwd) $(id -u); echo e >&2; exit 3"
    )
    assert (answer.code, answer.out, answer.err) == (3, "y /tmp 12\n", "e\n")


def test_exec_with_input(cli, name):
    cli.ok("run", "-d", "--name", name, IMAGE, *FOREVER)
    assert cli("exec", "-i", name, "tr", "a-z", "A-Z", stdin=b"shout\n").out == "SHOUT\n"


def test_exec_on_a_terminal(cli, name):
    cli.ok("run", "-d", "--name", name, IMAGE, *FOREVER)
    with cli.terminal("exec", "-it", name, "sh", "-c", "test -t 0 && echo yes; exit 5", rows=30) as terminal:
        assert terminal.code() == 5
        assert b"yes\r\n" in terminal.shown


def test_exec_of_what_is_not_there(cli, name):
    cli.ok("run", "-d", "--name", name, IMAGE, *FOREVER)
    answer = cli("exec", name, "no-such-command")
    assert answer.code in (126, 127)
    assert "executable file not found in $PATH" in answer.out + answer.err


def test_exec_detached(cli, name):
    cli.ok("run", "-d", "--name", name, IMAGE, *FOREVER)
    cli.ok("exec", "-d", name, "touch", "/made")
    deadline = time.monotonic() + 5
    while cli("exec", name, "test", "-e", "/made").code and time.monotonic() < deadline:
        time.sleep(0.05)
    assert cli("exec", name, "test", "-e", "/made").code == 0


def test_exec_in_a_container_that_does_not_run(cli, name):
    cli.ok("create", "--name", name, IMAGE, *FOREVER)
    answer = cli("exec", name, "true")
    assert answer.code == 1
    assert "is not running" in answer.err


def test_attach_joins_output_and_input_and_leaving_does_not_end_it(cli, name):
    cli.ok("run", "-di", "--name", name, IMAGE, "cat")
    with cli.running("attach", "--sig-proxy=false", name) as client:
        client.stdin.write(b"echoed\n")
        client.stdin.flush()
        assert client.stdout.readline() == b"echoed\n"
    assert cli.ok("inspect", "-f", "{{.State.Running}}", name) == "true"


def test_attach_ends_with_the_containers_exit_code(cli, name):
    cli.ok("run", "-d", "--name", name, IMAGE, "sh", "-c", "sleep 1; echo late; exit 8")
    answer = cli("attach", name)
    assert (answer.code, answer.out) == (8, "late\n")


def test_detach_keys_leave_the_container_running(cli, name):
    cli.ok("run", "-dit", "--name", name, IMAGE, "sh")
    with cli.terminal("attach", name) as terminal:
        terminal.type(b"echo here\n")
        terminal.until(b"here\r\n")
        for key in (b"\x10", b"\x11"):
            time.sleep(0.2)
            terminal.type(key)
        terminal.code()
    assert cli.ok("inspect", "-f", "{{.State.Running}}", name) == "true"


def test_top_lists_the_processes(cli, name):
    cli.ok("run", "-d", "--name", name, IMAGE, *FOREVER)
    titles, *rows = cli.ok("top", name).splitlines()
    assert "PID" in titles.split()
    assert len(rows) == 1
    assert "sleep 1000" in rows[0]


@pytest.mark.counted
def test_stats_of_one_moment(cli, name):
    cli.ok("run", "-d", "--name", name, IMAGE, *FOREVER)
    shown = json.loads(cli.ok("stats", "--no-stream", "--format", "{{json .}}", name))
    assert shown["Name"] == name
    assert shown["PIDs"] == "1"
    assert "B / " in shown["MemUsage"]


def test_events_tell_a_life_in_order(cli, name):
    since = str(int(time.time()))
    assert cli("run", "--name", name, IMAGE, "sh", "-c", "exit 2").code == 2
    cli.ok("rm", name)
    wanted = ("--since", since, "--until", str(time.time()), "--filter", f"container={name}")
    shown = cli.ok("events", *wanted, "--format", "{{json .}}")
    actions = [json.loads(line)["Action"] for line in shown.splitlines()]
    assert [action for action in actions if action in ("create", "start", "die", "destroy")] == [
        "create",
        "start",
        "die",
        "destroy",
    ]
    died = next(json.loads(line) for line in shown.splitlines() if json.loads(line)["Action"] == "die")
    assert died["Actor"]["Attributes"]["exitCode"] == "2"


def test_inspect_is_dockers_json(cli, name):
    cli.ok("run", "-d", "--name", name, "-e", "A=1", "--label", "l=v", IMAGE, *FOREVER)
    [shown] = json.loads(cli.ok("inspect", name))
    assert shown["Name"] == f"/{name}"
    assert shown["State"]["Running"] is True
    assert shown["State"]["Pid"] > 0
    assert shown["Config"]["Cmd"] == list(FOREVER)
    assert "A=1" in shown["Config"]["Env"]
    assert shown["Config"]["Labels"]["l"] == "v"
    assert shown["Path"] == "sleep"
    assert shown["Args"] == ["1000"]


@pytest.mark.parametrize("verb", ["info", "version"])
def test_the_engine_introduces_itself(cli, verb):
    shown = json.loads(cli.ok(verb, "--format", "{{json .}}"))
    assert (shown.get("Server") or shown)["Os" if verb == "version" else "OSType"] == "linux"
