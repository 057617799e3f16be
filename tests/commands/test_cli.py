"""The program ``containerlab`` in a shell and in a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator

import docker
import pytest

IMAGE = "lab/busybox"
RUN = ("run", "--rm", "--network", "none")
PROGRAM = [sys.executable, "-m", "containerlab"]


@pytest.fixture
def environment(host: str) -> dict[str, str]:
    return {**os.environ, "DOCKER_HOST": host, "COLUMNS": "100"}


@pytest.fixture
def cli(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *words], input=stdin, capture_output=True, text=True, env=environment, timeout=60, check=False
        )

    return run


Cli = Callable[..., subprocess.CompletedProcess[str]]


def test_the_exit_code_is_the_programs(cli: Cli) -> None:
    done = cli(*RUN, IMAGE, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_a_terminal_that_is_asked_for_must_be_there(cli: Cli) -> None:
    done = cli(*RUN, "-it", IMAGE, "sh", stdin="exit 3")
    assert done.returncode == 125 and "needs a terminal" in done.stderr


def test_input_is_passed_with_i_alone(cli: Cli) -> None:
    assert cli(*RUN, "-i", IMAGE, "cat", stdin="piped").stdout == "piped"
    assert cli(*RUN, IMAGE, "cat", stdin="piped").stdout == ""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([*RUN, IMAGE, "nosuch"], 127),
        ([*RUN, IMAGE, "/etc"], 126),
        ([*RUN, "--bad-option", IMAGE], 125),
        (["ps", "--bad-option"], 125),
        (["rm", "nosuch-container"], 1),
        (["nosuch-verb"], 1),
    ],
)
def test_a_failure_is_a_sentence_and_dockers_exit_code(cli: Cli, words: list[str], code: int) -> None:
    done = cli(*words)
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr.startswith("containerlab: ") and "Traceback" not in done.stderr


def test_without_words_it_tells_the_verbs(cli: Cli) -> None:
    done = cli()
    assert done.returncode == 0
    for word in ("Run a container:", "run ", "images", "timeline", "serve", "doctor"):
        assert word in done.stdout
    assert cli("--version").stdout.startswith("containerlab 0.")
    assert cli("-v").stdout == cli("--version").stdout, "docker has the short form too"
    assert "--memory" in cli("run", "--help").stdout


def test_what_is_piped_is_plain(cli: Cli) -> None:
    done = cli("images")
    assert done.stdout.startswith("REPOSITORY ") and "\x1b" not in done.stdout


def test_a_reader_that_leaves_is_no_error(environment: dict[str, str]) -> None:
    line = f"{sys.executable} -m containerlab run --help | head -n 1"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.startswith("Usage") and "Traceback" not in done.stderr


def test_no_engine_is_one_sentence(cli: Cli, environment: dict[str, str]) -> None:
    environment["DOCKER_HOST"] = "unix:///nonexistent/engine.sock"
    done = cli("ps")
    assert done.returncode == 1
    assert "No engine answers" in done.stderr and "0x" not in done.stderr


def trapping(signal_name: str, code: int, name: str) -> list[str]:
    """A run whose program says ``up``, then waits for a signal to end it with ``code``."""
    script = f"trap 'exit {code}' {signal_name}; echo up; while :; do sleep 0.1; done"
    return [*PROGRAM, *RUN, "--name", name, IMAGE, "sh", "-c", script]


def test_an_interrupt_is_passed_on_then_ends_the_container(
    environment: dict[str, str], client: docker.DockerClient, name: str
) -> None:
    words = trapping("INT", 9, name)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 9
    assert not client.api.containers(all=True, filters={"name": name})


def test_a_termination_is_passed_on_to_the_program(environment: dict[str, str], name: str) -> None:
    words = trapping("TERM", 8, name)
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.terminate()
        assert process.wait(timeout=20) == 8


class Screen:
    """A terminal with the program in it."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(words[0], words, environment)
        self.seen = b""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def until(self, text: str, seconds: float = 20) -> None:
        """Read until ``text`` is on the screen."""
        deadline = time.monotonic() + seconds
        while text.encode() not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.fd, 4096)
                except OSError:
                    break
        assert text.encode() in self.seen, self.seen

    def end(self) -> int:
        """The exit code; what the program still writes is read away."""
        with contextlib.suppress(OSError):
            while os.read(self.fd, 4096):
                pass
        status = os.waitpid(self.pid, 0)[1]
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """End a program whose test didn't come to its end."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def screen(environment: dict[str, str]) -> Iterator[Callable[..., Screen]]:
    opened: list[Screen] = []

    def open_screen(*words: str) -> Screen:
        opened.append(Screen([*PROGRAM, *words], environment))
        opened[-1].resize(33, 99)
        return opened[-1]

    yield open_screen
    for each in opened:
        each.close()


def test_a_terminal_has_its_size_and_follows_it(screen: Callable[..., Screen], name: str) -> None:
    shown = screen(*RUN, "-it", "--name", name, IMAGE, "sh")
    shown.type("stty size; echo re''ady\n")
    shown.until("ready")
    shown.resize(20, 50)
    shown.type("sleep 1; stty size; echo aga''in; exit 4\n")
    shown.until("again")
    assert b"20 50" in shown.seen
    assert shown.end() == 4


def test_interrupt_in_a_terminal_reaches_the_program(screen: Callable[..., Screen], name: str) -> None:
    shown = screen(*RUN, "-it", "--name", name, IMAGE, "sh")
    shown.type("sleep 100; echo co''de $?\n")
    time.sleep(1.5)
    shown.type("\x03")
    shown.type("echo al''ive; exit 3\n")
    shown.until("alive")
    assert shown.end() == 3


def test_exec_has_a_terminal_too(screen: Callable[..., Screen], client: docker.DockerClient, name: str) -> None:
    client.containers.run(IMAGE, ["sleep", "100"], name=name, detach=True, network_mode="none")
    shown = screen("exec", "-it", name, "sh")
    shown.type("test -t 0 && echo is''atty; exit 6\n")
    shown.until("isatty")
    assert shown.end() == 6


def test_a_table_is_drawn_for_a_terminal(screen: Callable[..., Screen]) -> None:
    shown = screen("images")
    shown.until("REPOSITORY")
    assert shown.end() == 0
    assert b"\x1b[1m" in shown.seen


def test_without_sig_proxy_an_interrupt_leaves_the_program_alone(
    environment: dict[str, str], client: docker.DockerClient, name: str
) -> None:
    words = trapping("INT", 9, name)
    words.remove("--rm")
    words.insert(words.index("--name"), "--sig-proxy=false")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
    assert client.api.inspect_container(name)["State"]["Running"]


def test_ones_own_detach_keys_leave_the_program_running(
    screen: Callable[..., Screen], client: docker.DockerClient, name: str
) -> None:
    shown = screen("run", "--network", "none", "-it", "--detach-keys", "ctrl-x,d", "--name", name, IMAGE, "sh")
    shown.type("echo re''ady\n")
    shown.until("ready")
    shown.type("\x18d")
    assert shown.end() == 0
    assert client.api.inspect_container(name)["State"]["Running"]


def test_prune_asks_on_a_terminal(screen: Callable[..., Screen]) -> None:
    shown = screen("container", "prune", "--filter", "label=nobody-has-this")
    shown.until("Are you sure you want to continue? [y/N]")
    shown.type("y\n")
    shown.until("Total reclaimed space: 0B")
    assert shown.end() == 0


def test_a_verb_of_a_group_has_the_exit_codes_of_its_short_name(cli: Cli) -> None:
    assert cli("container", *RUN, IMAGE, "nosuch").returncode == 127
    assert cli("container", "run", "--network", "nosuch-network", IMAGE).returncode == 125
    assert cli("container", "nosuch").returncode == 125
    assert cli("container", "rm", "nosuch-container").returncode == 1
    assert "Verbs:" in cli("system").stdout and "check" in cli("system").stdout
