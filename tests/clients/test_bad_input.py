"""What a request may be that no client of good will sends: the answer is Docker's, and the engine goes on."""

from __future__ import annotations

import http.client
import io
import json
import os
import socket
import tarfile
import uuid
from collections.abc import Iterator
from urllib.parse import urlparse

import docker
import pytest

from tests.clients.conftest import IMAGE
from tests.waiting import eventually

_JSON = {"Content-Type": "application/json"}
_TAR = {"Content-Type": "application/x-tar"}


def connection(host: str) -> socket.socket:
    """A connection to the engine's socket, for what no library would send."""
    made = socket.socket(socket.AF_UNIX)
    made.connect(urlparse(host).path)
    made.settimeout(30)
    return made


def ask(
    host: str, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    client = http.client.HTTPConnection("localhost")
    client.sock = connection(host)
    try:
        client.request(method, path, body, headers or {})
        answer = client.getresponse()
        return answer.status, answer.read()
    finally:
        client.close()


def message(body: bytes) -> str:
    return json.loads(body)["message"]


@pytest.fixture
def still_well(host: str) -> Iterator[None]:
    """Whatever was sent: the engine answers."""
    yield
    assert ask(host, "GET", "/_ping") == (200, b"OK")


pytestmark = pytest.mark.usefixtures("still_well")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{", ""),
        (b"[]", ""),
        (b'"x"', ""),
        (b'{"Image": 7}', "image"),
        (b'{"Image": "x", "HostConfig": {"Memory": "much"}}', "memory"),
        (b'{"Image": "x", "Env": "A=1"}', "env"),
        (b'{"Image": "x", "HostConfig": {"Binds": {"a": 1}}}', "binds"),
        (b'{"Image": "x", "HostConfig": 3}', "hostconfig"),
        (b'{"Image": "x", "Labels": ["a"]}', "labels"),
        (b"{}", ""),
        (b"", ""),
    ],
)
def test_a_body_of_the_wrong_shape_says_what(host, body, named):
    """Docker 20.10 calls some of these a 500; a 4xx in the same words is what later versions give."""
    status, answer = ask(host, "POST", "/containers/create", body, _JSON)
    assert 400 <= status <= 500, answer
    assert named in message(answer).lower()


@pytest.mark.ours("Docker 20.10 answers 500 to what Go's decoder refuses")
@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"Image": 7}', b'{"Image": "x", "HostConfig": {"Memory": "much"}}', b""]
)
@pytest.mark.parametrize("path", ["/containers/create", "/networks/create", "/volumes/create", "/containers/X/exec"])
def test_every_bad_body_is_400(client, host, name, path, body):
    client.containers.run(IMAGE, "sleep 1000", detach=True, name=name, network_mode="none")
    if body == b"" and path == "/volumes/create":
        pytest.skip("a volume may be asked for without a word: it is anonymous")
    if b"Image" in body:
        body = body.replace(b'"Image": "x"', b'"Labels": {}').replace(b'"Image": 7', b'"Labels": 7')
        body = body.replace(b"HostConfig", b"Name" if path != "/containers/X/exec" else b"Cmd")
    status, answer = ask(host, "POST", path.replace("X", name), body, _JSON)
    assert status == 400, answer
    assert message(answer)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/containers/NAME/rename", 400),
        ("GET", "/containers/NAME/logs", 400),
        ("GET", "/containers/NAME/archive", 400),
        ("POST", "/containers/NAME/kill?signal=NOPE", 400),
        ("POST", "/containers/NAME/resize?h=x&w=1", 400),
        ("GET", "/containers/json?filters=nonsense", 400),
        ("GET", "/images/json?filters={", 400),
        ("GET", "/containers/nobody-here/json", 404),
        ("GET", "/exec/nobody-here/json", 404),
        ("GET", "/images/nobody-here/json", 404),
        ("GET", "/networks/nobody-here", 404),
        ("GET", "/volumes/nobody-here", 404),
        ("GET", "/no/such/route", 404),
        ("PATCH", "/containers/json", 404),
        ("GET", "/v1.99/containers/json", 400),
    ],
)
def test_a_parameter_that_is_missing_wrong_or_unknown(client, host, name, method, path, status):
    client.containers.create(IMAGE, "true", name=name)
    got, answer = ask(host, method, path.replace("NAME", name))
    # What doesn't parse is 500 to Docker 20.10, and 400 to later versions.
    assert got == status or (status == 400 and got == 500 and "DOCKER_HOST" in os.environ), (got, answer)
    assert message(answer)


def test_fields_that_nobody_knows_are_passed_over(host, name):
    asked = {"Image": IMAGE, "Cmd": ["true"], "NoSuchField": 1, "HostConfig": {"NoSuchField": {}}}
    status, answer = ask(host, "POST", f"/containers/create?name={name}", json.dumps(asked).encode(), _JSON)
    assert status == 201, answer


def test_a_name_in_use_is_a_conflict(host, name):
    body = json.dumps({"Image": IMAGE, "Cmd": ["true"]}).encode()
    path = f"/containers/create?name={name}"
    assert ask(host, "POST", path, body, _JSON)[0] == 201
    status, answer = ask(host, "POST", path, body, _JSON)
    assert status == 409
    assert f'The container name "/{name}" is already in use by container' in message(answer)


