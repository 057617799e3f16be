"""The engine and its images by the real command line: filters, history, removal, disk, pruning, versions."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.clients.conftest import IMAGE

QUIET = ("--network", "none")


@pytest.fixture
def repository(cli):
    """A repository's name of the test's own; its tags are removed at the end."""
    chosen = f"t{uuid.uuid4().hex[:10]}"
    yield chosen
    for tag in cli.ok("images", "-q", "--filter", f"label=of={chosen}").split():
        cli("rmi", "-f", tag)
    for each in cli.ok("images", "--format", "{{.Repository}}:{{.Tag}}", chosen).split():
        cli("rmi", "-f", each)


def build(cli, repository: str, tag: str, *steps: str, base: str = IMAGE) -> str:
    """The id of an image of ``base`` and a step more, labelled with the repository's name."""
    lines = [f"FROM {base}", f"LABEL of={repository}", f"ENV TAG={tag}", *steps]
    cli.ok("build", "-t", f"{repository}:{tag}", "-", stdin="\n".join(lines).encode())
    return cli.ok("inspect", "-f", "{{.Id}}", f"{repository}:{tag}")


def tags(cli, *filters: str) -> list[str]:
    words = [word for each in filters for word in ("--filter", each)]
    return cli.ok("images", *words, "--format", "{{.Repository}}:{{.Tag}}").split()


# -- images -----------------------------------------------------------------------------------------


def test_images_by_reference_label_and_age(cli, repository):
    build(cli, repository, "1")
    build(cli, repository, "2", base=f"{repository}:1")
    mine = f"label=of={repository}"
    both = {f"{repository}:1", f"{repository}:2"}
    assert set(tags(cli, mine)) == both
    assert set(tags(cli, f"reference={repository}")) == both
    assert tags(cli, f"reference={repository}:1") == [f"{repository}:1"]
    assert set(tags(cli, f"reference={repository[:6]}*:*", mine)) == both
    assert tags(cli, mine, f"since={repository}:1") == [f"{repository}:2"]
    assert tags(cli, mine, f"before={repository}:2") == [f"{repository}:1"]
    assert tags(cli, mine, "label=nobody") == []
    assert "No such image: nobody" in cli("images", "--filter", "since=nobody").err


def test_an_image_without_a_name_dangles_and_is_pruned(cli, repository):
    old = build(cli, repository, "1", "RUN echo old > /age")
    new = build(cli, repository, "1", "RUN echo new > /age")
    mine = ("--filter", f"label=of={repository}")
    assert old != new
    assert cli.ok("images", "-q", "--no-trunc", "--filter", "dangling=true", *mine) == old
    assert cli.ok("images", "-q", "--no-trunc", "--filter", "dangling=false", *mine) == new
    told = cli.ok("image", "prune", "-f", *mine)
    assert f"deleted: {old}" in told and new not in told
    assert "Total reclaimed space:" in told
    assert new in cli.ok("image", "prune", "-a", "-f", *mine)
    assert cli("inspect", new).code == 1


def test_a_name_more_is_only_untagged(cli, repository):
    image = build(cli, repository, "1")
    cli.ok("tag", f"{repository}:1", f"{repository}:2")
    refused = cli("rmi", image)
    assert refused.code == 1
    assert "image is referenced in multiple repositories" in refused.err or "must be forced" in refused.err
    assert cli.ok("rmi", f"{repository}:1") == f"Untagged: {repository}:1"
    told = cli.ok("rmi", f"{repository}:2").splitlines()
    assert told[0] == f"Untagged: {repository}:2"
    assert f"Deleted: {image}" in told


def test_by_id_and_force_every_name_goes(cli, repository):
    image = build(cli, repository, "1")
    cli.ok("tag", f"{repository}:1", f"{repository}:2")
    told = cli.ok("rmi", "-f", image)
    assert {f"Untagged: {repository}:1", f"Untagged: {repository}:2", f"Deleted: {image}"} <= set(told.splitlines())


def test_an_image_outlives_the_one_it_was_built_on(cli, repository):
    """Docker keeps a parent for its children; here children keep the layers alone."""
    build(cli, repository, "1", "RUN echo parent > /of")
    child = build(cli, repository, "2", base=f"{repository}:1")
    assert f"Untagged: {repository}:1" in cli.ok("rmi", f"{repository}:1")
    assert cli.ok("run", "--rm", *QUIET, f"{repository}:2", "cat", "/of") == "parent"
    assert f"Deleted: {child}" in cli.ok("rmi", f"{repository}:2")


