"""What the tests of networks share: a network of the test's own, and a server behind a port."""

from __future__ import annotations

import contextlib
import time
import urllib.request
import uuid
from collections.abc import Iterator

import docker
import pytest

__all__ = ["SECONDS", "SERVE", "fetch", "network"]

SECONDS = 20
# A web server of busybox that answers with one word.
SERVE = 'mkdir /w; echo "$0" > /w/index.html; exec httpd -f -p 80 -h /w'


def fetch(port: int, seconds: float = SECONDS) -> str:
    """What the server behind a published port answers, once it does."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                return answer.read().decode().strip()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture
def network(client: docker.DockerClient) -> Iterator[str]:
    """A network's name; whatever is on it goes with it."""
    made = f"net-{uuid.uuid4().hex[:8]}"
    yield made
    for container in client.containers.list(all=True):
        if made in (container.attrs["NetworkSettings"]["Networks"] or {}):
            with contextlib.suppress(docker.errors.APIError):
                container.remove(force=True)
    with contextlib.suppress(docker.errors.NotFound):
        client.networks.get(made).remove()
