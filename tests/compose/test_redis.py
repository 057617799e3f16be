"""Redis as Debian packages it, in an image of our own: a real database behind a health check, its data kept."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.compose.conftest import Project
from tests.compose.debian import unpacked

pytestmark = [pytest.mark.slow, pytest.mark.root]

IMAGE = "test/redis:debian"
FILE = f"""
services:
  redis:
    image: {IMAGE}
    init: true
    command: redis-server --dir /data --appendonly yes --bind 0.0.0.0 --protected-mode no
    volumes: [data:/data]
    ports: ["127.0.0.1::6379"]
    healthcheck: {{test: [CMD, redis-cli, ping], interval: 300ms, timeout: 20s, retries: 100}}
  counter:
    image: {IMAGE}
    command: redis-cli -h redis incr visits
    depends_on: {{redis: {{condition: service_healthy}}}}
volumes: {{data: {{}}}}
"""


@pytest.fixture(scope="module")
def root_file_system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(tmp_path_factory.mktemp("redis") / "root.tar", "redis-server,dash,coreutils")


@pytest.fixture
def redis(lone_project: Project, root_file_system: Path) -> Iterator[Project]:
    lone_project.client.api.import_image_from_file(
        str(root_file_system), repository=IMAGE.partition(":")[0], tag="debian"
    )
    lone_project.write(FILE)
    try:
        yield lone_project
    finally:
        lone_project("down -t 5 -v")
        with_image = docker.DockerClient(base_url=lone_project.host)
        with_image.images.remove(IMAGE)
        with_image.close()


def visits(redis: Project) -> int:
    """Asked from outside, by the published port, in Redis's own protocol."""
    host, _, port = str(redis("port redis 6379")).rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"GET visits\r\n")
        lines = connection.makefile("rb")
        assert lines.readline().startswith(b"$")
        return int(lines.readline())


@pytest.mark.skipif(os.geteuid() != 0, reason="packages are unpacked as root")
def test_redis_answers_inside_and_outside_and_keeps_what_it_was_told(redis: Project) -> None:
    redis("up --wait redis")
    redis("run --rm -T counter")
    assert redis.out.strip() == "1" and visits(redis) == 1
    redis("run --rm -T counter")
    redis("down -t 10")
    assert not redis.containers()
    redis("up --wait redis")
    assert visits(redis) == 2
    redis("up --exit-code-from counter -t 5")
    assert "counter-1  | 3" in redis.out.replace("counter-1 |", "counter-1  |")
