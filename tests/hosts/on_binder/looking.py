"""On the rung proot: mounts, the map of networks and stats say what this rung has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from containerlab.lab.mounts import read_mounts
from containerlab.lab.mounts_figure import access, draw_mounts, lasts, what
from containerlab.lab.reach import read_reach
from containerlab.lab.reach_figure import draw_reach
from containerlab.lab.reach_words import rows, summary
from tests.hosts.on_binder.work import IMAGE
from tests.waiting import eventually


@pytest.fixture
def networks(client: docker.DockerClient) -> Iterator[tuple[str, str]]:
    """One that would lead nowhere, and one more."""
    made = client.networks.create("vault", internal=True), client.networks.create("tea")
    try:
        yield ("vault", "tea")
    finally:
        for network in made:
            for container in client.containers.list(all=True):
                with contextlib.suppress(docker.errors.APIError):
                    network.disconnect(container, force=True)
            network.remove()


@pytest.mark.parametrize("starts", [True, False])
def test_mounts_are_a_copy_and_folders_that_can_be_written(
    client: docker.DockerClient, tmp_path: Path, starts: bool
) -> None:
    container = client.containers.create(
        IMAGE,
        ["sleep", "300"],
        tmpfs={"/fast": "size=64k"},
        volumes={"data": {"bind": "/data"}, str(tmp_path): {"bind": "/mine", "mode": "ro"}},
    )
    if starts:
        container.start()
        container.exec_run(["sh", "-c", "echo kept > /note"])
    assert container.name is not None
    found = read_mounts(client, container.name)
    seen = {mount.places[0]: mount for mount in found.mounts if mount.places[0] != "/"}
    assert (found.copied, found.live) == (True, False)
    assert {place: (mount.origin, access(mount)) for place, mount in seen.items()} == {
        "/data": ("volume", "read and write"),
        "/mine": ("bind", "read and write"),
        "/fast": ("tmpfs", "read and write"),
        "/etc/hostname": ("engine", ""),
        "/dev": ("host", ""),
    }
    assert {"/proc", "/sys"} <= set(seen["/dev"].places)
    assert (what(seen["/fast"]), lasts(seen["/fast"])) == ("on the disk, without a limit", "until the next start")
    assert [mount.origin for mount in found.mounts][:2] == ["layer", "copy"]
    assert "Nothing can be mounted here: / is a copy of the image's layers (1)" in found.summary
    assert draw_mounts(found).summary == found.summary


def test_the_map_says_that_all_share_the_hosts_network(client: docker.DockerClient, networks: tuple[str, str]) -> None:
    for name, network in zip(("safe", "kettle"), networks, strict=True):
        client.containers.run(IMAGE, ["sleep", "300"], name=name, network=network, detach=True)
    found = read_reach(client)
    assert [(place.name, place.subnets, place.internal, place.leads_out) for place in found.places] == [
        ("tea", (), False, True),
        ("vault", (), False, True),
    ]
    assert {row["container"]: (row["address"], row["reaches"]) for row in rows(found)} == {
        "safe": ("127.0.0.1", "kettle (by address)"),
        "kettle": ("127.0.0.1", "safe (by address)"),
    }
    assert summary(found).startswith("All containers share this host's network: each reaches every other")
    assert "on vault: safe" in summary(found)
    assert draw_reach(found).summary == summary(found)


def test_stats_count_the_processes_of_a_container(client: docker.DockerClient) -> None:
    words = ["sh", "-c", "while :; do :; done & sleep 300"]
    container = client.containers.run(IMAGE, words, detach=True)
    eventually(lambda: container.stats(stream=False)["pids_stats"]["current"] == 3, 10)
    first = container.stats(stream=False, one_shot=True)
    assert first["memory_stats"]["usage"] > 100_000
    eventually(
        lambda: (
            container.stats(stream=False)["cpu_stats"]["cpu_usage"]["total_usage"]
            > first["cpu_stats"]["cpu_usage"]["total_usage"]
        ),
        20,
    )
    container.kill()
    assert container.stats(stream=False)["memory_stats"] == {}


def test_what_a_container_takes_is_drawn(running: Container, client: docker.DockerClient) -> None:
    from containerlab.lab.usage import usage

    assert running.name is not None
    assert usage(client, running.name, 0.3).to_dict()["pids"] == 1
