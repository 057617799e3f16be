"""A container's mounts by origin: of the kit's own engine all of them, of another one what inspect tells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from containerlab.commands.context import Context
from containerlab.commands.registry import invoke
from containerlab.lab.mounts import Mount, Mounts, read_mounts
from containerlab.lab.mounts_figure import access, draw_mounts, lasts, mounts, what, where
from tests.volumes.conftest import pair, volume

__all__ = ["pair", "volume"]


@pytest.fixture
def kitchen(
    client: docker.DockerClient, name: str, volume: str, tmp_path: Path
) -> Iterator[docker.models.containers.Container]:
    """A container with every kind of mount, that runs."""
    made = client.containers.run(
        "lab/busybox",
        ["sleep", "1000"],
        name=name,
        network_mode="none",
        detach=True,
        tmpfs={"/fast": "size=64k"},
        volumes={volume: {"bind": "/data"}, str(tmp_path): {"bind": "/recipes", "mode": "ro"}},
    )
    made.exec_run(["sh", "-c", "echo note > /note"])
    yield made
    made.remove(force=True)


def by_place(found: Mounts) -> dict[str, Mount]:
    return {mount.places[0]: mount for mount in found.mounts if mount.origin not in ("layer", "writable", "kernel")}


def test_every_mount_has_its_origin_while_it_runs_and_after(
    kitchen: docker.models.containers.Container, client: docker.DockerClient, volume: str, tmp_path: Path
) -> None:
    def look() -> Mounts:
        assert kitchen.name is not None
        found = read_mounts(client, kitchen.name)
        seen = by_place(found)
        assert {place: mount.origin for place, mount in seen.items()} == {
            "/data": "volume", "/fast": "tmpfs", "/recipes": "bind", "/etc/hostname": "engine",
        }  # fmt: skip
        assert (seen["/data"].name, seen["/recipes"].name) == (volume, str(tmp_path))
        assert (seen["/recipes"].read_only, seen["/data"].read_only, seen["/fast"].size) == (True, False, 64 << 10)
        assert {"/proc", "/sys", "/dev"} <= set(found.of("kernel")[0].places)
        return found

    found = look()
    assert found.live
    assert [mount.origin for mount in found.mounts][:2] == ["layer", "writable"]
    assert found.of("writable")[0].size == len("note\n")
    kitchen.kill()
    kitchen.wait()
    assert not look().live


def test_an_anonymous_volume_says_so_and_what_comes_along_with_a_bind_too(
    client: docker.DockerClient, name: str
) -> None:
    client.containers.run(
        "lab/busybox", ["sleep", "1000"], name=name, network_mode="none", detach=True, volumes=["/own"],
        cap_add=["SYS_ADMIN"], security_opt=["seccomp=unconfined"],
    ).exec_run(["sh", "-c", "mkdir /own/sub /mine; mount -t tmpfs t /own/sub; mount -t tmpfs t /mine"])  # fmt: skip
    seen = by_place(read_mounts(client, name))
    assert {place: mount.origin for place, mount in seen.items() if place[:4] != "/etc"} == {
        "/own": "anonymous", "/own/sub": "inside", "/mine": "inside",
    }  # fmt: skip
    client.api.remove_container(name, force=True, v=True)


def test_the_picture_says_what_the_table_says(
    kitchen: docker.models.containers.Container, client: docker.DockerClient, volume: str
) -> None:
    assert kitchen.name is not None
    figure = mounts(client, kitchen.name)
    words = [text.get_text() for axes in figure.canvas.axes for text in axes.texts]
    assert {"/data", "volume", volume, "writable layer", "image layer", "tmpfs", "memory, 64 KiB at most"} <= set(words)
    assert [row[0] for row in figure.table.rows][-2:] == ["/", "/"]
    assert "/data (volume)" in figure.summary and "/recipes (bind)" in figure.summary
    assert "<svg" in figure.to_html()


def test_the_verb_gives_the_table_to_a_terminal_and_the_rows_to_a_program(
    kitchen: docker.models.containers.Container, client: docker.DockerClient, volume: str
) -> None:
    result: Any = invoke(["mounts", str(kitchen.name)], Context(output=None, connect=lambda: client))
    assert str(result).splitlines()[0].split() == ["WHERE", "ORIGIN", "WHAT", "ACCESS", "LASTS"]
    [row] = [row for row in result if row["where"] == "/data"]
    assert (row["origin"], row["name"], row["lasts"]) == ("volume", volume, "until `volume rm`")


def test_a_container_that_isn_t_there_is_named(client: docker.DockerClient) -> None:
    with pytest.raises(docker.errors.NotFound):
        read_mounts(client, "never-heard-of")


def test_words_for_each_kind() -> None:
    tmpfs = Mount(("/t",), "tmpfs", "", 3 << 20)
    assert (what(tmpfs), lasts(tmpfs), access(tmpfs)) == (
        "memory, 3 MiB at most", "until the container stops", "read and write",
    )  # fmt: skip
    assert what(Mount(("/t",), "tmpfs", "", 5000)) == "memory, 5000 B at most"
    assert where(Mount(("/dev", "/dev/pts", "/proc", "/proc/kcore"), "kernel")) == "/dev, /proc"
    lone = Mounts("web", (Mount(("/",), "layer"), Mount(("/",), "writable", "", 0)))
    assert lone.summary.endswith("nothing else is mounted for its data.")
    assert draw_mounts(lone).to_dict()["container"] == "web"
