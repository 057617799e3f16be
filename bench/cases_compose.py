"""A file of ten services up and down: our ``compose`` on our engine, docker-compose on dockerd.

Each is the whole program as a person runs it, interpreter and all; docker-compose on our engine stands beside,
so that what the client and what the engine saves can be told apart.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.engines import IMAGE, Engine
from bench.timing import Pair, turns

__all__ = ["ten_services"]

_SERVICES = 10
# What ends at once when it is asked to: the time is the engines', not a grace period.
_IDLE = "trap exit TERM; while :; do sleep 1 & wait; done"


def ten_services(ours: Engine, peer: Engine, n: int) -> list[Pair]:
    """``up -d`` and ``down`` one after the other; each service on one network, with a volume, after the one before."""
    if shutil.which("docker-compose") is None:
        raise FileNotFoundError("docker-compose isn't installed")
    with tempfile.TemporaryDirectory(prefix="cl-bench-") as name:
        folder = Path(name) / "ten"
        folder.mkdir()
        pairs = []
        for chained in (False, True):
            (folder / "compose.yaml").write_text(_file(chained=chained))
            (folder / "docker-compose.yml").write_text(_file(chained=chained))
            how = "in a row" if chained else "side by side"
            title = f"compose up and down, ten services {how}"
            pairs.append(
                turns(
                    title, "docker-compose, dockerd", _program(ours, folder, _OURS), _program(peer, folder, _THEIRS),
                    n=n, target=4.0, warm_up=1,
                )
            )  # fmt: skip
            pairs.append(
                turns(
                    title, "docker-compose, our engine", _program(ours, folder, _OURS),
                    _program(ours, folder, _THEIRS), n=n, warm_up=1,
                )
            )  # fmt: skip
        return pairs


_OURS = [sys.executable, "-m", "containerlab", "compose", "-f", "compose.yaml"]
_THEIRS = ["docker-compose", "--ansi", "never", "-f", "docker-compose.yml"]


def _file(*, chained: bool) -> str:
    services = "\n".join(
        f"  s{at}:\n    image: {IMAGE}\n    command: [sh, -c, {_IDLE!r}]\n    volumes: ['data:/data']\n"
        + (f"    depends_on: [s{at - 1}]\n" if chained and at else "")
        for at in range(_SERVICES)
    )
    return f"version: '3.8'\nservices:\n{services}\nvolumes:\n  data:\n"


def _program(engine: Engine, folder: Path, command: list[str]) -> Callable[[], None]:
    environment = {**os.environ, "DOCKER_HOST": f"unix://{engine.socket}", "COMPOSE_HTTP_TIMEOUT": "120"}

    def once() -> None:
        for words in (["up", "-d"], ["down", "-v"]):
            subprocess.run([*command, *words], cwd=folder, env=environment, capture_output=True, check=True)

    return once
