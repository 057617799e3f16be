"""Streams by the real clients: half-close, keys that detach, sizes, slow and absent readers, logs and events."""

from __future__ import annotations

import json
import os
import select
import signal
import time

import docker
import pytest

from tests.clients.conftest import IMAGE
from tests.waiting import eventually

QUIET = ("--network", "none")
FOREVER = (IMAGE, "sleep", "1000")
FLOOD = 3_000_000


# -- attach and exec --------------------------------------------------------------------------------


def test_the_end_of_input_reaches_an_exec_and_its_output_still_comes(cli, name):
    cli.ok("run", "-d", "--name", name, *QUIET, *FOREVER)
    script = "cat; echo after; echo err >&2; exit 4"
    answer = cli("exec", "-i", name, "sh", "-c", script, stdin=b"in\n")
    assert (answer.code, answer.out, answer.err) == (4, "in\nafter\n", "err\n")


def test_an_exec_without_input_reads_nothing(cli, name):
    cli.ok("run", "-d", "--name", name, *QUIET, *FOREVER)
    assert cli("exec", name, "cat", stdin=b"unread").out == ""


@pytest.mark.parametrize("verb", ["attach", "exec", "run"])
def test_keys_of_ones_own_detach(cli, name, verb):
    if verb != "run":
        cli.ok("run", "-dit", "--name", name, *QUIET, IMAGE, "sh")
    words = {
        "attach": ("attach", "--detach-keys", "ctrl-x,q", name),
        "exec": ("exec", "-it", "--detach-keys", "ctrl-x,q", name, "sh"),
        "run": ("run", "-it", "--name", name, "--detach-keys", "ctrl-x,q", *QUIET, IMAGE, "sh"),
    }
    with cli.terminal(*words[verb]) as terminal:
        # Docker looks for the keys once it copies input; what is echoed shows that it does.
        terminal.type(b"echo wo''rks\n")
        terminal.until(b"works\r\n")
        for key in (b"\x18", b"q"):
            time.sleep(0.2)
            terminal.type(key)
        terminal.code()
    assert cli.ok("inspect", "-f", "{{.State.Running}}", name) == "true"


def test_keys_that_cannot_be_are_refused(client, name):
    container = client.containers.run(IMAGE, "sh", detach=True, stdin_open=True, tty=True, name=name)
    with pytest.raises(docker.errors.APIError, match=r"nvalid detach keys \(nonsense-key\) provided") as refused:
        api = client.api
        where = api._url("/containers/{0}/attach", container.id)
        api._raise_for_status(api._post(where, params={"stream": 1, "stdout": 1, "detachKeys": "nonsense-key"}))
    assert refused.value.status_code == 400


def test_a_terminal_follows_the_clients_size(cli, name):
    import fcntl
    import struct
    import termios

    script = "trap 'stty size' WINCH; echo up; while :; do sleep 0.05; done"
    with cli.terminal("run", "-it", "--rm", "--name", name, *QUIET, IMAGE, "sh", "-c", script) as terminal:
        terminal.until(b"up")
        fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", 41, 99, 0, 0))
        for _ in range(40):  # the client may not listen for the signal yet
            terminal.process.send_signal(signal.SIGWINCH)
            if select.select([terminal.master], [], [], 0.25)[0]:
                terminal.shown += os.read(terminal.master, 4096)
            if b"41 99" in terminal.shown:
                return
        raise AssertionError(terminal.shown)


def test_two_who_are_attached_see_the_same(cli, name):
    cli.ok("run", "-di", "--name", name, *QUIET, IMAGE, "cat")
    with cli.running("attach", name) as one, cli.running("attach", "--no-stdin", name) as two:
        time.sleep(0.5)  # nothing tells that the second has been joined
        one.stdin.write(b"to both\n")
        one.stdin.flush()
        assert one.stdout.readline() == two.stdout.readline() == b"to both\n"


