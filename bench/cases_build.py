"""Builds: steps that are executed and steps that are cached, contexts large and small, stages side by side.

Three front ends: the docker CLI on both engines, ``containerlab build`` as a program, and the same verb inside a
process that is warm, as a notebook's kernel is. dockerd is always driven by the docker CLI: its classic builder, which
the targets are about, and, where a CLI of 20.10 is installed beside a newer one, the BuildKit that it carries.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.buildah import Buildah
from bench.engines import IMAGE, Engine
from bench.timing import Pair, turns
from containerlab.commands.context import Context
from containerlab.commands.registry import invoke

__all__ = ["builds"]

_RUNS = f"FROM {IMAGE}\n" + "".join(f"RUN echo {step} > /step-{step}\n" for step in range(10))
_CACHED = f"FROM {IMAGE}\n" + "".join(f"RUN echo {step} > /step-{step}\n" for step in range(11))
_SMALL, _LARGE_MB, _CONTEXT = 10_000, 500, 20_000
_SHORT_S, _LONG_S = 0.5, 1.0
_OLD_CLI = Path("/usr/bin/docker")
_STAGES = (
    f"FROM {IMAGE} AS base\nRUN echo base > /base\n"
    f"FROM base AS short\nRUN sleep {_SHORT_S} && echo > /short\n"
    f"FROM base AS long\nRUN sleep {_LONG_S} && echo > /long\n"
    f"FROM {IMAGE}\nCOPY --from=short /short /\nCOPY --from=long /long /\n"
)


class _Own(Context):
    """On the kit's own engine, which may read folders where they lie."""

    own_engine = True


class _FrontEnds:
    """One engine and a folder, built by the front ends that there are for it."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder

    def docker_cli(self, *options: str) -> None:
        """The classic builder by the docker CLI."""
        command = ["docker", "-H", f"unix://{self.engine.socket}", "build", "--network", "none", "-t", "bench:1"]
        _run([*command, *options, str(self.folder)], {"DOCKER_BUILDKIT": "0"})

    def buildkit(self, *options: str) -> None:
        """BuildKit inside dockerd, by a CLI that has its client built in."""
        command = [str(_OLD_CLI), "-H", f"unix://{self.engine.socket}", "build", "--network", "none", "-t", "bench:1"]
        _run([*command, *options, str(self.folder)], {"DOCKER_BUILDKIT": "1"})

    def program(self, *options: str) -> None:
        """``containerlab build``, its start included."""
        command = [sys.executable, "-m", "containerlab", "build", "-t", "bench:1", *options, str(self.folder)]
        _run(command, {"CONTAINERLAB_STORE": str(self.engine.folder / "store")})

    def warm(self, *options: str) -> None:
        """The verb alone, as ``%container build`` calls it."""
        invoke(["build", "-q", "-t", "bench:1", *options, str(self.folder)], _Own(connect=lambda: self.engine.client))


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout[-500:]}{done.stderr[-500:]}")


def builds(ours: Engine, peer: Engine, n: int) -> list[Pair]:
    """Every case; ``n`` turns of the quick ones, a tenth of that of those that move much data."""
    few = max(3, n // 10)
    pairs: list[Pair] = []
    with tempfile.TemporaryDirectory(prefix="cl-bench-") as name, Buildah.started(ours) as buildah:
        folder = Path(name)
        own, theirs = _FrontEnds(ours, folder), _FrontEnds(peer, folder)
        (folder / "Dockerfile").write_text(_RUNS)
        pairs += _beside("10 RUN steps, no cache", own, theirs, buildah, ("--no-cache",), few, target=10.0)
        (folder / "Dockerfile").write_text(_CACHED)
        pairs += _beside("12 steps, all cached", own, theirs, buildah, (), n, target=4.0)
        (folder / "Dockerfile").write_text(_STAGES)
        title = f"four stages: the longer path sleeps {_LONG_S} s, all {_LONG_S + _SHORT_S} s"
        pairs += _beside(title, own, theirs, buildah, ("--no-cache",), few, target=1.0)
    pairs += _contexts(ours, peer, few)
    return pairs


def _beside(
    title: str,
    own: _FrontEnds,
    theirs: _FrontEnds,
    buildah: Buildah | None,
    options: tuple[str, ...],
    n: int,
    *,
    target: float,
) -> list[Pair]:
    """The same client on both sides, then our own front ends; buildah without a target."""
    name = theirs.engine.name

    def peer() -> None:
        theirs.docker_cli(*options)

    pairs = [
        turns(f"{title}: docker CLI", name, lambda: own.docker_cli(*options), peer, n=n, target=target, warm_up=1),
        turns(f"{title}: ours, warm", name, lambda: own.warm(*options), peer, n=n, target=target, warm_up=1),
        turns(f"{title}: containerlab build", name, lambda: own.program(*options), peer, n=n, warm_up=1),
    ]
    few = max(3, n // 10)
    if _has_buildkit():

        def by_buildkit() -> None:
            theirs.buildkit(*options)

        warm = f"{title}: ours, warm"
        pairs.append(turns(warm, "BuildKit", lambda: own.warm(*options), by_buildkit, n=few, warm_up=1))
    if buildah is not None:

        def by_buildah() -> None:
            buildah.build(own.folder, *options)

        pairs.append(turns(f"{title}: ours, warm", "buildah", lambda: own.warm(*options), by_buildah, n=few, warm_up=1))
    return pairs


def _has_buildkit() -> bool:
    """Up to 20.10 the CLI speaks BuildKit's protocol itself; later ones leave it to a plug-in."""
    if not _OLD_CLI.exists():
        return False
    shown = subprocess.run([_OLD_CLI, "--version"], capture_output=True, text=True, check=False).stdout
    version = shown.removeprefix("Docker version ").split(".")[0]
    return version.isdigit() and int(version) < 23


