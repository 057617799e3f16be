"""``docker run`` of the real command line: streams, exit codes, terminals, options."""

from __future__ import annotations

import re
import signal
import time

import pytest

IMAGE = "lab/busybox"


@pytest.mark.namespaces
def test_run_prints_what_the_container_prints(cli):
    answer = cli("run", "--rm", "--network", "none", IMAGE, "echo", "hi")
    assert (answer.code, answer.out, answer.err) == (0, "hi\n", "")


@pytest.mark.namespaces
def test_stdout_and_stderr_stay_apart(cli):
    answer = cli("run", "--rm", "--network", "none", IMAGE, "sh", "-c", "echo out; echo err >&2")
    assert (answer.out, answer.err) == ("out\n", "err\n")


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_the_exit_code_is_the_commands(cli, code):
    assert cli("run", "--rm", IMAGE, "sh", "-c", f"exit {code}").code == code


def test_a_command_that_is_not_there_is_127_in_dockers_words(cli):
    answer = cli("run", "--rm", IMAGE, "no-such-command")
    assert answer.code == 127
    assert 'exec: "no-such-command": executable file not found in $PATH' in answer.err


def test_a_file_that_is_not_executable_is_126(cli):
    answer = cli("run", "--rm", IMAGE, "/etc/passwd")
    assert answer.code == 126
    assert 'exec: "/etc/passwd": permission denied' in answer.err


def test_what_the_engine_refuses_is_125(cli):
    answer = cli("run", "--rm", "--memory", "1m", IMAGE, "true")
    assert answer.code == 125
    assert "Minimum memory limit allowed is 6MB" in answer.err


def test_an_unknown_image_is_125_and_named(cli):
    answer = cli("run", "--rm", "lab/nothing-of-this-name", "true")
    assert answer.code == 125
    assert "lab/nothing-of-this-name" in answer.err


def test_a_container_removed_at_its_exit_is_gone_when_run_returns(cli, name):
    assert cli("run", "--rm", "--name", name, IMAGE, "true").code == 0
    assert cli("ps", "-aq", "--filter", f"name={name}").out == ""


def test_a_failed_start_leaves_nothing_with_rm(cli, name):
    assert cli("run", "--rm", "--name", name, IMAGE, "no-such-command").code == 127
    assert cli("ps", "-aq", "--filter", f"name={name}").out == ""


def test_a_name_in_use_is_a_conflict(cli, name):
    cli.ok("create", "--name", name, IMAGE, "true")
    answer = cli("run", "--rm", "--name", name, IMAGE, "true")
    assert answer.code == 125
    assert f'The container name "/{name}" is already in use by container' in answer.err


def test_detached_prints_the_full_id(cli, name):
    assert re.fullmatch(r"[0-9a-f]{64}", cli.ok("run", "-d", "--name", name, IMAGE, "sleep", "60"))


def test_standard_input_reaches_the_command_and_ends(cli):
    answer = cli("run", "--rm", "-i", IMAGE, "cat", stdin=b"one\ntwo\n")
    assert (answer.code, answer.out) == (0, "one\ntwo\n")


def test_a_mebibyte_of_input_arrives_whole(cli):
    answer = cli("run", "--rm", "-i", IMAGE, "wc", "-c", stdin=b"x" * (1 << 20))
    assert answer.out.strip() == str(1 << 20)


def test_a_mebibyte_of_output_arrives_whole(cli):
    answer = cli("run", "--rm", IMAGE, "sh", "-c", "head -c 1048576 /dev/zero | tr '\\0' x")
    assert answer.out == "x" * (1 << 20)


def test_without_i_the_input_is_empty(cli):
    assert cli("run", "--rm", IMAGE, "cat", stdin=b"unread").out == ""


@pytest.mark.namespaces
def test_a_terminal_is_a_terminal(cli):
    with cli.terminal(
        "run", "--rm", "-t", "--network", "none", IMAGE, "sh", "-c", "test -t 1 && echo yes; tty"
    ) as terminal:
        assert terminal.code() == 0
        # Without -i the client leaves its own terminal cooked, which adds a second carriage return.
        assert terminal.shown.replace(b"\r", b"") in (b"yes\n/dev/pts/0\n", b"yes\n/dev/console\n")


def test_a_terminal_has_the_clients_size(cli):
    with cli.terminal("run", "--rm", "-it", IMAGE, "sh", rows=33, columns=101) as terminal:
        time.sleep(0.5)
        terminal.type(b"stty size; exit 3\n")
        assert terminal.code() == 3
        assert b"33 101" in terminal.shown


def test_control_c_in_a_terminal_interrupts_the_command(cli):
    with cli.terminal(
        "run", "--rm", "-it", IMAGE, "sh", "-c", "trap 'exit 9' INT; echo up; while :; do sleep 0.1; done"
    ) as term:
        term.until(b"up")
        term.type(b"\x03")
        assert term.code() == 9


def test_a_signal_to_the_client_is_passed_on(cli):
    script = "trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done"
    with cli.running("run", "--rm", IMAGE, "sh", "-c", script) as process:
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 7


@pytest.mark.parametrize(
    ("options", "command", "shown"),
    [
        (["-e", "A=1", "-e", "B=x y"], ["sh", "-c", "echo $A $B"], "1 x y"),
        (["-w", "/new/folder"], ["pwd"], "/new/folder"),
        pytest.param(
            ["-u", "1234:56"], ["sh", "-c", "echo $(id -u):$(id -g)"], "1234:56", marks=pytest.mark.ids, id="user"
        ),
        pytest.param(["-h", "somewhere"], ["hostname"], "somewhere", marks=pytest.mark.namespaces),
        (["--entrypoint", "echo"], ["as given"], "as given"),
        (["--network", "none"], ["sh", "-c", "ls /sys/class/net"], "lo"),
        pytest.param(
            ["--read-only"],
            ["sh", "-c", "touch /x 2>/dev/null || echo refused"],
            "refused",
            marks=pytest.mark.namespaces,
        ),
        (["--tmpfs", "/scratch"], ["sh", "-c", "touch /scratch/x && echo written"], "written"),
        (["--label", "a=b"], ["true"], ""),
    ],
)
def test_options_reach_the_container(cli, options, command, shown):
    assert cli.ok("run", "--rm", *options, IMAGE, *command) == shown


def test_a_bound_folder_is_the_hosts(cli, tmp_path):
    (tmp_path / "note").write_text("from the host")
    answer = cli("run", "--rm", "-v", f"{tmp_path}:/mnt", IMAGE, "sh", "-c", "cat /mnt/note; echo back > /mnt/answer")
    assert (answer.code, answer.out) == (0, "from the host")
    assert (tmp_path / "answer").read_text() == "back\n"


def test_cidfile_holds_the_id(cli, name, tmp_path):
    cli.ok("run", "--cidfile", str(tmp_path / "id"), "--name", name, IMAGE, "true")
    assert cli.ok("inspect", "-f", "{{.Id}}", name) == (tmp_path / "id").read_text()
