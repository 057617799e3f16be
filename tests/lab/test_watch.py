"""Pictures that go on: copy-up as it happens, what ends a watch, and what a cell shows of it."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Iterator

import docker
import pytest

from containerlab.errors import HostLacks
from containerlab.lab.copies import CopyWatch, Touch
from containerlab.lab.copies_figure import draw_copies
from containerlab.lab.sharing import Layer
from containerlab.lab.watch import pictures, watch, watch_requests

DOCKERFILE = b"FROM lab/busybox\nRUN echo milk > /shopping; echo x > /other\nRUN echo old > /gone\n"
LAYERS = (Layer("sha256:a", 2_000_000, "ADD rootfs /"), Layer("sha256:b", 5, "RUN echo milk > /shopping"))


@pytest.fixture
def image(client: docker.DockerClient, name: str) -> Iterator[str]:
    tag = f"{name}:1"
    client.images.build(fileobj=io.BytesIO(DOCKERFILE), tag=tag, network_mode="none", rm=True)
    yield tag
    client.api.remove_container(name, force=True)
    client.images.remove(tag, force=True)


@pytest.mark.ours("which layer had a file is told by this engine alone")
def test_each_file_is_told_with_the_layer_that_it_came_up_from(
    client: docker.DockerClient, name: str, image: str
) -> None:
    made = client.containers.run(image, "sleep 600", detach=True, name=name, network_mode="none")
    watched = CopyWatch(client, name)
    assert watched.look() == []
    made.exec_run(["sh", "-c", "mkdir -p /data; echo cheese >> /shopping; rm /gone; echo new > /data/file"])
    seen = {touch.path: (touch.kind, touch.layer, touch.size) for touch in watched.look()}
    assert seen == {
        "/shopping": ("copied", 2, 5),
        "/gone": ("removed", 3, 4),
        "/data/file": ("new", None, None),
    }
    made.exec_run(["rm", "-r", "/data"])
    assert "/data/file" not in {touch.path for touch in watched.look()}


def test_a_watch_shows_each_change_once_and_ends_with_its_container(
    client: docker.DockerClient, name: str, image: str
) -> None:
    made = client.containers.run(image, "sleep 600", detach=True, name=name, network_mode="none")
    looks = pictures(watch(client, name), 60, threading.Event())
    assert next(looks).to_dict() == {"touched": []}
    made.exec_run(["sh", "-c", "echo bread >> /shopping"])
    assert next(looks).to_dict()["touched"][0]["path"] == "/shopping"
    made.kill()
    assert list(looks) == [], "nothing changed after that, and it is over"


def test_one_that_is_removed_while_it_is_watched_keeps_its_last_picture(client: docker.DockerClient, name: str) -> None:
    client.containers.run("lab/busybox", "sleep 600", detach=True, name=name, network_mode="none")
    looks = pictures(watch(client, name), 60, threading.Event())
    next(looks)
    client.api.remove_container(name, force=True)
    assert list(looks) == []
    with pytest.raises(docker.errors.NotFound):
        watch(client, name)


@pytest.mark.counted
def test_a_curve_grows_with_each_look_until_it_is_stopped(client: docker.DockerClient, name: str) -> None:
    client.containers.run("lab/busybox", "sleep 600", detach=True, name=name, network_mode="none", pids_limit=7)
    watched, stopped = watch(client, name, "usage"), threading.Event()
    watched.every = 0.01
    looks = pictures(watched, 60, stopped)
    assert [next(looks).to_dict()["samples"] for _ in range(3)] == [1, 2, 3]
    stopped.set()
    assert [look.table.rows[2][2] for look in looks] == ["7"]


def test_what_does_not_run_has_no_curve(client: docker.DockerClient, name: str) -> None:
    client.containers.create("lab/busybox", "true", name=name)
    with pytest.raises(HostLacks, match=f"Nobody counts what {name} takes"):
        next(pictures(watch(client, name, "usage"), 60, threading.Event()))


def test_a_life_is_followed_beyond_its_end_and_over_when_it_is_removed(client: docker.DockerClient, name: str) -> None:
    made = client.containers.create("lab/busybox", "sleep 600", name=name, network_mode="none")
    looks = pictures(watch(client, name, "life"), 60, threading.Event())
    assert next(looks).to_dict()["states"] == ["created"]
    made.start()
    made.kill()
    made.wait()
    made.remove()
    assert [look.to_dict()["states"] for look in looks][-1] == ["created", "running", "exited", "removed"]


def test_namespaces_are_drawn_once_for_as_long_as_they_stay(client: docker.DockerClient, name: str) -> None:
    made = client.containers.run("lab/busybox", "sleep 600", detach=True, name=name, network_mode="none")
    watched = watch(client, name, "namespaces")
    first = watched.look()
    assert first is not None and name in first.to_dict()
    assert watched.look() is None
    made.restart(timeout=0)
    again = watched.look()
    assert again is not None and again.to_dict()[name]["pid"] != first.to_dict()[name]["pid"]


def test_all_that_clients_ask_is_seen_and_the_way_is_as_before_afterwards(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    looks = pictures(watch_requests(), 60, threading.Event())
    assert "Nothing was asked yet" in next(looks).summary
    assert os.environ["DOCKER_HOST"] != host
    other = docker.from_env(version="1.41")
    for _ in range(20):
        other.ping()
    deadline = time.monotonic() + 20
    for look in looks:
        if look.table.rows[-1][0] == "20" or time.monotonic() > deadline:
            break
    other.close()
    looks.close()
    assert look.table.rows[-1][:3] == ("20", "GET /_ping", "200") and len(look.table.rows) == 14
    assert os.environ["DOCKER_HOST"] == host


def test_of_many_files_the_newest_are_drawn_and_all_are_in_the_table() -> None:
    touches = [Touch(f"/data/file-{number}", "new", None, None, float(number)) for number in range(40)]
    figure = draw_copies("web", LAYERS, touches)
    words = {text.get_text() for axes in figure.canvas.axes for text in axes.texts}
    assert "file-39" in words and "file-10" not in words
    assert len(figure.table.rows) == 40


def test_of_many_layers_those_are_drawn_that_gave_a_file() -> None:
    layers = [Layer(f"sha256:{number}", 5, f"RUN step-{number}") for number in range(1, 31)]
    figure = draw_copies("web", layers, [Touch("/etc/motd", "copied", 17, 5, 0.5)])
    words = " ".join(text.get_text() for axes in figure.canvas.axes for text in axes.texts)
    assert "17  RUN step-17" in words and "1  RUN step-1 " in words and "RUN step-16" not in words


def test_where_the_root_was_copied_nothing_is_said_to_come_up() -> None:
    figure = draw_copies("web", LAYERS, [Touch("/shopping", "copied", 2, 5, 0.5)], copied_root=True)
    assert "copied up" not in str(figure) and "own copy" in str(figure)
