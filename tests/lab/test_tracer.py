"""The listener between a client and the engine: every byte passes, every request is written down."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from containerlab.lab.http_heads import Heads
from containerlab.lab.trace_figure import draw_trace
from containerlab.lab.tracer import Call, Tracer, trace


@pytest.fixture
def tracer(host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracer]:
    monkeypatch.setenv("DOCKER_HOST", host)
    with trace() as made:
        yield made


def test_a_run_is_written_down_and_works_as_ever(tracer: Tracer, name: str) -> None:
    client = docker.DockerClient(base_url=tracer.host, version="1.43")
    said = client.containers.run("lab/busybox", "echo hi", name=name, network_mode="none", remove=True)
    assert said == b"hi\n"
    calls = [(call.method, call.path.partition("?")[0].rpartition("/")[2], call.status) for call in tracer.calls]
    assert calls[0] == ("POST", "create", 201)
    assert ("POST", "start", 204) in calls and calls[-1][0] == "DELETE"
    client.close()


def test_a_stream_after_an_upgrade_is_no_request(tracer: Tracer, name: str) -> None:
    client = docker.DockerClient(base_url=tracer.host, version="1.43")
    client.containers.run("lab/busybox", "sleep 600", name=name, network_mode="none", detach=True)
    made = client.api.exec_create(name, ["cat"], stdin=True)
    stream = client.api.exec_start(made["Id"], socket=True)
    stream._sock.sendall(b"GET /not-a-request HTTP/1.1\r\n\r\n")
    assert stream.read(8 + 31)[8:] == b"GET /not-a-request HTTP/1.1\r\n\r\n"
    stream._sock.close()
    assert [call.status for call in tracer.calls if call.upgraded] == [101]
    assert not any("not-a-request" in call.path for call in tracer.calls)
    client.close()


def test_a_refusal_is_drawn_with_its_status(tracer: Tracer) -> None:
    client = docker.DockerClient(base_url=tracer.host, version="1.43")
    with pytest.raises(docker.errors.NotFound):
        client.containers.get("nobody-here")
    figure = draw_trace(tracer.calls, "docker-py")
    assert figure.to_dict()["calls"] == ["GET /containers/nobody-here/json"]
    assert figure.table.rows[0][2] == "404"
    client.close()


def test_nobody_else_may_connect_to_the_listener(tmp_path: Path) -> None:
    tracer = Tracer(str(tmp_path / "nobody"))
    try:
        assert stat.S_IMODE(tracer.socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(tracer.socket.parent.stat().st_mode) == 0o700
    finally:
        tracer.close()
    assert not tracer.socket.parent.exists()


def test_what_is_not_http_is_passed_on_all_the_same(tmp_path: Path) -> None:
    """Also where the head of an answer has no status, and where what goes on has nothing of a head."""
    path = tmp_path / "odd.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        tracer = Tracer(str(path))
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(20)
                client.connect(str(tracer.socket))
                client.sendall(b"GET / HTTP/1.1\r\n\r\n")
                with listener.accept()[0] as odd:
                    assert odd.recv(100)
                    odd.sendall(b"nonsense\r\n\r\nHTTP/1.1 many words\r\n\r\n")
                received = b""
                while piece := client.recv(100):
                    received += piece
                    if received.endswith(b"words\r\n\r\n"):
                        client.shutdown(socket.SHUT_WR)
            assert received == b"nonsense\r\n\r\nHTTP/1.1 many words\r\n\r\n"
            assert [(call.path, call.status) for call in tracer.calls] == [("/", 0)]
        finally:
            tracer.close()


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_messages_are_told_apart_however_they_are_cut(size: int) -> None:
    sent = (
        b"POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
        b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n10;x=y\r\n0123456789abcdef\r\n0\r\n\r\n"
        b"GET /c HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    heads = Heads(answers=False)
    found = [head for at in range(0, len(sent), size) for head in heads.feed(sent[at : at + size])]
    assert [head.split(" ")[1] for head in found] == ["/a", "/b", "/c"]


def test_an_answer_without_a_length_lasts_until_the_end() -> None:
    heads = Heads(answers=True)
    answered = list(
        heads.feed(b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\nHTTP/1.1 500 not a head\r\n\r\n")
    )
    assert [head.split(" ")[1] for head in answered] == ["204", "200"]


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
    ],
)
def test_a_length_that_is_none_is_no_error(sent: bytes) -> None:
    assert [head.split(" ")[1] for head in Heads(answers=False).feed(sent)] == ["/"]


def test_a_head_without_an_end_is_given_up() -> None:
    heads = Heads(answers=False)
    assert list(heads.feed(b"x" * 300_000)) == []
    assert list(heads.feed(b"GET / HTTP/1.1\r\n\r\n")) == []


def test_a_call_that_is_not_answered_yet_took_no_time() -> None:
    assert Call("GET", "/events", 1.0).took_ms == 0
