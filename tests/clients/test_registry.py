"""Images between the engine and a registry on loopback, as the docker command line and docker-py move them.

Against a real Docker with ``DOCKER_HOST=…``: it must reach this host's loopback.
"""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Iterator

import docker
import pytest

from tests.registries import running_registry

IMAGE = "lab/busybox"
# ada:secret, with bcrypt's cheapest cost (crypt(3)).
ACCOUNT = "ada:$2b$04$vSKkWBrxDcvZquIs9q2ccO4/drhlyu2sN8QTzHnR4reOuMQ1kOxFK\n"
DIGEST = r"sha256:[0-9a-f]{64}"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_registry(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture(scope="module")
def closed_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One that wants an account."""
    with running_registry(tmp_path_factory.mktemp("closed"), htpasswd=ACCOUNT) as host:
        yield host


@pytest.fixture
def repository(registry: str, client: docker.DockerClient) -> Iterator[str]:
    """A repository's name of the test's own; its images here are removed at the end."""
    name = f"{registry}/t{uuid.uuid4().hex[:10]}"
    yield name
    _remove(client, name)


def _remove(client: docker.DockerClient, repository: str) -> None:
    for image in client.images.list():
        for name in (*image.tags, *image.attrs["RepoDigests"]):
            if name.startswith((f"{repository}:", f"{repository}@")):
                with contextlib.suppress(docker.errors.NotFound):
                    client.images.remove(name, force=True)


# -- the command line -------------------------------------------------------------------------------


def test_push_remove_pull_run(cli, repository):
    cli.ok("run", "--rm", IMAGE, "true")
    cli.ok("tag", IMAGE, f"{repository}:1")
    pushed = cli.ok("push", f"{repository}:1")
    digest = re.search(rf"1: digest: ({DIGEST}) size: \d+", pushed)[1]
    assert f"The push refers to repository [{repository}]" in pushed
    assert "Layer already exists" in cli.ok("push", f"{repository}:1")
    removed = cli.ok("rmi", f"{repository}:1")
    assert f"Untagged: {repository}:1" in removed
    assert f"Untagged: {repository}@{digest}" in removed
    pulled = cli.ok("pull", f"{repository}:1")
    assert f"Digest: {digest}" in pulled
    assert f"Status: Downloaded newer image for {repository}:1" in pulled
    assert f"Status: Image is up to date for {repository}:1" in cli.ok("pull", f"{repository}:1")
    assert cli.ok("run", "--rm", f"{repository}:1", "echo", "hello") == "hello"


def test_images_by_digest(cli, repository):
    cli.ok("run", "--rm", IMAGE, "true")
    cli.ok("tag", IMAGE, f"{repository}:1")
    digest = re.search(DIGEST, cli.ok("push", "-q", f"{repository}:1") and cli.ok("push", f"{repository}:1"))[0]
    form = "{{.Repository}} {{.Tag}} {{.Digest}}"
    assert cli.ok("images", "--digests", "--format", form, repository) == f"{repository} 1 {digest}"
    cli.ok("rmi", f"{repository}:1")
    cli.ok("pull", f"{repository}@{digest}")
    assert cli.ok("images", "--digests", "--format", form, repository) == f"{repository} <none> {digest}"
    [shown] = json.loads(cli.ok("image", "inspect", f"{repository}@{digest}"))
    assert f"{repository}@{digest}" in shown["RepoDigests"]
    assert not [name for name in shown["RepoTags"] if name.startswith(repository)]
    assert cli.ok("run", "--rm", f"{repository}@{digest}", "echo", "by digest") == "by digest"
    assert f"Untagged: {repository}@{digest}" in cli.ok("rmi", f"{repository}@{digest}")


def test_every_tag_at_once(cli, repository):
    cli.ok("run", "--rm", IMAGE, "true")
    for tag in ("1", "2"):
        cli.ok("tag", IMAGE, f"{repository}:{tag}")
    pushed = cli.ok("push", "-a", repository)
    assert "1: digest:" in pushed and "2: digest:" in pushed
    cli.ok("rmi", f"{repository}:1", f"{repository}:2")
    pulled = cli.ok("pull", "-a", repository)
    assert "1: Pulling from" in pulled and "2: Pulling from" in pulled
    assert sorted(cli.ok("images", "--format", "{{.Tag}}", repository).split()) == ["1", "2"]


def test_run_pulls_what_is_not_here(cli, repository):
    cli.ok("run", "--rm", IMAGE, "true")
    cli.ok("tag", IMAGE, repository)
    cli.ok("push", repository)
    cli.ok("rmi", repository)
    answer = cli("run", "--rm", repository, "echo", "fetched")
    assert answer.code == 0, answer
    assert answer.out == "fetched\n"
    assert f"Unable to find image '{repository}:latest' locally" in answer.err


def test_build_pulls_its_base(cli, repository, tmp_path):
    cli.ok("run", "--rm", IMAGE, "true")
    cli.ok("tag", IMAGE, f"{repository}:base")
    cli.ok("push", f"{repository}:base")
    cli.ok("rmi", f"{repository}:base")
    (tmp_path / "Dockerfile").write_text(f"FROM {repository}:base\nCMD echo on base\n")
    built = cli("build", "-t", f"{repository}:built", str(tmp_path), timeout=60)
    assert built.code == 0, built
    assert "Pulling from" in built.out
    again = cli("build", "--pull", "-t", f"{repository}:built", str(tmp_path), timeout=60)
    assert "Image is up to date for" in again.out
    assert cli.ok("run", "--rm", f"{repository}:built") == "on base"


def test_what_the_registry_does_not_have(cli, repository):
    answer = cli("pull", f"{repository}:nothing")
    assert answer.code == 1
    assert f"manifest for {repository}:nothing not found: manifest unknown: manifest unknown" in answer.err
    answer = cli("run", "--rm", f"{repository}:nothing")
    assert answer.code == 125
    assert "manifest unknown" in answer.err


def test_an_image_that_is_not_here_cannot_be_pushed(cli, repository):
    answer = cli("push", f"{repository}:1")
    assert answer.code == 1
    assert "An image does not exist locally with the tag" in answer.err or "tag does not exist" in answer.err


def test_a_registry_that_is_not_there(cli):
    answer = cli("pull", "127.0.0.1:1/app")
    assert answer.code == 1
    assert "127.0.0.1:1" in answer.err
    assert "connection refused" in answer.err


def test_login_push_pull_build_logout(cli, closed_registry, client, tmp_path):
    name = f"{closed_registry}/t{uuid.uuid4().hex[:10]}:1"
    cli.ok("run", "--rm", IMAGE, "true")
    cli.ok("tag", IMAGE, name)
    try:
        answer = cli("push", name)
        assert answer.code == 1
        assert "no basic auth credentials" in answer.err
        wrong = cli("login", "-u", "ada", "--password-stdin", closed_registry, stdin=b"wrong")
        assert wrong.code == 1
        assert "failed with status: 401 Unauthorized" in wrong.err
        assert "Login Succeeded" in cli.ok("login", "-u", "ada", "--password-stdin", closed_registry, stdin=b"secret")
        cli.ok("push", name)
        cli.ok("rmi", name)
        cli.ok("pull", name)
        cli.ok("rmi", name)
        (tmp_path / "Dockerfile").write_text(f"FROM {name}\n")
        built = cli("build", "-q", str(tmp_path), timeout=60)
        assert built.code == 0, built
        cli.ok("logout", closed_registry)
        assert "no basic auth credentials" in cli("pull", name).err
    finally:
        _remove(client, name.rpartition(":")[0])


# -- docker-py ----------------------------------------------------------------------------------------


def test_docker_py_pushes_and_pulls(client, repository):
    client.containers.run(IMAGE, "true", remove=True)
    image = client.images.get(IMAGE)
    assert image.tag(repository, "1")
    messages = list(client.images.push(repository, "1", stream=True, decode=True))
    assert not [message for message in messages if "error" in message]
    [aux] = [message["aux"] for message in messages if "aux" in message]
    assert aux["Tag"] == "1"
    client.images.remove(f"{repository}:1")
    pulled = client.images.pull(repository, "1")
    assert pulled.id == image.id
    assert f"{repository}@{aux['Digest']}" in pulled.attrs["RepoDigests"]
    assert [one.id for one in client.images.pull(repository, all_tags=True)] == [image.id]


def test_docker_py_looks_at_what_the_registry_has(client, repository):
    client.containers.run(IMAGE, "true", remove=True)
    image = client.images.get(IMAGE)
    image.tag(repository, "1")
    [aux] = [m["aux"] for m in client.images.push(repository, "1", stream=True, decode=True) if "aux" in m]
    found = client.images.get_registry_data(f"{repository}:1")
    assert found.id == aux["Digest"]
    assert found.attrs["Descriptor"]["size"] == aux["Size"]
    assert found.has_platform(f"{image.attrs['Os']}/{image.attrs['Architecture']}")
    with pytest.raises(docker.errors.NotFound):
        client.images.get_registry_data(f"{repository}:nothing")


def test_docker_py_knows_what_is_not_there(client, repository):
    with pytest.raises(docker.errors.NotFound, match="manifest unknown"):
        client.images.pull(repository, "nothing")
    with pytest.raises(docker.errors.NotFound):
        client.containers.run(f"{repository}:nothing", "true")


def test_docker_py_brings_its_account(client, closed_registry):
    name = f"{closed_registry}/t{uuid.uuid4().hex[:10]}"
    client.containers.run(IMAGE, "true", remove=True)
    client.images.get(IMAGE).tag(name, "1")
    account = {"username": "ada", "password": "secret"}
    try:
        refused = list(client.api.push(name, "1", stream=True, decode=True, auth_config={"username": "ada"}))
        assert "error" in refused[-1]
        sent = list(client.api.push(name, "1", stream=True, decode=True, auth_config=account))
        assert not [message for message in sent if "error" in message]
        client.images.remove(f"{name}:1")
        client.images.pull(name, "1", auth_config=account)
        answer = client.api.login("ada", "secret", registry=closed_registry, reauth=True)
        assert answer["Status"] == "Login Succeeded"
        with pytest.raises(docker.errors.APIError, match="401 Unauthorized"):
            client.api.login("ada", "wrong", registry=closed_registry, reauth=True)
    finally:
        _remove(client, name)


def test_progress_is_json_with_bytes(client, repository):
    client.containers.run(IMAGE, "true", remove=True)
    client.images.get(IMAGE).tag(repository, "1")
    sent = list(client.api.push(repository, "1", stream=True, decode=True))
    assert {"Preparing"} <= {message.get("status") for message in sent}
    # The layer goes only with every name that its image has.
    names = [*client.images.get(f"{repository}:1").tags]
    assert f"{repository}:1" in names
    client.images.remove(f"{repository}:1")
    messages = list(client.api.pull(repository, "1", stream=True, decode=True))
    assert messages[0]["status"].startswith("Pulling from") and messages[0]["id"] == "1"
    assert re.fullmatch(rf"Digest: {DIGEST}", messages[-2]["status"])


def test_info_says_which_registries_are_insecure(client):
    found = client.info()["RegistryConfig"]
    assert "127.0.0.0/8" in found["InsecureRegistryCIDRs"]
    assert found["IndexConfigs"]["docker.io"]["Secure"] is True
