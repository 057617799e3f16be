"""The Jupyter server's routes: who is let in, and what the orders do. A real server, asked over HTTP."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from containerlab import paths
from tests.browser.lab import TOKEN, Lab

PROXIED = importlib.util.find_spec("jupyter_server_proxy") is not None
AUTHORIZED = {"Authorization": f"token {TOKEN}"}


def first_message(lab: Lab, **headers: str) -> dict[str, Any]:
    """What the feed says first to a client that comes with these headers."""

    async def read() -> dict[str, Any]:
        request = HTTPRequest(f"{lab.url.replace('http', 'ws')}/containerlab/feed", headers=headers)
        socket = await websocket_connect(request)
        try:
            said = await asyncio.wait_for(socket.read_message(), 20)
            assert said is not None
            return dict(json.loads(said))
        finally:
            socket.close()

    return asyncio.run(read())


def refused(lab: Lab, **headers: str) -> int:
    with pytest.raises(HTTPClientError) as caught:
        first_message(lab, **headers)
    return int(caught.value.code)


@pytest.fixture
def browser_session(lab: Lab) -> Iterator[requests.Session]:
    """Somebody who logged in as a browser does: with a cookie."""
    with requests.Session() as session:
        assert session.get(f"{lab.url}/lab?token={TOKEN}").ok
        yield session


@pytest.fixture
def engine(lab: Lab) -> Iterator[docker.DockerClient]:
    """The engine of the server's store, started by the panel's own route."""
    assert requests.post(f"{lab.url}/containerlab/engine", headers=AUTHORIZED).status_code == 204
    socket = paths.api_socket(Path(lab.environment["CONTAINERLAB_STORE"]))
    client = docker.DockerClient(base_url=f"unix://{socket}", version="1.43")
    yield client
    for container in client.containers.list(all=True):
        container.remove(force=True)
    client.close()


def cookies(session: requests.Session) -> str:
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)


def test_the_feed_lets_in_who_is_logged_in(lab: Lab, browser_session: requests.Session) -> None:
    assert refused(lab) == 403
    assert refused(lab, Authorization="token of somebody else") == 403
    assert first_message(lab, **AUTHORIZED)["proxy"] is PROXIED
    assert "proxy" in first_message(lab, Cookie=cookies(browser_session), Origin=lab.url)


def test_the_feed_refuses_a_page_of_another_origin(lab: Lab, browser_session: requests.Session) -> None:
    assert refused(lab, Cookie=cookies(browser_session), Origin="http://evil.example") == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "engine"), ("POST", "containers/web/stop"), ("POST", "containers/web/remove"), ("PUT", "lessons/05")],
)
def test_orders_need_a_login_and_the_xsrf_token(
    lab: Lab, browser_session: requests.Session, method: str, path: str
) -> None:
    url = f"{lab.url}/containerlab/{path}"
    assert requests.request(method, url, json={"done": True}).status_code == 403
    forged = browser_session.request(method, url, json={"done": True}, headers={"Referer": "http://evil.example/"})
    assert forged.status_code == 403
    assert not (Path(lab.environment["HOME"]) / ".local/state/containerlab/progress.json").exists()


def test_containers_are_stopped_started_and_removed(lab: Lab, engine: docker.DockerClient) -> None:
    made = engine.containers.run("lab/busybox", ["sleep", "1000"], name="routed", detach=True, init=True)

    def order(verb: str) -> int:
        return requests.post(f"{lab.url}/containerlab/containers/{made.id}/{verb}", headers=AUTHORIZED).status_code

    assert order("stop") == 204
    made.reload()
    assert made.status == "exited"
    assert order("start") == 204
    made.reload()
    assert made.status == "running"
    assert order("remove") == 204
    assert engine.containers.list(all=True) == []


def test_what_stood_in_the_way_is_said_in_the_engines_words(lab: Lab, engine: docker.DockerClient) -> None:
    answer = requests.post(f"{lab.url}/containerlab/containers/nobody/stop", headers=AUTHORIZED)
    assert answer.status_code == 404
    assert "No such container: nobody" in answer.json()["reason"]
    assert requests.post(f"{lab.url}/containerlab/containers/nobody/kill", headers=AUTHORIZED).status_code == 404
    strange = requests.post(f"{lab.url}/containerlab/containers/..%2Fimages/stop", headers=AUTHORIZED)
    assert strange.status_code == 404 and "No such container" not in strange.text


def test_a_lesson_is_ticked_off_in_the_learners_own_file(lab: Lab) -> None:
    url = f"{lab.url}/containerlab/lessons/05"
    for body in ({}, {"done": "yes"}, [True], None):
        assert requests.put(url, json=body, headers=AUTHORIZED).status_code == 400
    assert requests.put(url, json={"done": True}, headers=AUTHORIZED).status_code == 204
    file = Path(lab.environment["HOME"]) / ".local/state/containerlab/progress.json"
    assert json.loads(file.read_bytes())["05"] == {"ticked": True}
    file.unlink()
