"""What people do all day through the API: run by the CLI, exec, ps, inspect, a flood of log, images in and out."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.engines import IMAGE, Engine
from bench.timing import Pair, both_gaps, turns
from tests.registries import running_registry

__all__ = ["daily", "images", "logs"]

_LISTED = 200
_FLOOD = 200 * 1000 * 1000
_FILES, _FILE_BYTES = 2000, 100_000


def daily(ours: Engine, peer: Engine, n: int) -> list[Pair]:
    """The docker CLI's ``run --rm``; docker-py's exec, ``ps -a`` and inspect with 200 containers there."""
    pairs: list[Pair] = []
    if shutil.which("docker") is not None:
        pairs += both_gaps(
            "docker CLI run --rm, network none", peer.name, lambda: _cli(ours), lambda: _cli(peer), n=n, target=3.0
        )
    with _sleeper(ours) as mine, _sleeper(peer) as theirs:
        pairs += both_gaps(
            "docker-py exec true",
            peer.name,
            lambda: mine.exec_run("true"),
            lambda: theirs.exec_run("true"),
            n=n,
            target=5.0,
        )
        for engine in (ours, peer):
            for _ in range(_LISTED):
                engine.client.api.create_container(IMAGE, "true")
        ids = (mine.id, theirs.id)
        pairs.append(
            turns(
                f"ps -a with {_LISTED} containers",
                peer.name,
                lambda: ours.client.api.containers(all=True),
                lambda: peer.client.api.containers(all=True),
                n=n,
                target=1.0,
            )
        )
        pairs.append(
            turns(
                "inspect a container",
                peer.name,
                lambda: ours.client.api.inspect_container(ids[0]),
                lambda: peer.client.api.inspect_container(ids[1]),
                n=n,
                target=1.0,
            )
        )
    for engine in (ours, peer):
        engine.remove_containers()
    return pairs


def logs(ours: Engine, peer: Engine, n: int) -> list[Pair]:
    """``yes | head -c 200M``, followed by a reader from the start to the last byte."""
    title = f"{_FLOOD // 10**6} MB of log, followed to the last byte"
    return [turns(title, peer.name, lambda: _flood(ours), lambda: _flood(peer), n=n, target=1.0, warm_up=0)]


def images(ours: Engine, peer: Engine, n: int) -> list[Pair]:
    """Save, load and pull from a registry on loopback: an image of 200 MB in 2,000 files."""
    pairs: list[Pair] = []
    with tempfile.TemporaryDirectory(prefix="cl-bench-") as name, running_registry(Path(name) / "registry") as registry:
        tag = f"{registry}/bench:1"
        archive = Path(name) / "image.tar"
        for engine in (ours, peer):
            engine.client.api.import_image_from_data(_tree(), repository=f"{registry}/bench", tag="1")
        _save(peer, tag, archive)
        pairs.append(
            turns("save 200 MB", peer.name, lambda: _save(ours, tag), lambda: _save(peer, tag), n=n, target=1.0)
        )
        pairs.append(
            turns(
                "load 200 MB",
                peer.name,
                lambda: _load(ours, tag, archive),
                lambda: _load(peer, tag, archive),
                n=n,
                target=1.0,
            )
        )
        peer.client.api.push(tag)
        pairs.append(
            turns("pull 200 MB", peer.name, lambda: _pull(ours, tag), lambda: _pull(peer, tag), n=n, target=1.0)
        )
        pairs += _by_other_tools(ours, tag, n, Path(name))
    return pairs


def _by_other_tools(ours: Engine, tag: str, n: int, folder: Path) -> list[Pair]:
    """skopeo fetches to an OCI layout, umoci unpacks it: no engine, shown beside our pull."""
    if shutil.which("skopeo") is None or shutil.which("umoci") is None:
        return []

    def fetch() -> None:
        layout, bundle = folder / "layout", folder / "bundle"
        for path in (layout, bundle):
            shutil.rmtree(path, ignore_errors=True)
        copy = ["skopeo", "copy", "--src-tls-verify=false", f"docker://{tag}", f"oci:{layout}:1"]
        subprocess.run(copy, check=True, capture_output=True)
        subprocess.run(["umoci", "unpack", "--image", f"{layout}:1", str(bundle)], check=True, capture_output=True)

    return [turns("pull 200 MB", "skopeo and umoci", lambda: _pull(ours, tag), fetch, n=n)]


def _cli(engine: Engine) -> None:
    command = ["docker", "-H", f"unix://{engine.socket}", "run", "--rm", "--network", "none", IMAGE, "true"]
    subprocess.run(command, check=True, capture_output=True)


@contextlib.contextmanager
def _sleeper(engine: Engine) -> Iterator[Any]:
    container = engine.client.containers.run(IMAGE, ["sleep", "1000"], detach=True, network_mode="none")
    try:
        yield container
    finally:
        container.remove(force=True)


def _flood(engine: Engine) -> float:
    """Milliseconds from the start to the reader's last byte."""
    command = ["sh", "-c", f"yes 0123456789012345678901234567890123456789 | head -c {_FLOOD}"]
    container = engine.client.containers.create(IMAGE, command, network_mode="none", log_config=_log_of(engine))
    try:
        before = time.perf_counter_ns()
        container.start()
        received = sum(len(piece) for piece in container.logs(stream=True, follow=True))
        spent = (time.perf_counter_ns() - before) / 1e6
    finally:
        container.remove(force=True)
    if received != _FLOOD:
        raise RuntimeError(f"{engine.name}: {received} of {_FLOOD} bytes of the log arrived")
    return spent


def _log_of(engine: Engine) -> Any:
    """No rotation on either side: ours rotates by default, and a reader that is behind would miss what is gone."""
    return {"Type": "json-file", "Config": {} if engine.name == "dockerd" else {"max-size": "-1"}}


def _tree() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for number in range(_FILES):
            entry = tarfile.TarInfo(f"data/{number % 50}/file-{number}")
            content = os.urandom(_FILE_BYTES // 2) + bytes(_FILE_BYTES // 2)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def _save(engine: Engine, tag: str, path: Path | None = None) -> None:
    with open(path or os.devnull, "wb") as out:
        for piece in engine.client.api.get_image(tag, chunk_size=1 << 20):
            out.write(piece)


def _load(engine: Engine, tag: str, archive: Path) -> float:
    engine.client.images.remove(tag, force=True)
    os.sync()
    before = time.perf_counter_ns()
    with open(archive, "rb") as file:
        list(engine.client.api.load_image(file))
    return (time.perf_counter_ns() - before) / 1e6


def _pull(engine: Engine, tag: str) -> float:
    engine.client.images.remove(tag, force=True)
    os.sync()
    before = time.perf_counter_ns()
    for line in engine.client.api.pull(tag, stream=True, decode=True):
        if "error" in line:
            raise RuntimeError(f"{engine.name}: {line['error']}")
    return (time.perf_counter_ns() - before) / 1e6