def test_an_image_whose_container_runs_is_not_removed_by_force(cli, repository, name):
    image = build(cli, repository, "1")
    cli.ok("run", "-d", "--name", name, *QUIET, image, "sleep", "1000")
    refused = cli("rmi", "-f", image)
    assert refused.code == 1
    assert "cannot be forced" in refused.err and "image is being used by running container" in refused.err
    assert image not in cli.ok("image", "prune", "-a", "-f", "--filter", f"label=of={repository}")


def test_history_and_a_tag_that_is_moved(cli, repository):
    build(cli, repository, "1", "RUN echo x > /x", 'CMD ["cat", "/x"]')
    rows = cli.ok("history", "--no-trunc", "--format", "{{json .}}", f"{repository}:1").splitlines()
    shown = [json.loads(row) for row in rows]
    assert 'CMD ["cat" "/x"]' in shown[0]["CreatedBy"]
    assert "echo x > /x" in shown[1]["CreatedBy"]
    assert shown[0]["Size"] == "0B" and shown[1]["Size"] == "2B"
    assert len(cli.ok("history", "-q", f"{repository}:1").split()) == len(shown)
    build(cli, repository, "2")
    cli.ok("tag", f"{repository}:2", f"{repository}:1")
    assert cli.ok("inspect", "-f", "{{.Config.Env}}", f"{repository}:1").endswith("TAG=2]")


@pytest.mark.parametrize("bad", ["UPPER", "a b", "a:b:c", "a/../b", "x:" + "y" * 200])
def test_a_tag_that_cannot_be(cli, bad):
    answer = cli("tag", IMAGE, bad)
    assert answer.code == 1
    assert "invalid reference format" in answer.err or "not a valid repository/tag" in answer.err


# -- the engine -------------------------------------------------------------------------------------


def test_what_the_disk_holds(cli, repository, name):
    build(cli, repository, "1", "RUN head -c 100000 /dev/zero > /large")
    cli.ok("run", "--name", name, *QUIET, IMAGE, "sh", "-c", "head -c 50000 /dev/zero > /made")
    rows = {row["Type"]: row for row in map(json.loads, cli.ok("system", "df", "--format", "{{json .}}").splitlines())}
    assert {"Images", "Containers", "Local Volumes", "Build Cache"} <= set(rows)
    assert int(rows["Containers"]["TotalCount"]) >= 1
    whole = json.loads(cli.ok("system", "df", "-v", "--format", "{{json .}}"))
    [mine] = [each for each in whole["Containers"] if each["Names"] == name]
    assert mine["Size"].startswith("50kB")
    [image] = [each for each in whole["Images"] if each["Repository"] == repository]
    assert image["UniqueSize"] == "100kB"


def test_system_prune_takes_what_is_nobodys(cli, repository, name):
    label = f"of={repository}"
    image = build(cli, repository, "1")
    cli.ok("create", "--name", name, "-l", label, *QUIET, IMAGE, "true")
    cli.ok("network", "create", "--label", label, repository)
    told = cli.ok("system", "prune", "-a", "-f", "--filter", f"label={label}")
    assert f"Deleted Networks:\n{repository}" in told
    assert f"deleted: {image}" in told
    assert cli("inspect", name).code == 1


def test_the_builders_cache_is_pruned(cli):
    assert "Total reclaimed space:" in cli.ok("builder", "prune", "-f")


def test_it_introduces_itself(cli):
    shown = json.loads(cli.ok("info", "--format", "{{json .}}"))
    assert shown["OSType"] == "linux" and shown["NCPU"] >= 1 and shown["MemTotal"] > 0
    assert {"Containers", "ContainersRunning", "Images", "ServerVersion", "Driver", "CgroupVersion"} <= set(shown)
    assert cli("info").out.count("Server Version:") == 1


@pytest.mark.parametrize("version", ["1.24", "1.30", "1.40", "1.41"])
def test_a_client_speaks_the_version_it_is_told(cli, name, version):
    cli.environment["DOCKER_API_VERSION"] = version
    assert cli.ok("version", "--format", "{{.Client.APIVersion}}") == version
    assert cli.ok("run", "--rm", "--name", name, IMAGE, "echo", "hello") == "hello"
    cli.ok("create", "--name", name, IMAGE, "true")
    assert name in cli.ok("ps", "-a", "--format", "{{.Names}}").split()
    assert cli.ok("inspect", "-f", "{{.State.Status}}", name) == "created"


def test_a_client_that_is_too_new_is_told_so(cli):
    cli.environment["DOCKER_API_VERSION"] = "1.99"
    answer = cli("ps")
    assert answer.code == 1
    assert "client version 1.99 is too new. Maximum supported API version is" in answer.err
