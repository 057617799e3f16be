"""Pulls by a whole engine: one that is killed meanwhile, clients that leave, a configuration of its own."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
import urllib3

from containerlab.client import lab_get
from tests.registry.fake import FakeRegistry, Made, tar_of
from tests.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "store")
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def made(fake: FakeRegistry) -> Made:
    made = Made(tar_of(one=b"1"), tar_of(two=os.urandom(3_000_000)))
    fake.put(made)
    return made


class Hold:
    """Sends a part of the second layer, then nothing, until it is released."""

    def __init__(self, fake: FakeRegistry, made: Made) -> None:
        self._blob, self._digest = made.packed[1], made.layers[1]["digest"]
        self.sent, self.release = threading.Event(), threading.Event()
        fake.before = self._hold

    def _hold(self, handler: Any) -> bool:
        if self._digest not in handler.path or self.release.is_set():
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(self._blob)))
        handler.end_headers()
        handler.wfile.write(self._blob[:2_000_000])
        self.sent.set()
        self.release.wait(20)
        handler.close_connection = True
        return True


@pytest.fixture
def hold(fake: FakeRegistry, made: Made) -> Iterator[Hold]:
    hold = Hold(fake, made)
    yield hold
    hold.release.set()


def client_of(store: Store) -> docker.DockerClient:
    store.start()
    return docker.DockerClient(base_url=store.host)


def problems(client: docker.DockerClient) -> list[str]:
    return lab_get(client, "/containerlab/check")["problems"]


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_engine_leaves_a_whole_store_and_goes_on_with_the_download(
    fake: FakeRegistry, made: Made, hold: Hold, store: Store
) -> None:
    client = client_of(store)
    messages = client.api.pull(f"{fake.host}/app", "1", stream=True, decode=True)
    reader = threading.Thread(target=lambda: _drain(messages))
    reader.start()
    assert hold.sent.wait(10)
    partial = store.folder / "downloads" / made.layers[1]["digest"].removeprefix("sha256:")
    until(lambda: partial.exists() and partial.stat().st_size > 1_000_000)
    store.kill()
    reader.join(10)
    client.close()
    hold.release.set()
    client = client_of(store)
    assert client.images.list() == []
    assert problems(client) == []
    fake.sent = 0
    assert client.images.pull(f"{fake.host}/app", "1").id == made.id
    assert fake.sent < made.layers[1]["size"] - 1_000_000 + made.layers[0]["size"] + len(made.config_bytes)
    assert problems(client) == []
    client.close()


def _drain(messages: Any) -> None:
    try:
        for _ in messages:
            pass
    except (requests.RequestException, urllib3.exceptions.HTTPError, docker.errors.DockerException):
        pass


def test_a_client_that_leaves_ends_its_pull(fake: FakeRegistry, made: Made, hold: Hold, store: Store) -> None:
    client = client_of(store)
    response = client.api._post(
        client.api._url("/images/create"), params={"fromImage": f"{fake.host}/app", "tag": "1"}, stream=True
    )
    assert hold.sent.wait(10)
    response.raw.close()
    response.close()
    until(lambda: not list((store.folder / "tmp").iterdir()))
    assert client.images.list() == []
    assert problems(client) == []
    until(lambda: lab_get(client, "/containerlab/check") == {"problems": [], "repaired": []})
    hold.release.set()
    assert client.images.pull(f"{fake.host}/app", "1").id == made.id
    client.close()


def test_prune_removes_what_a_pull_left(fake: FakeRegistry, made: Made, hold: Hold, store: Store) -> None:
    fake.cuts = [0] * 20
    hold.release.set()
    client = client_of(store)
    with pytest.raises(docker.errors.APIError):
        client.images.pull(f"{fake.host}/app", "1")
    assert client.images.prune()["SpaceReclaimed"] >= 0
    assert list((store.folder / "downloads").iterdir()) == []
    client.close()


def test_the_configuration_file_names_mirrors_and_insecure_registries(
    fake: FakeRegistry, made: Made, store: Store
) -> None:
    fake.put(made, "library/app")
    store.folder.mkdir(mode=0o700)
    given = {"registry-mirrors": [f"http://{fake.host}"], "insecure-registries": ["registry.example:5000"]}
    (store.folder / "config.json").write_text(json.dumps(given))
    client = client_of(store)
    assert client.images.pull("app", "1").tags == ["app:1"]
    shown = client.info()["RegistryConfig"]
    assert shown["Mirrors"] == [f"http://{fake.host}/"]
    assert shown["IndexConfigs"]["registry.example:5000"]["Secure"] is False
    client.close()


def test_a_name_that_nobody_has_fails_with_its_neighbours(store: Store) -> None:
    client = client_of(store)
    client.api.pull("lab/busybox", "latest")
    with pytest.raises(docker.errors.APIError) as caught:
        client.images.pull("lab/busibox", "latest")
    if "can't be reached" in caught.value.explanation:  # elsewhere the registry answers that it has no such thing
        assert "registry-1.docker.io" in caught.value.explanation
    assert "Did you mean lab/busybox?" in caught.value.explanation
    client.close()
