"""The states of a container's life, from the engine's own events."""

from __future__ import annotations

import docker
import pytest

from containerlab.errors import NoSuchContainer
from containerlab.lab.life import Turn, read_life
from containerlab.lab.life_figure import draw_life, life


@pytest.mark.freezer
def test_the_whole_way_is_told_also_of_one_that_is_gone(client: docker.DockerClient, name: str) -> None:
    made = client.containers.create("lab/busybox", "sleep 600", name=name, network_mode="none")
    made.start()
    made.pause()
    made.unpause()
    made.kill()
    made.wait()
    made.remove()
    figure = life(client, name)
    assert figure.to_dict()["states"] == ["created", "running", "paused", "running", "exited", "removed"]
    assert "created, running, paused, running, exited, removed" in figure.summary
    turns = read_life(client, name)
    assert Turn("die", "exited", "exit code 137") in turns
    assert Turn("kill", None, "signal 9") in turns


def test_a_beginning_that_the_engine_has_forgotten_is_told_from_the_record(
    client: docker.DockerClient, name: str
) -> None:
    made = client.containers.create("lab/busybox", "sleep 600", name=name, network_mode="none")
    made.start()
    for _ in range(256):
        made.update(cpu_shares=1024)  # an event each, and the engine keeps 256
    assert [(turn.event, turn.state) for turn in read_life(client, name)] == [
        ("create", "created"),
        ("start", "running"),
    ]
    made.kill()
    made.wait()
    assert life(client, name).to_dict()["states"] == ["created", "running", "exited"]


def test_of_two_containers_of_one_name_the_last_one_is_meant(client: docker.DockerClient, name: str) -> None:
    client.containers.create("lab/busybox", "true", name=name).remove()
    client.containers.create("lab/busybox", "true", name=name)
    assert [turn.event for turn in read_life(client, name)] == ["create"]


def test_a_name_that_was_never_heard_of(client: docker.DockerClient) -> None:
    with pytest.raises(NoSuchContainer):
        read_life(client, "never-heard-of")


def test_an_arrow_that_was_taken_carries_its_numbers() -> None:
    turns = [
        Turn("create", "created"),
        Turn("start", "running"),
        Turn("die", "exited"),
        Turn("start", "running"),
        Turn("die", "exited"),
    ]
    figure = draw_life("web", turns)
    words = [text.get_text() for axes in figure.canvas.axes for text in axes.texts]
    assert "its process ends  (3, 5)" in words and "start  (4)" in words
    assert "pause" in words
