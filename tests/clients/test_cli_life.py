"""A container's life by the real command line: restart policies, waiting, pruning, and what each verb refuses."""

from __future__ import annotations

import json
import threading
import time

import pytest

from tests.clients.conftest import IMAGE
from tests.waiting import eventually

QUIET = ("--network", "none")
FOREVER = (IMAGE, "sleep", "1000")


def state(cli, name: str) -> dict:
    return json.loads(cli.ok("inspect", "-f", "{{json .State}}", name))


def restarts(cli, name: str) -> int:
    return int(cli.ok("inspect", "-f", "{{.RestartCount}}", name))


# -- starting again ---------------------------------------------------------------------------------


def test_on_failure_counts_its_restarts_and_gives_up(cli, name):
    cli.ok("run", "-d", "--name", name, *QUIET, "--restart", "on-failure:2", IMAGE, "sh", "-c", "echo run; exit 3")
    assert eventually(lambda: state(cli, name)["Status"] == "exited" and restarts(cli, name) == 2)
    assert state(cli, name)["ExitCode"] == 3
    assert cli.ok("logs", name).split() == ["run"] * 3


def test_on_failure_leaves_a_success_alone(cli, name):
    cli.ok("run", "-d", "--name", name, *QUIET, "--restart", "on-failure", IMAGE, "echo", "run")
    cli.ok("wait", name)
    assert (state(cli, name)["Status"], restarts(cli, name)) == ("exited", 0)


def test_always_is_restarting_between_its_runs_until_it_is_stopped(cli, name):
    cli.ok("run", "-d", "--name", name, *QUIET, "--restart", "always", IMAGE, "sh", "-c", "exit 3")
    # The waits double, from 100 ms: by the fourth it stands still long enough to be seen and asked.
    assert eventually(lambda: restarts(cli, name) >= 4 and state(cli, name)["Restarting"], 20)
    shown = state(cli, name)
    assert (shown["Status"], shown["Running"], shown["ExitCode"]) == ("restarting", True, 3)
    assert cli.ok("ps", "-q", "--filter", f"name={name}", "--filter", "status=restarting") != ""
    assert cli.ok("ps", "--filter", f"name={name}", "--format", "{{.Status}}").startswith("Restarting (3)")
    refused = cli("exec", name, "true")
    assert refused.code == 1
    assert "is restarting, wait until the container is running" in refused.err
    cli.ok("stop", "-t", "0", name)
    assert state(cli, name)["Status"] == "exited"
    count = restarts(cli, name)
    time.sleep(0.5)
    assert (state(cli, name)["Status"], restarts(cli, name)) == ("exited", count)


def test_a_container_that_is_killed_by_hand_stays_down(cli, name):
    cli.ok("run", "-d", "--name", name, *QUIET, "--restart", "unless-stopped", *FOREVER)
    cli.ok("kill", name)
    assert cli.ok("wait", name) == "137"
    time.sleep(0.3)
    assert state(cli, name)["Status"] == "exited"


def test_update_takes_a_policy_away(cli, name):
    cli.ok("run", "-d", "--name", name, *QUIET, "--restart", "always", IMAGE, "sh", "-c", "sleep 0.2; exit 1")
    assert eventually(lambda: restarts(cli, name) >= 1)
    cli.ok("update", "--restart", "no", name)
    assert eventually(lambda: state(cli, name)["Status"] == "exited")


# -- waiting ----------------------------------------------------------------------------------------


def test_waiting_for_the_next_exit_and_for_the_removal(client, name):
    container = client.containers.create(IMAGE, ["sh", "-c", "sleep 0.5; exit 7"], name=name, network_mode="none")
    assert container.wait(condition="not-running")["StatusCode"] == 0
    told: dict[str, int] = {}

    def wait(condition: str) -> None:
        told[condition] = container.wait(condition=condition)["StatusCode"]

    waiters = [threading.Thread(target=wait, args=(condition,)) for condition in ("next-exit", "removed")]
    for waiter in waiters:
        waiter.start()
    time.sleep(0.3)
    container.start()
    waiters[0].join(20)
    assert told == {"next-exit": 7}
    container.remove()
    waiters[1].join(20)
    assert told == {"next-exit": 7, "removed": 7}


def test_several_are_waited_for_in_turn(cli, name):
    names = [name, f"{name}-2"]
    try:
        for each, code in zip(names, (3, 4), strict=True):
            cli.ok("run", "-d", "--name", each, *QUIET, IMAGE, "sh", "-c", f"exit {code}")
        assert cli.ok("wait", *names) == "3\n4"
        answer = cli("rm", names[0], "nobody-here", names[1])
        assert (answer.code, answer.out.split()) == (1, names)
        assert "No such container: nobody-here" in answer.err
    finally:
        cli("rm", "-f", names[1])


# -- create, start, stop ----------------------------------------------------------------------------


def test_create_asks_for_the_image_as_it_is_told(cli, name):
    answer = cli("create", "--name", name, "--pull", "never", "lab/nothing-of-this-name", "true")
    assert answer.code == 1
    assert "No such image: lab/nothing-of-this-name" in answer.err
    cli.ok("create", "--name", name, "--pull", "missing", IMAGE, "true")
    assert state(cli, name)["Status"] == "created"


