"""Two clients at once: one makes containers with a volume, another removes it whenever it may."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import docker

from tests.volumes.conftest import of_volume

_ROUNDS = 15


@contextmanager
def removing(host: str, volume: str) -> Iterator[set[int]]:
    """Another client asks for the removal again and again; the statuses that it was answered with."""
    over, seen = threading.Event(), set()

    def ask() -> None:
        other = docker.DockerClient(base_url=host)
        while not over.is_set():
            try:
                other.api.remove_volume(volume)
                seen.add(204)
            except docker.errors.APIError as error:
                seen.add(error.status_code)
        other.close()

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield seen
    finally:
        over.set()
        asker.join()


def test_a_volume_is_there_as_long_as_a_container_names_it(
    host: str, client: docker.DockerClient, volume: str, content: str
) -> None:
    with removing(host, volume) as seen:
        for _ in range(_ROUNDS):
            made = client.containers.create(
                content, ["cat", "/data/file"], mounts=[of_volume(volume, "/data")], network_mode="none"
            )
            try:
                assert client.volumes.get(volume).name == volume
                made.start()
                assert made.wait()["StatusCode"] == 0, made.logs()
                assert made.logs() == b"image\n"
            finally:
                made.remove(force=True)
    assert {204, 409} <= seen <= {204, 404, 409}, "removed while nobody named it, refused while somebody did"


def test_a_volume_that_is_made_while_it_is_removed_is_whole(
    host: str, client: docker.DockerClient, volume: str
) -> None:
    with removing(host, volume):
        for _ in range(_ROUNDS):
            client.volumes.create(volume, labels={"a": "b"})
    client.volumes.create(volume)
    said = client.containers.run(
        "lab/busybox", ["sh", "-c", "echo word > /x/file && cat /x/file"], mounts=[of_volume(volume)], remove=True,
        network_mode="none",
    )  # fmt: skip
    assert said == b"word\n"