def _contexts(ours: Engine, peer: Engine, n: int) -> list[Pair]:
    """What COPY moves, and what a context costs of which one file changed."""
    pairs: list[Pair] = []
    with tempfile.TemporaryDirectory(prefix="cl-bench-") as name:
        folder = Path(name)
        own, theirs = _FrontEnds(ours, folder), _FrontEnds(peer, folder)
        (folder / "Dockerfile").write_text(f"FROM {IMAGE}\nCOPY data /data\n")
        for title, fill in (
            (f"COPY of {_SMALL} small files", _fill_small),
            (f"COPY of one file of {_LARGE_MB} MB", _fill_large),
        ):
            shutil.rmtree(folder / "data", ignore_errors=True)
            (folder / "data").mkdir()
            fill(folder / "data")
            os.sync()
            pairs += _beside(title, own, theirs, None, ("--no-cache",), n, target=1.0)
        shutil.rmtree(folder / "data")
        _fill(folder / "data", _CONTEXT)
        (folder / "Dockerfile").write_text(f"FROM {IMAGE}\nCOPY data/0/file-0 /one\n")
        changed = folder / "data/0/file-0"
        pairs += _changing(f"{_CONTEXT} files, one changed", own, theirs, changed, n)
    return pairs


def _changing(title: str, own: _FrontEnds, theirs: _FrontEnds, changed: Path, n: int) -> list[Pair]:
    counter = itertools.count()

    def after_a_change(build: Callable[[], None]) -> Callable[[], None]:
        def work() -> None:
            changed.write_text(f"changed {next(counter)}\n")
            build()

        return work

    pairs: list[Pair] = []
    for what in ("one file copied", "all copied"):
        if what == "all copied":
            (own.folder / "Dockerfile").write_text(f"FROM {IMAGE}\nCOPY data /data\n")
        peer = after_a_change(theirs.docker_cli)
        for front, build in (("ours, warm", own.warm), ("containerlab build", own.program)):
            target = 5.0 if front == "ours, warm" and what == "one file copied" else None
            whole = f"{title}, {what}: {front}"
            pairs.append(turns(whole, theirs.engine.name, after_a_change(build), peer, n=n, target=target, warm_up=1))
    return pairs


def _fill(folder: Path, count: int) -> None:
    for number in range(count):
        path = folder / str(number % 100) / f"file-{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"file number {number}\n" * 20)


def _fill_small(folder: Path) -> None:
    _fill(folder, _SMALL)


def _fill_large(folder: Path) -> None:
    with open(folder / "large", "wb") as large:
        for _ in range(_LARGE_MB):
            large.write(os.urandom(1_000_000))
