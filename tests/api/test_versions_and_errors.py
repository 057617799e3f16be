"""What every route has in common: versions, headers, error answers, limits."""

from __future__ import annotations

import json
import logging
import os
import socket
import stat
import time

import pytest


def test_ping_tells_clients_which_builder_to_use(serving):
    status, headers, body = serving.request("GET", "/_ping")
    assert (status, body) == (200, b"OK")
    assert headers["Api-Version"] == "1.50"
    assert headers["Builder-Version"] == "1"
    assert headers["Ostype"] == "linux"
    assert headers["Docker-Experimental"] == "false"


def test_ping_by_head_has_the_headers_and_no_body(serving):
    status, headers, body = serving.request("HEAD", "/_ping")
    assert (status, body) == (200, b"")
    assert headers["Builder-Version"] == "1"


@pytest.mark.parametrize("prefix", ["", "/v1.24", "/v1.41", "/v1.50"])
def test_a_spoken_version_is_optional(serving, prefix):
    status, _, body = serving.request("GET", f"{prefix}/version")
    assert status == 200
    assert json.loads(body)["ApiVersion"] == "1.50"


def test_a_client_too_new_is_told_the_maximum(serving):
    status, _, body = serving.request("GET", "/v1.51/version")
    assert status == 400
    assert json.loads(body) == {"message": "client version 1.51 is too new. Maximum supported API version is 1.50"}


def test_a_client_too_old_is_told_the_minimum(serving):
    status, _, body = serving.request("GET", "/v1.23/version")
    assert status == 400
    assert json.loads(body)["message"] == (
        "client version 1.23 is too old. Minimum supported API version is 1.24, "
        "please upgrade your client to a newer version"
    )


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("GET", "/v1.43/nowhere"), ("PUT", "/info")])
def test_an_unknown_route_or_method_is_page_not_found(serving, method, path):
    status, headers, body = serving.request(method, path)
    assert status == 404
    assert headers["Content-Type"].startswith("application/json")
    assert json.loads(body) == {"message": "page not found"}


def test_the_class_of_an_error_gives_the_status(serving):
    status, _, body = serving.request("GET", "/containers/nobody/json")
    assert status == 404
    assert json.loads(body) == {"message": "No such container: nobody"}


def test_not_modified_has_no_body(serving):
    status, _, body = serving.request("POST", "/containers/one/stop?t=3&signal=SIGINT")
    assert (status, body) == (304, b"")
    assert serving.engine.containers.calls == [("stop", 3, "SIGINT")]


def test_what_nobody_foresaw_is_logged_and_is_500(serving, caplog):
    with caplog.at_level(logging.ERROR):
        status, _, body = serving.request("GET", "/containers/one/top")
    assert status == 500
    assert "nobody foresaw this" in json.loads(body)["message"]
    assert "Traceback" in caplog.text


def test_a_request_with_an_origin_comes_from_a_web_page_and_is_refused(serving):
    status, _, body = serving.request("GET", "/version", headers={"Origin": "http://localhost:8888"})
    assert status == 403
    assert "Origin" in json.loads(body)["message"]


