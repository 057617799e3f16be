"""What is measured through the API: one run of a container, one cached build, memory at rest."""

from __future__ import annotations

import io
import statistics
import time
from pathlib import Path
from typing import Any

from bench.engines import IMAGE, Engine
from bench.timing import Pair, take_turns

__all__ = ["cached_build", "memory_at_rest", "run_and_remove"]

GAPS_MS = (0, 300)
_STEPS = "".join(f"RUN echo {step} > /step-{step}\n" for step in range(11))
_DOCKERFILE = f"FROM {IMAGE}\n{_STEPS}"


def run_and_remove(ours: Engine, peer: Engine, n: int) -> list[Pair]:
    """docker-py ``containers.run(…, remove=True, network_mode="none")``."""

    def once(engine: Engine) -> None:
        engine.client.containers.run(IMAGE, "true", remove=True, network_mode="none")

    return [
        take_turns(
            "docker-py run, remove=True, network none",
            "dockerd",
            lambda: once(ours),
            lambda: once(peer),
            n=n,
            gap_ms=gap,
        )
        for gap in GAPS_MS
    ]


def cached_build(ours: Engine, peer: Engine, n: int) -> list[Pair]:
    """docker-py ``api.build`` of a Dockerfile of 12 steps, every one of them cached; the network is not used."""

    def once(engine: Engine) -> None:
        lines = engine.client.api.build(
            fileobj=io.BytesIO(_DOCKERFILE.encode()), tag="bench:1", network_mode="none", rm=True, decode=True
        )
        for line in lines:
            if "error" in line:
                raise SystemExit(f"the build failed: {line['error']}")

    return [
        take_turns("12-step build, all cached", "dockerd", lambda: once(ours), lambda: once(peer), n=n, gap_ms=gap)
        for gap in GAPS_MS
    ]


def memory_at_rest(engine: Engine, containers: int = 20) -> dict[str, float]:
    """PSS in MB of the engine's own processes at rest, and of one more idle container (its program excepted).

    PSS shares the pages that processes have in common among them (proc(5), smaps_rollup).
    """
    time.sleep(2)
    rest = _pss(engine.processes())
    started = [
        engine.client.containers.run(IMAGE, ["sleep", "600"], detach=True, network_mode="none")
        for _ in range(containers)
    ]
    time.sleep(2)
    programs = {container.attrs["State"]["Pid"] for container in map(_reloaded, started)}
    busy = _pss([pid for pid in engine.processes() if pid not in programs])
    for container in started:
        container.remove(force=True)
    return {"at_rest_mb": round(rest, 1), "each_idle_container_mb": round((busy - rest) / containers, 3)}


def _reloaded(container: Any) -> Any:
    container.reload()
    return container


def _pss(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1000


def median(values: list[float]) -> float:
    """Shorthand for reports."""
    return statistics.median(values)
