"""Volumes and mounts by real clients: of our engine, or to prove a case of the one that ``DOCKER_HOST`` names."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.clients.conftest import cli, client, name, store
from tests.rungs import each_host_in_time as host
from tests.rungs import many_ids

__all__ = ["cli", "client", "content", "host", "many_ids", "name", "pair", "run", "store", "tmp_path", "volume"]

IMAGE = "lab/busybox"


@pytest.fixture
def tmp_path(host: str) -> Iterator[Path]:
    """A folder of the engine's own user, who may not look into pytest's."""
    made = Path(tempfile.mkdtemp(prefix="cl-volumes-", dir="/tmp"))
    owner = Path(host.removeprefix("unix://")).stat()
    os.chown(made, owner.st_uid, owner.st_gid)
    made.chmod(0o777)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def pair(client: docker.DockerClient) -> Iterator[tuple[str, str]]:
    """Two volume names of the test's own, removed at the end."""
    made = (f"v{uuid.uuid4().hex[:10]}", f"v{uuid.uuid4().hex[:10]}")
    yield made
    for chosen in made:
        with contextlib.suppress(docker.errors.NotFound):
            client.api.remove_volume(chosen, force=True)


@pytest.fixture
def volume(pair: tuple[str, str]) -> str:
    """A volume name of the test's own, removed at the end."""
    return pair[0]


@pytest.fixture(scope="module")
def content(host: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with files, links, modes and, where there are any, owners at /data."""
    made = docker.DockerClient(base_url=host)
    tag = f"t{uuid.uuid4().hex[:10]}:1"
    folder = tmp_path_factory.mktemp("content")
    (folder / "Dockerfile").write_text(
        f"FROM {IMAGE}\n"
        "RUN mkdir -p /data/deep && echo image > /data/file && ln -s file /data/link"
        " && echo x > /data/deep/er && (chown 7:8 /data; chown 9:10 /data/file; true)"
        " && chmod 1770 /data && chmod 4750 /data/file\n"
    )
    made.images.build(path=str(folder), tag=tag)
    yield tag
    made.images.remove(tag, force=True)
    made.close()


@pytest.fixture
def run(client: docker.DockerClient) -> Callable[..., str]:
    """``run(mounts, script)``: the output of a container that is gone afterwards; ContainerError when it fails."""

    def made(mounts: list[dict[str, Any]], script: str, *, image: str = IMAGE, **options: Any) -> str:
        container = client.containers.create(image, ["sh", "-c", script], mounts=mounts, network_mode="none", **options)
        try:
            container.start()
            code = container.wait()["StatusCode"]
            said = container.logs(stdout=True, stderr=bool(code))
        finally:
            container.remove(force=True, v=True)
        if code:
            raise docker.errors.ContainerError(container, code, script, image, said)
        return str(said.decode().strip())

    return made


def bind(source: Path | str, target: str = "/x", *, read_only: bool = False, **options: Any) -> dict[str, Any]:
    """A mount of type bind as the API takes it."""
    extra = {"BindOptions": options} if options else {}
    return {"Type": "bind", "Source": str(source), "Target": target, "ReadOnly": read_only, **extra}


def of_volume(name: str, target: str = "/x", *, read_only: bool = False, **options: Any) -> dict[str, Any]:
    """A mount of type volume as the API takes it."""
    extra = {"VolumeOptions": options} if options else {}
    return {"Type": "volume", "Source": name, "Target": target, "ReadOnly": read_only, **extra}
