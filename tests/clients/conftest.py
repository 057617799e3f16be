"""The engine that real clients drive: ours, or the one that ``DOCKER_HOST`` names, to prove a case on a real Docker.

A real Docker needs the images first; ``make test-clients-docker`` starts one that has them (``tests/real_docker.py``).
What holds for this engine alone is marked ``ours``, with the reason.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.store import Store

IMAGE = "lab/busybox"
CLIENTS = [path for path in ("/usr/local/bin/docker", "/usr/bin/docker") if os.access(path, os.X_OK)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A fresh store whose engine isn't started yet; a skip where ``DOCKER_HOST`` asks about another engine."""
    if "DOCKER_HOST" in os.environ:
        pytest.skip("of this engine alone: its store, its processes, its socket")
    made = Store(tmp_path / "store")
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(scope="session")
def host(session_host: str) -> str:
    """The engine that the session's client tests share."""
    return session_host


class Cli:
    """One ``docker`` program, pointed at the engine."""

    def __init__(self, program: str, host: str, config: Path) -> None:
        self.program = program
        # PATH stays; the rest of the user's settings would choose another engine or builder.
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(config),
            "DOCKER_CONFIG": str(config),
            "DOCKER_HOST": host,
            "DOCKER_BUILDKIT": "0",
        }

    def __call__(self, *words: str, stdin: bytes | None = b"", timeout: float = 20) -> Answer:
        """Run to the end with ``stdin`` as its input."""
        done = subprocess.run(
            [self.program, *words], input=stdin, capture_output=True, env=self.environment, timeout=timeout, check=False
        )
        return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())

    def raw(self, *words: str, stdin: bytes = b"", timeout: float = 60) -> subprocess.CompletedProcess[bytes]:
        """The same, with its output as bytes: a tar is no text."""
        return subprocess.run(
            [self.program, *words], input=stdin, capture_output=True, env=self.environment, timeout=timeout, check=False
        )

    def ok(self, *words: str, stdin: bytes | None = b"") -> str:
        """Standard output, stripped, of a command that must succeed."""
        answer = self(*words, stdin=stdin)
        assert answer.code == 0, answer
        return answer.out.strip()

    @contextlib.contextmanager
    def running(self, *words: str, **options: object) -> Iterator[subprocess.Popen[bytes]]:
        """A client in the background, ended with the block."""
        with subprocess.Popen(
            [self.program, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            **options,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def terminal(self, *words: str, rows: int = 24, columns: int = 80) -> Terminal:
        """A client on a pseudo-terminal."""
        return Terminal([self.program, *words], self.environment, rows, columns)


class Answer:
    """How a client ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def __repr__(self) -> str:
        return f"exit {self.code}\nstdout: {self.out}\nstderr: {self.err}"


class Terminal:
    """A program on a pseudo-terminal: what it shows, what is typed, how it ends."""

    def __init__(self, command: list[str], environment: dict[str, str], rows: int, columns: int) -> None:
        import fcntl
        import struct
        import termios

        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)
        self.shown = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.wait(10)
        os.close(self.master)

    def type(self, keys: bytes) -> None:
        """Type into the terminal."""
        os.write(self.master, keys)

    def until(self, text: bytes, seconds: float = 10) -> bytes:
        """What was shown, once ``text`` is in it."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0], self.shown
            try:
                self.shown += os.read(self.master, 4096)
            except OSError:  # EIO: the other end is closed
                break
        assert text in self.shown, self.shown
        return self.shown

    def code(self) -> int:
        """The exit code; everything shown is read on the way."""
        deadline = time.monotonic() + 15
        while True:
            assert select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0], self.shown
            try:
                self.shown += os.read(self.master, 4096)
            except OSError:  # EIO: the other end is closed
                return self.process.wait(10)


@pytest.fixture(params=CLIENTS, ids=lambda path: path.split("/")[2])
def cli(request: pytest.FixtureRequest, host: str, tmp_path: Path) -> Cli:
    """Each ``docker`` program of the machine in turn."""
    config = tmp_path / "docker-config"
    config.mkdir()
    return Cli(request.param, host, config)


@pytest.fixture
def client(host: str) -> Iterator[docker.DockerClient]:
    """docker-py on the shared engine."""
    made = docker.DockerClient(base_url=host)
    yield made
    made.close()


@pytest.fixture
def name(client: docker.DockerClient) -> Iterator[str]:
    """A container's name that nobody has; whoever takes it is removed."""
    made = f"t-{uuid.uuid4().hex[:8]}"
    yield made
    with contextlib.suppress(docker.errors.NotFound):
        client.api.remove_container(made, force=True)
