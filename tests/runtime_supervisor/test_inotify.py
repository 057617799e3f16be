"""Waiting for a log to grow."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from containerlab.inotify import Watch


def test_growth_rotation_and_creation_wake_the_waiter_and_neighbours_do_not(tmp_path: Path) -> None:
    path = tmp_path / "log"

    async def body() -> None:
        async with Watch(path) as watch:
            assert not await watch.changed(0.05)
            path.write_text("made")
            assert await watch.changed(5)
            await asyncio.sleep(0.05)
            await watch.changed(0.05)
            (tmp_path / "other").write_text("not ours")
            assert not await watch.changed(0.1)
            waiting = asyncio.create_task(watch.changed(5))
            await asyncio.sleep(0.02)
            with path.open("a") as file:
                file.write("more")
            assert await waiting
            path.rename(tmp_path / "log.1")
            assert await watch.changed(5)

    asyncio.run(body())


def test_a_missing_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    async def body() -> None:
        async with Watch(tmp_path / "none" / "log"):
            pass

    with pytest.raises(FileNotFoundError, match="none"):
        asyncio.run(body())


def test_two_watches_of_one_folder_leave_each_other_alone(tmp_path: Path) -> None:
    path = tmp_path / "log"

    async def body() -> None:
        async with Watch(path) as stays:
            async with Watch(path), Watch(tmp_path / "other") as other:
                path.write_text("made")
                assert await stays.changed(5)
                assert not await other.changed(0.05)
            await stays.changed(0.05)
            path.write_text("written again")
            assert await stays.changed(5)

    asyncio.run(body())


def test_a_folder_that_is_removed_wakes_its_waiter(tmp_path: Path) -> None:
    folder = tmp_path / "container"
    folder.mkdir()

    async def body() -> None:
        async with Watch(folder / "log") as watch:
            folder.rmdir()
            assert await watch.changed(5)
            folder.mkdir()
            async with Watch(folder / "log") as again:
                (folder / "log").write_text("made")
                assert await again.changed(5)

    asyncio.run(body())