@pytest.mark.slow
@pytest.mark.ours("a client that is attached and reads nothing holds up a container of Docker's: moby issue 41827")
def test_a_reader_that_stands_still_holds_up_nobody_else(cli, name):
    """It is attached and never reads; the log, a second reader and the container's end come all the same."""
    flood = f"sleep 1; yes 0123456789 | head -c {FLOOD}; echo; echo done"
    cli.ok("run", "-d", "--name", name, *QUIET, IMAGE, "sh", "-c", flood)
    with cli.running("attach", "--no-stdin", name) as still:
        time.sleep(0.3)
        still.send_signal(signal.SIGSTOP)
        try:
            with cli.running("logs", "-f", name) as reader:
                got = reader.stdout.read()
            assert len(got) >= FLOOD
            assert got.endswith(b"done\n")
        finally:
            still.send_signal(signal.SIGCONT)


def test_a_reader_that_is_killed_leaves_the_container_running(cli, name):
    script = "while :; do echo x; sleep 0.01; done"
    cli.ok("run", "-d", "--name", name, *QUIET, IMAGE, "sh", "-c", script)
    for words in (("attach", "--no-stdin", name), ("logs", "-f", name)):
        with cli.running(*words) as reader:
            assert reader.stdout.readline() == b"x\n"
            reader.kill()
    before = len(cli.ok("logs", name))
    assert eventually(lambda: len(cli.ok("logs", name)) > before)


def test_binary_output_comes_as_it_is(cli):
    done = cli.raw("run", "--rm", *QUIET, IMAGE, "sh", "-c", "printf '\\000\\377\\r\\n\\033[0m'")
    assert done.stdout == b"\x00\xff\r\n\x1b[0m"


def test_a_line_without_an_end_and_one_that_is_long(cli, name):
    script = f"head -c {100_000} /dev/zero | tr '\\0' x; echo; printf end"
    cli.ok("run", "--name", name, *QUIET, IMAGE, "sh", "-c", script)
    assert cli("logs", name).out == "x" * 100_000 + "\nend"


# -- logs -------------------------------------------------------------------------------------------


def test_logs_between_two_moments(cli, name):
    cli.ok("run", "--name", name, *QUIET, IMAGE, "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done")
    stamps = [line.split()[0] for line in cli.ok("logs", "-t", name).splitlines()]
    assert cli.ok("logs", "--since", stamps[1], name).split() == ["2", "3"]
    assert cli.ok("logs", "--until", stamps[1], name).split() == ["1", "2"]
    assert cli.ok("logs", "--since", stamps[1], "--until", stamps[1], name) == "2"
    assert cli.ok("logs", "--since", "1h", name).split() == ["1", "2", "3"]
    assert cli.ok("logs", "--until", "1h", name) == ""


def test_tails_of_a_log(cli, name):
    cli.ok("run", "--name", name, *QUIET, IMAGE, "sh", "-c", "for i in 1 2 3; do echo $i; done")
    assert cli.ok("logs", "-n", "1", name) == "3"
    assert cli.ok("logs", "--tail", "0", name) == ""
    assert cli.ok("logs", "--tail", "all", name).split() == cli.ok("logs", "--tail", "99", name).split()


def test_logs_of_a_terminal_are_one_stream(cli, name):
    cli.ok("run", "-d", "-t", "--name", name, *QUIET, IMAGE, "sh", "-c", "echo out; echo err >&2")
    cli.ok("wait", name)
    done = cli.raw("logs", name)
    assert (done.stdout, done.stderr) == (b"out\r\nerr\r\n", b"")


@pytest.mark.ours("Docker keeps them in its json-file log")
def test_attributes_of_a_log_are_refused_by_name(cli, name):
    for option in ("labels", "env", "tag", "mode", "compress"):
        answer = cli("create", "--name", name, "--log-opt", f"{option}=x", IMAGE, "true")
        assert answer.code == 1
        assert f"unknown log opt '{option}' for json-file log driver" in answer.err


def test_a_log_is_followed_over_a_restart_of_the_reader(cli, name):
    cli.ok("run", "-d", "--name", name, *QUIET, IMAGE, "sh", "-c", "echo one; sleep 0.5; echo two")
    with cli.running("logs", "-f", "--tail", "0", name) as reader:
        assert reader.stdout.read().splitlines()[-1] == b"two"


# -- events -----------------------------------------------------------------------------------------


def test_events_are_filtered_and_followed(cli, name):
    filters = ("--filter", f"container={name}", "--filter", "event=start", "--filter", "event=die")
    with cli.running("events", *filters, "--format", "{{.Action}}") as watcher:
        time.sleep(0.5)  # nothing tells that it listens
        cli.ok("run", "--name", name, *QUIET, IMAGE, "true")
        assert [watcher.stdout.readline().strip() for _ in range(2)] == [b"start", b"die"]


