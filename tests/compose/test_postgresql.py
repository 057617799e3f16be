"""PostgreSQL as Debian packages it, in an image of our own: a server that won't run as root, and its data kept."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.compose.conftest import Project
from tests.compose.debian import unpacked

pytestmark = [pytest.mark.slow, pytest.mark.root]

PACKAGES = "postgresql-15,dash,coreutils,sed,grep,libc-bin"
BASE, IMAGE = "test/postgresql:debian", "test/postgresql:lab"
COUNT = "create table if not exists v(n int); insert into v values (1); select count(*) from v"
FILE = f"""
services:
  db:
    image: {IMAGE}
    build:
      dockerfile_inline: |
        FROM {BASE}
        ENV PATH=/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin PGDATA=/data/pg LC_ALL=C
        RUN echo 'postgres:x:999:999::/data:/bin/sh' > /etc/passwd && echo 'postgres:x:999:' > /etc/group && ldconfig \\
            && mkdir -p /data /var/run/postgresql && chown 999:999 /data /var/run/postgresql
        USER postgres
    command:
      - sh
      - -c
      - |
        test -s $$PGDATA/PG_VERSION || initdb -A trust -D $$PGDATA
        echo 'host all all all trust' > $$PGDATA/pg_hba.conf
        exec postgres -c listen_addresses='*'
    stop_signal: SIGINT
    shm_size: 128mb
    volumes: [data:/data]
    ports: ["127.0.0.1::5432"]
    healthcheck: {{test: [CMD, pg_isready, -h, 127.0.0.1], interval: 300ms, timeout: 20s, retries: 100}}
  counter:
    image: {IMAGE}
    command: psql -qtA -h db -U postgres -c '{COUNT}'
    depends_on: {{db: {{condition: service_healthy}}}}
volumes: {{data: {{}}}}
"""


@pytest.fixture(scope="module")
def root_file_system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(tmp_path_factory.mktemp("postgresql") / "root.tar", PACKAGES)


@pytest.fixture
def postgresql(lone_project: Project, root_file_system: Path) -> Iterator[Project]:
    lone_project.client.api.import_image_from_file(str(root_file_system), repository="test/postgresql", tag="debian")
    lone_project.write(FILE)
    try:
        yield lone_project
    finally:
        lone_project("down -t 20 -v")
        with_images = docker.DockerClient(base_url=lone_project.host)
        for image in (IMAGE, BASE):
            with_images.images.remove(image)
        with_images.close()


def count(postgresql: Project) -> str:
    postgresql("run --rm -T counter")
    return postgresql.out.split()[0]  # before the notice that its table is there


@pytest.mark.skipif(os.geteuid() != 0, reason="packages are unpacked as root")
@pytest.mark.parametrize("engine_in_time", ["root", "rootless-ids"], indirect=True)
def test_postgresql_answers_inside_and_outside_and_keeps_what_it_was_told(postgresql: Project) -> None:
    postgresql("up --build --wait db")
    assert [count(postgresql), count(postgresql)] == ["1", "2"]
    postgresql("down -t 20")
    assert not postgresql.containers()
    postgresql("up --wait db")
    assert count(postgresql) == "3"
    host, _, port = str(postgresql("port db 5432")).rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(struct.pack(">ii", 8, 80877103))  # SSLRequest, which this server answers with no
        assert connection.recv(1) == b"N"
