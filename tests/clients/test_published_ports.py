"""Published ports as the docker CLI uses them: which there are, whose they are, and what comes through."""

from __future__ import annotations

import contextlib
import json
import os
import socket

import pytest

from tests.clients.conftest import IMAGE, Cli
from tests.clients.networking import SECONDS, SERVE, fetch
from tests.rungs import each_host as host

__all__ = ["host"]


def test_a_published_port(cli: Cli, name: str) -> None:
    cli.ok("run", "-d", "--name", name, "-p", "127.0.0.1::80", IMAGE, "sh", "-c", SERVE, "hello")
    address, _, port = cli.ok("port", name, "80").rpartition(":")
    assert address == "127.0.0.1"
    assert fetch(int(port)) == "hello"
    assert cli.ok("ps", "--filter", f"publish={port}", "--format", "{{.Ports}}") == f"127.0.0.1:{port}->80/tcp"
    taken = cli("run", "--rm", "-p", f"127.0.0.1:{port}:80", IMAGE, "true")
    assert taken.code == 125, taken
    assert f"Bind for 127.0.0.1:{port} failed: port is already allocated" in taken.err
    cli.ok("stop", "-t", "0", name)
    assert cli.ok("port", name) == ""
    # At once: a port is free when its container's end is told.
    assert cli.ok("run", "--rm", "-p", f"127.0.0.1:{port}:80", IMAGE, "echo", "mine") == "mine"
    cli.ok("start", name)
    assert fetch(int(cli.ok("port", name, "80").rpartition(":")[2])) == "hello"


@pytest.mark.ours("Docker publishes on every address, and doesn't say who has a port")
def test_a_port_is_published_on_loopback_and_its_owner_is_named(cli: Cli, name: str) -> None:
    cli.ok("run", "-d", "--name", name, "-p", "80", IMAGE, "sleep", "1000")
    address, _, port = cli.ok("port", name, "80").rpartition(":")
    assert address == "127.0.0.1"
    assert f"The container {name} has it." in cli("run", "--rm", "-p", f"{port}:80", IMAGE, "true").err
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = cli("run", "--rm", "-p", f"{server.getsockname()[1]}:80", IMAGE, "true")
    # An unprivileged engine may not look at root's processes.
    named = f"({os.getpid()}) has it."
    assert taken.code == 125 and (named in taken.err or "A program on this host has it." in taken.err)


def test_a_port_of_the_host_is_not_taken_away(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        answer = cli("run", "--rm", "-p", f"127.0.0.1:{port}:80", IMAGE, "true")
        assert answer.code == 125, answer
        assert "address already in use" in answer.err or "port is already allocated" in answer.err


@pytest.mark.ours("Docker 20.10 gives up at the first port of a range that a program has")
def test_of_a_range_the_next_port_is_taken(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert cli.ok("run", "--rm", "-p", f"{port}-{port + 3}:80", IMAGE, "echo", "next") == "next"


def test_a_udp_port(cli: Cli, name: str) -> None:
    program = "import socket; s = socket.socket(type=2); s.bind(('', 53))\nwhile 1: s.sendto(*s.recvfrom(999))"
    cli.ok("run", "-d", "--name", name, "-p", "127.0.0.1::53/udp", "lab/python", "python3", "-c", program)
    port = int(cli.ok("port", name, "53/udp").rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(1)
        asker.connect(("127.0.0.1", port))
        for _ in range(SECONDS):
            asker.send(b"echo")
            with contextlib.suppress(OSError):
                assert asker.recv(100) == b"echo"
                return
    raise AssertionError("no answer came back")


def test_all_exposed_ports(cli: Cli, name: str) -> None:
    cli.ok("run", "-d", "--name", name, "--expose", "80", "-P", IMAGE, "sh", "-c", SERVE, "hello")
    ports = json.loads(cli.ok("inspect", "--format", "{{json .NetworkSettings.Ports}}", name))
    assert fetch(int(ports["80/tcp"][0]["HostPort"])) == "hello"
