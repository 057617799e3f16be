"""What JupyterLab's panel costs: the processor while nothing happens, and how soon it is told of what does."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.engines import IMAGE, Engine
from containerlab.labserver.feed import Feed
from containerlab.labserver.lessons import Lessons

__all__ = ["IDLE_PERCENT", "panel"]

IDLE_PERCENT = 1.0
"""Of a core, at most."""

_IDLE_S = 20
_SETTLE_S = 2


def panel(engine: Engine, n: int = 10) -> dict[str, float]:
    """``idle_percent_of_a_core`` of the process that watches ``engine`` for a panel, and ``told_after_ms``, the median
    of ``n`` from a container's creation to the message that names it (200 ms of it are waited on purpose)."""
    before = os.environ.get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = f"unix://{engine.socket}"
    try:
        with tempfile.TemporaryDirectory(prefix="cl-bench-") as folder:
            return asyncio.run(_measure(engine, Path(folder), n))
    finally:
        os.environ.pop("DOCKER_HOST")
        if before is not None:
            os.environ["DOCKER_HOST"] = before


async def _measure(engine: Engine, folder: Path, n: int) -> dict[str, float]:
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    feed = Feed(Lessons(folder), {})
    feed.join(messages.put_nowait)
    try:
        while not (await messages.get()).get("engine", {}).get("running"):
            pass
        await asyncio.sleep(_SETTLE_S)
        cpu, clock = time.process_time(), time.perf_counter()
        await asyncio.sleep(_IDLE_S)
        idle = (time.process_time() - cpu) / (time.perf_counter() - clock)
        delays = [await _told(engine, messages) for _ in range(n)]
    finally:
        feed.leave(messages.put_nowait)
    return {
        "idle_percent_of_a_core": round(100 * idle, 3),
        "told_after_ms": round(1000 * statistics.median(delays), 1),
        "n": n,
    }


async def _told(engine: Engine, messages: asyncio.Queue[dict[str, Any]]) -> float:
    """Seconds from the request for a container until a message lists it; it is removed again."""
    started = time.perf_counter()
    made = await asyncio.to_thread(engine.client.containers.create, IMAGE, "true", network_mode="none")
    while all(row["id"] != made.id for row in (await messages.get()).get("containers", ())):
        pass
    took = time.perf_counter() - started
    await asyncio.to_thread(made.remove)
    while any(row["id"] == made.id for row in (await messages.get()).get("containers", [{"id": made.id}])):
        pass
    return took
