"""Processes that are started again when they end."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from containerlab.engine.background import Background
from containerlab.engine.respawn import Respawn

SECONDS = 10


def pidfd_of_one_that_ends() -> int:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        return os.pidfd_open(process.pid)


@pytest.mark.parametrize("by_pid", [True, False])
def test_one_that_has_ended_is_started_again_each_time_as_long_as_it_is_needed(by_pid: bool) -> None:
    async def scenario() -> None:
        left, over = 3, asyncio.Event()

        async def start() -> None:
            nonlocal left
            left -= 1
            kept.follow(pidfd_of_one_that_ends())

        def needed() -> bool:
            if not left:
                over.set()
            return left > 0

        kept = Respawn(Background(), needed, start)
        if by_pid:
            with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
                kept.follow_pid(process.pid)
        else:
            kept.follow(pidfd_of_one_that_ends())
        await asyncio.wait_for(over.wait(), SECONDS)
        kept.close()
        assert left == 0

    asyncio.run(scenario())


def test_nothing_is_started_once_it_is_closed() -> None:
    async def scenario() -> None:
        started = []

        async def start() -> None:
            started.append(1)

        kept = Respawn(Background(), lambda: True, start)
        kept.follow(pidfd_of_one_that_ends())
        kept.close()
        kept.follow(pidfd_of_one_that_ends())
        await asyncio.sleep(0.05)
        assert not started

    before = len(list(Path("/proc/self/fd").iterdir()))
    asyncio.run(scenario())
    assert len(list(Path("/proc/self/fd").iterdir())) == before, "a descriptor is left open"
