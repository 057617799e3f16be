"""docker-py moves images and containers as tars."""

from __future__ import annotations

import contextlib
import io
import tarfile
import uuid

import docker
import pytest

IMAGE = "lab/busybox"


@pytest.fixture
def tag(client):
    chosen = f"t{uuid.uuid4().hex[:10]}:1"
    yield chosen
    with contextlib.suppress(docker.errors.ImageNotFound):
        client.images.remove(chosen, force=True)


def test_save_and_load(client, tag, name):
    container = client.containers.create(IMAGE, ["sh", "-c", "echo x > /x"], name=name, network_mode="none")
    container.start()
    container.wait()
    image = container.commit(*tag.split(":"), message="m", author="a", changes=["CMD cat /x"])
    saved = b"".join(image.save(named=True))
    client.images.remove(tag)
    [loaded] = client.images.load(saved)
    assert (loaded.id, loaded.tags) == (image.id, [tag])
    assert client.containers.run(tag, remove=True, network_mode="none") == b"x\n"


def test_save_without_a_name(client, tag):
    client.images.get(IMAGE).tag(*tag.split(":"))
    image = client.images.get(tag)
    saved = b"".join(image.save())
    with tarfile.open(fileobj=io.BytesIO(saved)) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None and b'"RepoTags":null' in manifest.read()


def test_commit_with_a_configuration(client, tag, name):
    container = client.containers.create(IMAGE, "true", name=name, environment={"OF": "container"})
    image = container.commit(*tag.split(":"), conf={"Env": ["NEW=1"], "Cmd": ["env"], "Labels": {"k": "v"}})
    config = image.attrs["Config"]
    assert {"NEW=1", "OF=container"} <= set(config["Env"])
    assert (config["Cmd"], config["Labels"]["k"]) == (["env"], "v")


def test_export_and_import(client, tag, name):
    container = client.containers.create(IMAGE, "true", name=name, network_mode="none")
    exported = b"".join(container.export())
    repository, version = tag.split(":")
    answer = client.api.import_image_from_data(exported, repository=repository, tag=version, changes=["CMD echo in"])
    assert client.images.get(tag).id in answer
    assert client.containers.run(tag, remove=True, network_mode="none") == b"in\n"


def test_what_is_no_archive_is_refused(client):
    for data in (b"", b"x", b"no tar at all" * 100, bytes(10240)):
        with pytest.raises((docker.errors.APIError, docker.errors.ImageLoadError)):
            list(client.images.load(data))


def test_export_of_nobody_is_not_found(client):
    with pytest.raises(docker.errors.NotFound):
        b"".join(client.api.export("nobody-here"))
