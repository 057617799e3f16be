"""The API over TCP: only with certificates on both sides, and then whole."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
import trustme

from tests.waiting import eventually

IMAGE = "lab/busybox"
DOCKER = "/usr/local/bin/docker"


class Served:
    """An engine on a loopback port, the certificates of both sides, and words for the docker client."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port, self.folder = port, folder
        self.host = f"tcp://127.0.0.1:{port}"

    def words(self, *words: str, client: str = "client") -> list[str]:
        files = [f"--tlscacert={self.folder}/ca.pem", f"--tlscert={self.folder}/{client}.pem"]
        return [DOCKER, "--tlsverify", *files, f"--tlskey={self.folder}/{client}.key", "-H", self.host, *words]


def certificates(folder: Path) -> None:
    ours, others = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(folder / "ca.pem")
    made = {"server": ours.issue_cert("127.0.0.1"), "client": ours.issue_cert("me@example.com")}
    made["stranger"] = others.issue_cert("stranger@example.com")
    for name, certificate in made.items():
        certificate.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        certificate.private_key_pem.write_to_path(folder / f"{name}.key")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture
def served(store, tmp_path: Path) -> Iterator[Served]:
    certificates(tmp_path)
    made = Served(free_port(), tmp_path)
    files = [f"--tls{kind}={tmp_path}/{file}" for kind, file in _FILES]
    command = [sys.executable, "-m", "containerlab", "serve", "--store", str(store.folder)]
    with subprocess.Popen([*command, "--tcp", f"127.0.0.1:{made.port}", *files], cwd="/") as engine:
        try:
            assert eventually(lambda: answers(made.port))
            yield made
        finally:
            engine.terminate()
            engine.wait(20)


_FILES = (("cacert", "ca.pem"), ("cert", "server.pem"), ("key", "server.key"))


def run(words: list[str], stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(words, input=stdin, capture_output=True, timeout=30, check=False)


def test_the_docker_client_runs_a_container_with_input_and_output(served):
    done = run(served.words("run", "--rm", "-i", "--network", "none", IMAGE, "tr", "a-z", "A-Z"), b"over the wire\n")
    assert (done.returncode, done.stdout) == (0, b"OVER THE WIRE\n"), done


def test_a_large_output_arrives_whole(served):
    script = "head -c 3000000 /dev/zero | tr '\\0' x"
    done = run(served.words("run", "--rm", "--network", "none", IMAGE, "sh", "-c", script))
    assert done.stdout == b"x" * 3_000_000


def test_docker_py_execs_and_follows_logs(served, monkeypatch):
    # requests prefers these to the certificate that its session was given.
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    files = tuple(f"{served.folder}/client.{ending}" for ending in ("pem", "key"))
    tls = docker.tls.TLSConfig(client_cert=files, ca_cert=f"{served.folder}/ca.pem", verify=True)
    client = docker.DockerClient(base_url=served.host, tls=tls)
    container = client.containers.run(IMAGE, ["sh", "-c", "echo up; sleep 1"], detach=True, network_mode="none")
    assert container.exec_run(["echo", "in"]).output == b"in\n"
    assert b"".join(container.logs(stream=True, follow=True)) == b"up\n"
    container.remove(force=True)
    client.close()


def test_a_stranger_is_turned_away(served):
    done = run(served.words("version", client="stranger"))
    assert done.returncode != 0
    assert b"Server:" not in done.stdout


def test_nobody_without_a_certificate_is_answered(served):
    context = ssl.create_default_context(cafile=str(served.folder / "ca.pem"))
    with socket.create_connection(("127.0.0.1", served.port), 5) as plain, pytest.raises((ssl.SSLError, OSError)):
        secure = context.wrap_socket(plain, server_hostname="127.0.0.1")
        secure.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not secure.recv(1024)
        raise ConnectionResetError
    with socket.create_connection(("127.0.0.1", served.port), 5) as plain:
        plain.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        plain.settimeout(15)
        assert b"OK" not in plain.recv(1024)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--tcp", "127.0.0.1:1"], "--tlscacert"),
        (["--tlscert", "x"], "--tcp"),
        (["--tcp", "everywhere", *(f"--tls{kind}=x" for kind, _ in _FILES)], "ADDRESS:PORT"),
        (["--tcp", "127.0.0.1:1", *(f"--tls{kind}=/nowhere" for kind, _ in _FILES)], "certificates"),
    ],
)
def test_what_tcp_needs_is_said(tmp_path, words, named):
    command = [sys.executable, "-m", "containerlab", "serve", "--store", str(tmp_path / "s"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert named in done.stderr
    assert "Traceback" not in done.stderr