def test_events_by_type_label_and_image(cli, name):
    since = str(time.time() - 1)
    cli.ok("run", "--name", name, "-l", f"of={name}", *QUIET, IMAGE, "true")
    span = ("--since", since, "--until", str(time.time() + 0.2))

    def actions(*filters: str) -> set[str]:
        words = [word for each in filters for word in ("--filter", each)]
        lines = cli.ok("events", *span, *words, "--format", "{{json .}}").splitlines()
        return {json.loads(line)["Action"] for line in lines}

    assert {"create", "start", "die"} <= actions("type=container", f"label=of={name}")
    assert {"create", "start", "die"} <= actions(f"image={IMAGE}", f"label=of={name}")
    assert actions("type=volume", f"label=of={name}") == set()
    assert actions(f"label=of={name}", "event=start") == {"start"}
    assert actions("container=nobody-here") == set()


# -- stats and top ----------------------------------------------------------------------------------


@pytest.mark.counted
def test_stats_go_on_until_the_client_leaves(cli, client, name):
    cli.ok("run", "-d", "--name", name, *QUIET, *FOREVER)
    stream = client.api.stats(name, decode=True, stream=True)
    first, second = next(stream), next(stream)
    assert first["read"] < second["read"]
    assert second["precpu_stats"]["cpu_usage"]["total_usage"] == first["cpu_stats"]["cpu_usage"]["total_usage"]
    stream.close()


def test_stats_of_what_does_not_run_are_empty(cli, name):
    cli.ok("create", "--name", name, *QUIET, *FOREVER)
    shown = json.loads(cli.ok("stats", "--no-stream", "--format", "{{json .}}", name))
    assert shown["PIDs"] in ("0", "--")


def test_top_takes_the_words_of_ps(cli, name):
    cli.ok("run", "-d", "--name", name, *QUIET, *FOREVER)
    titles, row = cli.ok("top", name, "-o", "pid,args").splitlines()
    assert titles.split() == ["PID", "COMMAND"]
    assert row.split(None, 1)[1] == "sleep 1000"
    assert cli("top", name, "-o", "nosuchcolumn").code == 1


# -- what an exec that can't start leaves, and what is told ------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-w", "/nosuch"), 'chdir to cwd ("/nosuch") set in config.json failed: no such file or directory'),
        (("-u", "nobody-here"), "unable to find user nobody-here: no matching entries in passwd file"),
    ],
)
def test_an_exec_that_cannot_start_ends_with_126_and_tells_no_end(cli, name, options, said):
    cli.ok("run", "-d", "--network", "none", "--name", name, IMAGE, "sleep", "1000")
    answer = cli("exec", *options, name, "pwd")
    assert answer.code == 126
    assert said in answer.out
    cli.ok("top", name)
    until = f"{time.time() + 0.3:.3f}"
    told = cli.ok("events", "--since", "1h", "--until", until, "-f", f"container={name}", "--format", "{{.Action}}")
    actions = [line.partition(":")[0] for line in told.splitlines()]
    assert actions[-3:] == ["exec_create", "exec_start", "top"]


def test_details_of_a_log_that_has_none_are_a_space(cli, name):
    cli.ok("run", "--network", "none", "--name", name, IMAGE, "sh", "-c", "echo one; echo two")
    assert cli("logs", "--details", name).out == " one\n two\n"
    stamped = cli("logs", "--details", "-t", "--tail", "1", name).out
    assert stamped.endswith("Z  two\n")


def test_a_name_that_cannot_be_is_refused_at_a_rename(cli, name):
    cli.ok("create", "--network", "none", "--name", name, IMAGE, "true")
    answer = cli("rename", name, "a b")
    assert answer.code == 1
    assert "Error when allocating new name: Invalid container name (" in answer.err


@pytest.mark.ours("Docker passes over a filter that it doesn't know")
def test_a_filter_of_events_that_is_not_known_is_refused(cli):
    answer = cli("events", "--since", "1h", "--until", "0s", "-f", "colour=red")
    assert answer.code == 1
    assert "invalid filter 'colour'" in answer.err