def test_stop_with_a_signal_of_ones_own(cli, client, name):
    script = "trap 'exit 6' USR2; echo up; while :; do sleep 0.05; done"
    cli.ok("run", "-d", "--name", name, *QUIET, IMAGE, "sh", "-c", script)
    assert eventually(lambda: cli.ok("logs", name) == "up")
    answer = cli("stop", "-s", "USR2", name)
    if "unknown shorthand flag" in answer.err or client.api._version == "1.41":
        pytest.skip("this client or this engine is older than a signal of stop's own")
    assert answer.code == 0, answer
    assert state(cli, name)["ExitCode"] == 6


def test_stopping_and_starting_twice_is_no_error(cli, name):
    cli.ok("run", "-d", "--name", name, *QUIET, *FOREVER)
    assert cli.ok("start", name) == name
    for _ in range(2):
        assert cli.ok("stop", "-t", "0", name) == name
    assert state(cli, name)["ExitCode"] == 137


def test_exit_codes_of_signals(cli, name):
    cli.ok("run", "-d", "--name", name, *QUIET, "--init", *FOREVER)
    cli.ok("kill", "-s", "INT", name)
    assert cli.ok("wait", name) == "130"
    answer = cli("kill", "-s", "NOPE", name)
    assert answer.code == 1
    assert "nvalid signal: NOPE" in answer.err


def test_a_start_that_fails_is_kept_and_said(cli, name):
    cli.ok("create", "--name", name, *QUIET, IMAGE, "no-such-command")
    answer = cli("start", name)
    assert answer.code == 1
    assert 'exec: "no-such-command": executable file not found in $PATH' in answer.err
    shown = state(cli, name)
    assert (shown["Status"], shown["ExitCode"]) == ("created", 127)
    assert "no-such-command" in shown["Error"]


def test_a_container_that_ended_has_its_times_and_no_process(cli, name):
    cli.ok("run", "--name", name, *QUIET, IMAGE, "true")
    shown = state(cli, name)
    assert (shown["Pid"], shown["Running"], shown["Dead"]) == (0, False, False)
    assert all("2020" < shown[moment] < "2100" for moment in ("StartedAt", "FinishedAt"))


# -- removing ---------------------------------------------------------------------------------------


def test_prune_takes_what_does_not_run(cli, name):
    label = f"of={name}"
    kept = cli.ok("run", "-d", "--name", name, "-l", label, *QUIET, *FOREVER)
    gone = cli.ok("create", "-l", label, *QUIET, IMAGE, "true")
    try:
        assert gone not in cli.ok("container", "prune", "-f", "--filter", f"label=nobody{name}")
        assert gone not in cli.ok("container", "prune", "-f", "--filter", f"label={label}", "--filter", "until=1h")
        told = cli.ok("container", "prune", "-f", "--filter", f"label={label}")
        assert told.startswith("Deleted Containers:") and "Total reclaimed space:" in told
        assert gone in told and kept not in told
        assert cli.ok("ps", "-aq", "--no-trunc", "--filter", f"label={label}") == kept
    finally:
        cli("rm", "-f", gone)


def test_rm_of_a_link_of_nobodys(cli, name):
    cli.ok("run", "-d", "--name", name, *QUIET, *FOREVER)
    assert cli.ok("rm", "-f", "-v", name) == name
    assert "No such container" in cli("rm", name).err


def test_rename_refuses_what_is_taken_or_no_name(cli, name):
    other = f"{name}-2"
    try:
        for each in (name, other):
            cli.ok("create", "--name", each, *QUIET, IMAGE, "true")
        assert "already in use" in cli("rename", name, other).err
        assert "nvalid container name (" in cli("rename", name, "!").err
        assert cli("rename", name, name).code == 1
        assert "Invalid container name (x)" in cli("create", "--name", "x", IMAGE, "true").err
    finally:
        cli("rm", "-f", other)


# -- who isn't there --------------------------------------------------------------------------------

VERBS = (
    *(("attach",), ("commit",), ("diff",), ("exec", "X", "true"), ("export",), ("inspect", "--type", "container")),
    *(("kill",), ("logs",), ("pause",), ("port",), ("rename", "X", "other"), ("restart",), ("rm",), ("start",)),
    *(("stop",), ("top",), ("unpause",), ("update", "--memory", "64m"), ("wait",), ("cp", "X:/etc", "/tmp/nowhere")),
)


@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
def test_each_verb_names_a_container_that_is_not_there(cli, words):
    asked = [word.replace("X", "nobody-here") for word in words]
    answer = cli(*asked, *([] if "nobody-here" in " ".join(asked) else ["nobody-here"]))
    assert answer.code == 1, answer
    assert "No such container" in answer.err and "nobody-here" in answer.err


@pytest.mark.parametrize("words", [("history",), ("save",), ("rmi",), ("tag", "X", "other"), ("image", "inspect")])
def test_each_verb_names_an_image_that_is_not_there(cli, words):
    asked = [word.replace("X", "nobody-here") for word in words]
    answer = cli(*asked, *([] if "nobody-here" in asked else ["nobody-here"]))
    assert answer.code == 1, answer
    assert "No such image: nobody-here" in answer.err


@pytest.mark.parametrize("words", [("ps",), ("images",), ("volume", "ls"), ("network", "ls")], ids=" ".join)
def test_a_filter_that_is_none_is_named(cli, words):
    answer = cli(*words, "--filter", "nosuch=1")
    assert answer.code == 1
    assert "nvalid filter 'nosuch'" in answer.err
