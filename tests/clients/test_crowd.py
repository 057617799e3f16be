"""Many clients, rude clients, clients that leave: the engine answers the others."""

from __future__ import annotations

import http.client
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from containerlab import paths
from tests.waiting import eventually

IMAGE = "lab/busybox"
_JSON = {"Content-Type": "application/json"}


@pytest.fixture
def crowd() -> Iterator[list[socket.socket]]:
    """Connections that are closed at the end; room for a thousand of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    made: list[socket.socket] = []
    try:
        yield made
    finally:
        for each in made:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connection(store) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.connect(str(paths.api_socket(store.folder)))
    made.settimeout(20)
    return made


def ask(
    store, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    client = http.client.HTTPConnection("localhost")
    client.sock = connection(store)
    try:
        client.request(method, path, body, headers or {})
        answer = client.getresponse()
        return answer.status, answer.read()
    finally:
        client.close()


def descriptors(store) -> int:
    [pid] = store.pids()
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208


def test_a_thousand_event_streams_and_the_engine_still_answers(store, crowd):
    """It is started with few descriptors allowed, as a login shell often does."""
    command = [sys.executable, "-m", "containerlab", "serve", "--store", str(store.folder), "--idle-exit", "300"]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    engine = subprocess.Popen(
        command, cwd="/", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    )
    try:
        assert eventually(paths.api_socket(store.folder).exists)
        ask(store, "GET", "/_ping")
        before = descriptors(store)
        for _ in range(1000):
            stream = connection(store)
            stream.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            crowd.append(stream)
        for stream in crowd:
            assert stream.recv(4096).startswith(b"HTTP/1.1 200")
        assert ask(store, "GET", "/_ping") == (200, b"OK")
        body = json.dumps({"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}).encode()
        status, made = ask(store, "POST", "/containers/create", body, _JSON)
        assert status == 201, made
        for stream in crowd:
            assert b'"create"' in stream.recv(65536)
        for stream in crowd:
            stream.close()
        assert eventually(lambda: descriptors(store) <= before + 5)
    finally:
        engine.terminate()
        engine.wait(20)


@pytest.mark.parametrize("path", ["/build?t=half:1", "/images/load", "/images/create?fromSrc=-&repo=half"])
def test_an_archive_that_is_cut_off_leaves_nothing(store, path):
    store.start()
    ask(store, "GET", "/_ping")
    with connection(store) as cut:
        cut.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\n".encode())
        cut.sendall(b"Transfer-Encoding: chunked\r\n\r\n10000\r\n" + b"x" * 4000)
    assert ask(store, "GET", "/_ping") == (200, b"OK")
    scratch = [store.folder / name for name in ("tmp", "builds")]
    assert eventually(lambda: not [entry for folder in scratch if folder.exists() for entry in folder.iterdir()])
    assert json.loads(ask(store, "GET", "/images/json")[1]) == []


def test_a_client_that_leaves_its_logs_leaves_nothing_behind(store):
    store.start()
    script = "while :; do echo x; sleep 0.05; done"
    asked = {"Image": IMAGE, "Cmd": ["sh", "-c", script], "HostConfig": {"NetworkMode": "none"}}
    _, made = ask(store, "POST", "/containers/create", json.dumps(asked).encode(), _JSON)
    name = json.loads(made)["Id"]
    ask(store, "POST", f"/containers/{name}/start")
    ask(store, "GET", "/_ping")
    before = descriptors(store)
    for _ in range(20):
        with connection(store) as follower:
            follower.sendall(f"GET /containers/{name}/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert follower.recv(100)
    assert eventually(lambda: descriptors(store) <= before + 2)


def test_the_socket_is_not_for_a_slow_head(store):
    store.start()
    with connection(store) as slow:
        slow.sendall(b"GET /_ping HT")
        time.sleep(0.2)
        assert ask(store, "GET", "/_ping") == (200, b"OK")
    assert Path(paths.api_socket(store.folder)).exists()
