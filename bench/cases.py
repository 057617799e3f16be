"""What is measured through the API: one run of a container, one cached build, memory at rest."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.engines import IMAGE, Engine
from bench.timing import Pair, both_gaps

__all__ = ["cached_build", "memory_at_rest", "run_and_remove"]

_STEPS = "".join(f"RUN echo {step} > /step-{step}\n" for step in range(11))
_DOCKERFILE = f"FROM {IMAGE}\n{_STEPS}"
_SETTLE_S = 3


def run_and_remove(ours: Engine, peer: Engine, n: int) -> list[Pair]:
    """docker-py's ``containers.run(…, remove=True, network_mode="none")``."""

    def once(engine: Engine) -> None:
        engine.client.containers.run(IMAGE, "true", remove=True, network_mode="none")

    title = "docker-py run --rm, network none"
    return both_gaps(title, peer.name, lambda: once(ours), lambda: once(peer), n=n, target=10.0)


def cached_build(ours: Engine, peer: Engine, n: int) -> list[Pair]:
    """A Dockerfile of 12 steps, every one cached: by the docker CLI's classic builder, and by docker-py without it.

    The network is not used.
    """
    for engine in (ours, peer):
        _build_by_api(engine)
    title = "12-step build, all cached, docker-py"
    pairs = both_gaps(title, peer.name, lambda: _build_by_api(ours), lambda: _build_by_api(peer), n=n, target=4.0)
    if shutil.which("docker") is None:
        return pairs
    with tempfile.TemporaryDirectory(prefix="cl-bench-") as name:
        context = Path(name)
        (context / "Dockerfile").write_text(_DOCKERFILE)
        title = "12-step build, all cached, docker CLI"
        pairs += both_gaps(
            title,
            peer.name,
            lambda: _build_by_cli(ours, context),
            lambda: _build_by_cli(peer, context),
            n=n,
            target=4.0,
        )
    return pairs


def _build_by_api(engine: Engine) -> None:
    lines = engine.client.api.build(
        fileobj=io.BytesIO(_DOCKERFILE.encode()), tag="bench:1", network_mode="none", rm=True, decode=True
    )
    for line in lines:
        if "error" in line:
            raise RuntimeError(f"{engine.name}: the build failed: {line['error']}")


def _build_by_cli(engine: Engine, context: Path) -> None:
    command = ["docker", "-H", f"unix://{engine.socket}", "build", "--network", "none", "-t", "bench:1", str(context)]
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0 or done.stdout.count("Using cache") != 11:
        raise RuntimeError(f"{engine.name}: not a cached build: {done.stdout[-500:]}{done.stderr[-500:]}")


def memory_at_rest(engine: Engine, containers: int = 20) -> dict[str, float]:
    """MB of the engine's own processes at rest, and of one more idle container (its program excepted).

    PSS shares pages among the processes that have them in common (proc(5), smaps_rollup), also those outside of the
    engine: neighbours that come and go move it by some MB. RSS counts such pages once for each process, and the
    anonymous part of PSS is no neighbour's business.
    """
    time.sleep(_SETTLE_S)
    rest = _memory(engine.processes())
    started = [
        engine.client.containers.run(IMAGE, ["sleep", "1000"], detach=True, network_mode="none")
        for _ in range(containers)
    ]
    try:
        time.sleep(_SETTLE_S)
        programs = {container.attrs["State"]["Pid"] for container in map(_reloaded, started)}
        busy = _memory([pid for pid in engine.processes() if pid not in programs])
    finally:
        engine.remove_containers()
    return {
        "at_rest_pss_mb": round(rest["Pss:"], 1),
        "at_rest_rss_mb": round(rest["Rss:"], 1),
        "each_idle_container_pss_mb": round((busy["Pss:"] - rest["Pss:"]) / containers, 3),
        "each_idle_container_anonymous_mb": round((busy["Pss_Anon:"] - rest["Pss_Anon:"]) / containers, 3),
    }


def _reloaded(container: Any) -> Any:
    container.reload()
    return container


def _memory(pids: list[int]) -> dict[str, float]:
    """PSS, its anonymous part, and RSS of all of them, in MB of a million bytes."""
    total = {"Pss:": 0, "Pss_Anon:": 0, "Rss:": 0}
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                word, _, rest = line.partition(" ")
                if word in total:
                    total[word] += int(rest.split()[0])
    return {word: kilobytes * 1024 / 1e6 for word, kilobytes in total.items()}
