"""The listener between a client and the engine: every byte passes, every request is written down."""

from __future__ import annotations

from collections.abc import Iterator

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


def test_a_head_without_an_end_is_given_up() -> None:
    heads = Heads(answers=False)
    assert list(heads.feed(b"x" * 300_000)) == []
    assert list(heads.feed(b"GET / HTTP/1.1\r\n\r\n")) == []


def test_a_call_that_is_not_answered_yet_took_no_time() -> None:
    assert Call("GET", "/events", 1.0).took_ms == 0
