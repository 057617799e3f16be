"""Answers that last: hijacked connections, frames, message streams, and clients that leave."""

from __future__ import annotations

import json
import struct

import pytest

from tests.waiting import eventually


def read_until(sock, end: bytes) -> bytes:
    got = b""
    while not got.endswith(end):
        chunk = sock.recv(1)
        if not chunk:
            return got
        got += chunk
    return got


def read_all(sock) -> bytes:
    got = b""
    while chunk := sock.recv(65536):
        got += chunk
    return got


def test_attach_with_upgrade_switches_protocols_and_hands_the_socket_over(serving):
    with serving.socket() as sock:
        sock.sendall(
            b"POST /v1.43/containers/one/attach?stdin=1&stdout=1&stderr=1&stream=1&logs=0&detachKeys=ctrl-a"
            b" HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        )
        head = read_until(sock, b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 UPGRADED\r\n")
        assert b"Content-Type: application/vnd.docker.multiplexed-stream\r\n" in head
        assert read_all(sock) == b"hello from the other side"
    assert serving.engine.containers.calls == [
        (
            "attach",
            {
                "stdin": True,
                "stdout": True,
                "stderr": True,
                "logs": False,
                "stream": True,
                "detach_keys": "ctrl-a",
            },
        )
    ]


@pytest.mark.parametrize(
    ("version", "tty", "kind"),
    [
        ("1.43", True, b"raw-stream"),
        ("1.42", False, b"multiplexed-stream"),
        ("1.41", False, b"raw-stream"),
    ],
)
def test_the_content_type_says_whether_frames_come(serving, version, tty, kind):
    serving.engine.containers.is_tty = tty
    with serving.socket() as sock:
        sock.sendall(
            f"POST /v{version}/containers/one/attach?stdout=1 HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\n"
            "Connection: Upgrade\r\n\r\n".encode()
        )
        assert b"Content-Type: application/vnd.docker." + kind in read_until(sock, b"\r\n\r\n")


def test_attach_without_upgrade_is_200_and_the_bare_stream(serving):
    with serving.socket() as sock:
        sock.sendall(b"POST /containers/one/attach?stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        head = read_until(sock, b"\r\n\r\n")
        assert head == b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
        assert read_all(sock) == b"hello from the other side"


def test_what_can_be_refused_before_the_head_is_an_ordinary_error(serving):
    status, _, body = serving.request(
        "POST", "/containers/nobody/attach", headers={"Connection": "Upgrade", "Upgrade": "tcp"}
    )
    assert (status, json.loads(body)) == (404, {"message": "No such container: nobody"})
    status, answer = serving.post("/exec/unknown/start", {"Detach": False})
    assert (status, answer) == (404, {"message": "No such exec instance: unknown"})


@pytest.mark.parametrize("tty", [False, True])
def test_an_exec_that_fails_to_start_says_so_in_its_stream(serving, tty):
    body = json.dumps({"Detach": False, "Tty": tty}).encode()
    with serving.socket() as sock:
        sock.sendall(
            b"POST /exec/e1/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 101 UPGRADED")
        told = b"the command can't be run\r\n"
        assert read_all(sock) == (told if tty else struct.pack(">BxxxL", 1, len(told)) + told)


def test_logs_come_in_frames_unless_there_is_a_terminal(serving):
    _, headers, body = serving.request("GET", "/containers/one/logs?stdout=1&stderr=1&tail=5&since=1.5&timestamps=1")
    assert body == b"\x01\0\0\0\0\0\0\x04out\n" + b"\x02\0\0\0\0\0\0\x04err\n"
    assert headers["Content-Type"] == "application/vnd.docker.multiplexed-stream"
    assert serving.engine.containers.calls == [
        (
            "logs",
            {
                "stdout": True,
                "stderr": True,
                "since": 1.5,
                "until": 0.0,
                "tail": 5,
                "timestamps": True,
                "details": False,
            },
        )
    ]
    serving.engine.containers.is_tty = True
    _, headers, body = serving.request("GET", "/containers/one/logs?stdout=1")
    assert body == b"out\nerr\n"
    assert headers["Content-Type"] == "application/vnd.docker.raw-stream"


def test_logs_of_no_stream_are_refused_in_dockers_words(serving):
    status, _, body = serving.request("GET", "/containers/one/logs")
    assert status == 400
    assert json.loads(body)["message"] == "Bad parameters: you must choose at least one stream"


def test_following_ends_with_its_client(serving):
    with serving.socket() as sock:
        sock.sendall(b"GET /containers/one/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_until(sock, b"err\n").endswith(b"err\n")
        assert eventually(lambda: serving.engine.containers.following == 1)
    assert eventually(lambda: serving.engine.containers.following == 0)


def test_wait_sends_its_head_at_once_and_the_code_at_the_exit(serving):
    with serving.socket() as sock:
        sock.sendall(b"POST /containers/one/wait?condition=next-exit HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
        assert serving.engine.containers.waiters == 1
        serving.on_loop(serving.engine.containers.exited.set)
        assert b'{"StatusCode":7}\n' in read_until(sock, b"0\r\n\r\n")
    assert eventually(lambda: serving.engine.containers.waiters == 0)


def test_a_waiter_is_let_go_when_its_client_leaves(serving):
    with serving.socket() as sock:
        sock.sendall(b"POST /containers/one/wait HTTP/1.1\r\nHost: x\r\n\r\n")
        read_until(sock, b"\r\n\r\n")
        assert serving.engine.containers.waiters == 1
    assert eventually(lambda: serving.engine.containers.waiters == 0)


def test_a_change_that_has_begun_is_finished_though_the_client_left(serving):
    with serving.socket() as sock:
        sock.sendall(b"POST /containers/one/start HTTP/1.1\r\nHost: x\r\n\r\n")
        assert eventually(serving.engine.containers.started.is_set)
    assert eventually(lambda: serving.engine.containers.finished_starts == 1)


def test_messages_come_one_a_line(serving):
    status, _, body = serving.request("POST", "/images/create?fromImage=lab/busybox&tag=latest")
    assert status == 200
    assert body == b'{"status":"Pulling lab/busybox:latest"}\r\n'


def test_a_digest_is_joined_by_an_at_sign(serving):
    _, _, body = serving.request("POST", "/images/create?fromImage=app&tag=sha256:abc")
    assert b"Pulling app@sha256:abc" in body


def test_an_error_before_the_first_message_is_an_ordinary_answer(serving):
    status, _, body = serving.request("POST", "/images/create?fromImage=refused")
    assert (status, json.loads(body)) == (404, {"message": "No such container: nothing was sent yet"})


def test_an_error_after_the_first_message_is_the_last_message(serving):
    status, _, body = serving.request("POST", "/images/create?fromImage=failing")
    assert status == 200
    assert json.loads(body.splitlines()[-1]) == {
        "errorDetail": {"message": "half way", "code": 3},
        "error": "half way",
    }


def test_work_is_cancelled_when_its_client_leaves(serving):
    with serving.socket() as sock:
        sock.sendall(b"POST /images/create?fromImage=endless HTTP/1.1\r\nHost: x\r\n\r\n")
        read_until(sock, b"}\r\n")
        assert not serving.engine.images.cancelled.is_set()
    assert eventually(serving.engine.images.cancelled.is_set)


def test_an_import_from_an_address_is_refused_by_name(serving):
    status, _, body = serving.request("POST", "/images/create?fromSrc=http://x/y.tar&repo=x")
    assert status == 400
    assert "fromSrc" in json.loads(body)["message"]


def test_events_are_lines_of_json(serving):
    _, _, body = serving.request("GET", "/events?since=1&until=2")
    assert body == b'{"Type":"container","Action":"start"}\n'