def test_a_form_post_is_not_json(serving):
    status, _, body = serving.request("POST", "/containers/create", b'{"Image": "x"}', {"Content-Type": "text/plain"})
    assert status == 400
    assert json.loads(body)["message"] == "unsupported Content-Type header (text/plain): must be 'application/json'"
    assert serving.engine.containers.calls == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"Image": ', "invalid JSON in the request body"),
        (b'["Image"]', "expected a JSON object"),
        (b'{"Image": 5}', "Image"),
        (b'{"Image": "a", "Image": "b"}', "key 'Image' is given twice"),
        (b'{"HostConfig": {"Memory": "much"}}', "Memory"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_body_is_refused_by_name(serving, body, told):
    status, _, answer = serving.request("POST", "/containers/create", body, {"Content-Type": "application/json"})
    assert status == 400
    assert told in json.loads(answer)["message"]
    assert serving.engine.containers.calls == []


def test_a_body_above_two_mebibytes_is_refused(serving):
    body = b'{"Image": "' + b"x" * (2 * 1024 * 1024) + b'"}'
    status, _, answer = serving.request("POST", "/containers/create", body, {"Content-Type": "application/json"})
    assert status == 413
    assert json.loads(answer)["message"] == "request body too large"


@pytest.mark.parametrize("query", ["limit=many", "filters=%7B", "filters=%5B%5D", 'filters={"name":"x"}'])
def test_a_bad_parameter_is_refused_by_name(serving, query):
    status, _, body = serving.request("GET", f"/containers/json?{query.replace(chr(34), '%22')}")
    assert status == 400
    assert query.partition("=")[0].rstrip("s") in json.loads(body)["message"]


def test_parameters_reach_the_engine_in_both_forms_of_filters(serving):
    serving.request("GET", "/containers/json?all=1&limit=5&size=True&filters=%7B%22label%22%3A%7B%22a%22%3Atrue%7D%7D")
    serving.request("GET", "/containers/json?all=false&limit=-1&filters=%7B%22label%22%3A%5B%22a%22%5D%7D")
    assert [options for _, options in serving.engine.containers.calls] == [
        {"all": True, "limit": 5, "size": True, "filters": {"label": ["a"]}},
        {"all": False, "limit": None, "size": False, "filters": {"label": ["a"]}},
    ]


def test_an_image_name_may_hold_slashes(serving):
    status, _, body = serving.request("GET", "/v1.41/images/example.org:5000/team/app:1/json")
    assert status == 200
    assert json.loads(body)["Id"] == "example.org:5000/team/app:1"


def test_another_platform_is_refused_by_name(serving):
    status, answer = serving.post("/containers/create?platform=linux/s390x", {"Image": "x"})
    assert status == 400
    assert "linux/s390x" in answer["message"]


@pytest.mark.parametrize("nothing", ["", "0", "False", "false"])
def test_a_parameter_that_asks_nothing_is_not_refused(serving, nothing):
    status, _, body = serving.request("DELETE", f"/containers/nobody?link={nothing}&v=False")
    assert (status, json.loads(body)) == (404, {"message": "No such container: nobody"})


def test_a_name_by_a_link_has_two_parts_and_no_more(serving):
    unknown = (404, {"message": "No such container: one/two"})
    for verb, path in (("DELETE", "/containers/one/two"), ("GET", "/v1.41/containers/one/two/json")):
        status, _, body = serving.request(verb, path)
        assert (status, json.loads(body)) == unknown
    status, _, body = serving.request("GET", "/containers/one/two/three/json")
    assert (status, json.loads(body)) == (404, {"message": "page not found"})


def test_every_request_is_a_use_of_the_engine(serving):
    serving.request("GET", "/_ping")
    serving.request("GET", "/nowhere")
    assert serving.engine.touched == 2


def test_the_socket_is_the_owners_alone(serving):
    assert stat.S_IMODE(serving.path.stat().st_mode) == 0o600


@pytest.mark.root
def test_another_user_is_refused_even_where_the_mode_would_let_it_in(serving):
    serving.path.chmod(0o666)
    for folder in serving.path.parents:
        if folder.stat().st_uid == os.geteuid() and folder.name and len(folder.parts) > 2:
            folder.chmod(folder.stat().st_mode | 0o011)
    child = os.fork()
    if child == 0:
        os.setresuid(12345, 12345, 12345)
        os._exit(_ask_as_other_user(os.fspath(serving.path)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert serving.engine.touched == 0


def _ask_as_other_user(path: str) -> int:
    """0 when the server hangs up unanswered."""
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(path)
            sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
            return 0 if sock.recv(100) == b"" else 1
    except (ConnectionResetError, BrokenPipeError):
        return 0
    except OSError:
        return 2


def test_a_head_that_never_ends_is_cut(serving, monkeypatch):
    monkeypatch.setattr("containerlab.api.connection._HEAD_SECONDS", 0.3)
    with serving.socket() as sock:
        sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        begun = time.monotonic()
        assert sock.recv(100) == b""
    assert time.monotonic() - begun < 3


def test_a_whole_head_keeps_its_connection_beyond_the_deadline(serving, monkeypatch):
    monkeypatch.setattr("containerlab.api.connection._HEAD_SECONDS", 0.3)
    with serving.socket() as sock:
        for _ in range(2):
            sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(4096).endswith(b"OK")
            time.sleep(0.5)


def test_a_flood_of_headers_is_refused(serving):
    with serving.socket() as sock:
        head = b"GET /_ping HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(100_000))
        try:
            sock.sendall(head + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            return
        assert sock.recv(100).startswith(b"HTTP/1.0 400") or sock.recv(100) == b""


def test_a_length_beside_chunks_is_refused(serving):
    with serving.socket() as sock:
        sock.sendall(
            b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
        )
        assert b" 400 " in sock.recv(4096).split(b"\r\n")[0]
    assert serving.engine.containers.calls == []
