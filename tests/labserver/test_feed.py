"""What an open panel is told, with a real engine that comes and goes."""

from __future__ import annotations

import asyncio
import contextlib
import io
import signal
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest

from containerlab.client import start_engine
from containerlab.lab.progress import Progress
from containerlab.labserver.feed import Feed
from containerlab.labserver.lessons import Lessons
from tests.browser.lab import notebook
from tests.dockerd import running_dockerd
from tests.store import Store


class Panel:
    """Takes messages as a browser would, and waits for what they add up to."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self._told = asyncio.Event()

    def __call__(self, message: dict[str, Any]) -> None:
        self.known |= message
        self._told.set()

    async def until(self, fits: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while not fits(self.known):
                self._told.clear()
                await self._told.wait()
        return self.known

    async def until_engine(self, *, running: bool) -> dict[str, Any]:
        return await self.until(lambda known: known.get("engine", {}).get("running") is running)


def watching(folder: Path, work: Callable[[Feed, Panel], Any]) -> None:
    """Run ``work`` with one panel open."""

    async def run() -> None:
        feed, panel = Feed(Lessons(folder), {"proxy": False}), Panel()
        feed.join(panel)
        try:
            await work(feed, panel)
        finally:
            feed.leave(panel)

    asyncio.run(run())


def test_looking_on_starts_no_engine_and_sees_it_come_and_go(own_store: Store, tmp_path: Path) -> None:
    async def work(feed: Feed, panel: Panel) -> None:
        known = await panel.until_engine(running=False)
        assert known["engine"]["can_start"] and known["containers"] == []
        assert not own_store.pids()

        await asyncio.to_thread(own_store.start)
        await panel.until_engine(running=True)

        for number in (signal.SIGKILL, signal.SIGTERM):
            await asyncio.to_thread(own_store.kill, number)
            await panel.until_engine(running=False)
            await asyncio.to_thread(own_store.start)
            await panel.until_engine(running=True)

    watching(tmp_path, work)


def test_containers_and_images_are_told_as_they_change(own_store: Store, tmp_path: Path) -> None:
    async def work(feed: Feed, panel: Panel) -> None:
        await asyncio.to_thread(own_store.start)
        await panel.until_engine(running=True)
        client = docker.DockerClient(base_url=own_store.host, version="1.43")
        made = await asyncio.to_thread(
            client.containers.run, "lab/busybox", ["sh", "-c", "exit 3"], detach=True, name="box"
        )
        known = await panel.until(lambda known: [row["exit_code"] for row in known["containers"]] == [3])
        assert (
            known["containers"][0] | {"name": "box", "image": "lab/busybox", "state": "exited"}
            == known["containers"][0]
        )
        assert [row["tags"] for row in known["images"]] == [["lab/busybox:latest"]] and known["images"][0]["size"] > 0

        await asyncio.to_thread(client.images.get("lab/busybox").tag, "other:1")
        await panel.until(lambda known: known["images"][0]["tags"] == ["lab/busybox:latest", "other:1"])
        await asyncio.to_thread(made.remove)
        await panel.until(lambda known: known["containers"] == [])
        client.close()

    watching(tmp_path, work)


def test_looking_on_lets_the_engine_idle_out(own_store: Store, tmp_path: Path) -> None:
    async def work(feed: Feed, panel: Panel) -> None:
        await asyncio.to_thread(start_engine, own_store.folder, 1)
        await panel.until_engine(running=True)
        await panel.until_engine(running=False)
        assert not own_store.pids()

    watching(tmp_path, work)


def test_whoever_else_listens_to_events_keeps_the_engine(own_store: Store) -> None:
    start_engine(own_store.folder, 1)
    client = docker.DockerClient(base_url=own_store.host, version="1.43")
    stream = client.events()
    time.sleep(2.5)
    assert own_store.pids()
    stream.close()
    client.close()


def test_with_the_last_panel_the_watch_ends(own_store: Store, tmp_path: Path) -> None:
    def readers() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "containerlab-feed"]

    async def work(feed: Feed, panel: Panel) -> None:
        await asyncio.to_thread(own_store.start)
        await panel.until_engine(running=True)
        other = Panel()
        feed.join(other)
        assert other.known["engine"]["running"], "whoever comes later is told at once"
        feed.leave(other)
        (reader,) = readers()
        feed.leave(panel)
        await asyncio.sleep(0)
        await asyncio.to_thread(reader.join, 20)
        assert not readers()
        feed.join(panel)
        await panel.until_engine(running=True)

    watching(tmp_path, work)


@pytest.mark.docker
@pytest.mark.root
def test_a_real_docker_is_followed_too_and_is_not_ours_to_start(
    own_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(feed: Feed, panel: Panel, address: str, ended: Callable[[], Any]) -> None:
        await panel.until_engine(running=True)
        client = docker.DockerClient(base_url=address)
        await asyncio.to_thread(client.api.import_image_from_data, _tar(), "watched", "1")
        known = await panel.until(lambda known: known["images"])
        assert known["images"][0]["tags"] == ["watched:1"]
        made = await asyncio.to_thread(client.containers.create, "watched:1", ["x"], name="box", ports={"80/tcp": 0})
        known = await panel.until(lambda known: known["containers"])
        assert known["containers"][0] | {"name": "box", "state": "created", "ports": []} == known["containers"][0]
        await asyncio.to_thread(made.remove)
        await panel.until(lambda known: not known["containers"])
        client.close()
        await asyncio.to_thread(ended)
        known = await panel.until_engine(running=False)
        assert not known["engine"]["can_start"] and address in known["engine"]["reason"]

    with contextlib.ExitStack() as stack:
        address = stack.enter_context(running_dockerd())
        monkeypatch.setenv("DOCKER_HOST", address)
        watching(tmp_path, lambda feed, panel: work(feed, panel, address, stack.close))


def _tar() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("x"))
    return made.getvalue()


def test_lessons_are_found_with_their_exercises_and_what_was_done(own_store: Store, tmp_path: Path) -> None:
    course = tmp_path / "course"
    (course / "notebooks/ko").mkdir(parents=True)
    load = "%load_ext containerlab"
    lesson = (("markdown", "# 5 · Images\n\nText"), load, "%check 05.1", "x = 1\n%check 05.2 --hint")
    notebook(course / "notebooks/05-images.ipynb", *lesson)
    notebook(course / "notebooks/ko/05-images.ipynb", ("markdown", "# 5 · 이미지"), *lesson[1:])
    notebook(course / "notebooks/06-of-somebody-else.ipynb", "import os")
    notebook(course / "07-at-the-top.ipynb", load)
    (course / "notebooks/08-broken.ipynb").write_text('{"cells": [1]}')

    async def work(feed: Feed, panel: Panel) -> None:
        known = await panel.until(lambda known: "lessons" in known)
        assert [(row["path"], row["title"], row["language"], row["exercises"]) for row in known["lessons"]] == [
            ("07-at-the-top.ipynb", "07-at-the-top", "", 0),
            ("notebooks/05-images.ipynb", "Images", "", 2),
            ("notebooks/ko/05-images.ipynb", "이미지", "ko", 2),
        ]
        assert not any(row["done"] or row["solved"] for row in known["lessons"])
        Progress().note("05.2", right=1, total=2, missing="a layer")
        Progress().note("05.1", right=2, total=2, missing=None)
        await panel.until(lambda known: known["lessons"][1]["solved"] == 1)
        Progress().tick("05", True)
        await panel.until(lambda known: known["lessons"][1]["done"] and not known["lessons"][0]["done"])

    watching(course, work)