def test_a_body_that_is_cut_off_makes_nothing(client, host, name):
    whole = json.dumps({"Image": IMAGE, "Cmd": ["true"]}).encode()
    with connection(host) as cut:
        head = f"POST /containers/create?name={name} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        cut.sendall(f"{head}Content-Length: {len(whole)}\r\n\r\n".encode() + whole[:-5])
    assert ask(host, "GET", "/_ping") == (200, b"OK")
    with pytest.raises(docker.errors.NotFound):
        client.containers.get(name)


@pytest.mark.parametrize("route", ["/build?t=TAG:1", "/images/load", "/images/create?fromSrc=-&repo=TAG"])
def test_an_archive_that_is_cut_off_leaves_nothing(client, host, route):
    tag = f"t{uuid.uuid4().hex[:8]}"
    before = {image.id for image in client.images.list(all=True)}
    with connection(host) as cut:
        path = route.replace("TAG", tag)
        cut.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\n".encode())
        cut.sendall(b"Transfer-Encoding: chunked\r\n\r\n10000\r\n" + b"x" * 4000)
    assert ask(host, "GET", "/_ping") == (200, b"OK")
    assert {image.id for image in client.images.list(all=True)} <= before


def test_a_client_that_leaves_in_the_middle_of_each_stream(client, host, name):
    script = "while :; do echo x; sleep 0.02; done"
    client.containers.run(IMAGE, ["sh", "-c", script], detach=True, name=name, network_mode="none")
    for method, path in (
        ("GET", f"/containers/{name}/logs?follow=1&stdout=1"),
        ("POST", f"/containers/{name}/attach?stream=1&stdout=1"),
        ("GET", f"/containers/{name}/stats"),
        ("GET", f"/containers/{name}/export"),
        ("GET", "/events?since=1"),
        ("GET", f"/images/{IMAGE}/get"),
    ):
        for _ in range(3):
            with connection(host) as leaver:
                leaver.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
                assert leaver.recv(100).startswith(b"HTTP/1.1 200"), path
    container = client.containers.get(name)
    assert container.status == "running"
    assert container.exec_run("echo well").output == b"well\n"


def test_hundreds_of_event_streams_see_one_event(client, host, name):
    watchers = [connection(host) for _ in range(300)]
    try:
        for watcher in watchers:
            watcher.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        for watcher in watchers:
            assert watcher.recv(4096).startswith(b"HTTP/1.1 200")
        client.containers.create(IMAGE, "true", name=name)
        for watcher in watchers:
            seen = b""
            while name.encode() not in seen:
                seen += watcher.recv(65536)
    finally:
        for watcher in watchers:
            watcher.close()
    assert eventually(lambda: client.ping())


# -- tars -------------------------------------------------------------------------------------------


def hostile(kind: str) -> bytes:
    """A tar with one entry of ``kind`` that would do harm if it were believed."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo({"up": "../../escaped", "absolute": "/../../escaped"}.get(kind, "inside"))
        data = b""
        if kind == "link":
            entry.type, entry.linkname = tarfile.SYMTYPE, "/"
            tar.addfile(entry)
            entry, data = tarfile.TarInfo("inside/tmp/escaped-through-link"), b"x"
        elif kind == "hard":
            entry.type, entry.linkname = tarfile.LNKTYPE, "../../../../../../etc/shadow"
        elif kind == "device":
            entry.type, entry.devmajor, entry.devminor = tarfile.BLKTYPE, 8, 0
        elif kind != "lie":
            data = b"x"
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    raw = bytearray(out.getvalue())
    if kind == "lie":
        raw[124:136] = b"77777777777\0"
        raw[148:156] = b" " * 8
        raw[148:156] = b"%06o\0 " % sum(raw[:512])
    return bytes(raw)


KINDS = ["up", "absolute", "link", "hard", "device", "lie"]


@pytest.mark.root
@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_tar_touches_nothing_outside(client, host, name, tmp_path, kind):
    """Put into a container, taken as an image, as a build's context: refused, or everything stays inside."""
    client.containers.create(IMAGE, "true", name=name)
    tag = f"t{uuid.uuid4().hex[:8]}"
    tar = hostile(kind)
    for method, path in (
        ("PUT", f"/containers/{name}/archive?path=/tmp"),
        ("POST", f"/images/create?fromSrc=-&repo={tag}"),
        ("POST", "/images/load?quiet=1"),
        ("POST", f"/build?t={tag}:2"),
    ):
        status, answer = ask(host, method, path, tar, _TAR)
        assert status in (200, 400, 403, 404, 500), (path, answer)
    for place in ("/escaped", "/tmp/escaped-through-link"):
        with pytest.raises(FileNotFoundError):
            open(place)
    for image in (f"{tag}:latest", f"{tag}:2"):
        with pytest.raises((docker.errors.ImageNotFound, AssertionError)):
            client.images.remove(image, force=True)
            raise AssertionError("it was an image; what it holds is its own")
