"""The rung proot, measured in a Binder-like host by ``cases_proot``: ``python -m bench.on_proot N``; JSON on stdout."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.timing import Pair, turns
from containerlab.database import Database
from containerlab.images import ImageStore
from containerlab.runtime.client import SupervisorClient
from containerlab.runtime.launch import ensure_supervisor
from containerlab.runtime.proot.program import locate
from containerlab.runtime.spec import default_spec
from containerlab.treecopy import copy_tree

_IMAGE = "lab/busybox"
_SPARE_LIMIT_S = 60


def main(n: int) -> None:
    """Prints ``{"pairs": [{title, peer, ours_ms, peer_ms}], "not_run": {case: reason}}``."""
    folder = Path(tempfile.mkdtemp(prefix="cl-proot-"))
    ensure_supervisor(folder / "run", folder / "store")
    (folder / "store" / "tmp").mkdir(exist_ok=True)
    images = ImageStore(Database(folder / "store" / "db.sqlite"), folder / "store")
    view = images.layers.view(images.resolve(_IMAGE).chain_id)
    pairs, not_run = [_run(folder, view, n)], {}
    try:
        pairs.append(_roots(folder, view, max(5, n // 5)))
    except (OSError, RuntimeError) as error:
        not_run["a root file system beside udocker"] = str(error)
    told = [{"title": p.title, "peer": p.peer, "ours_ms": p.ours_ms, "peer_ms": p.peer_ms} for p in pairs]
    print(json.dumps({"pairs": told, "not_run": not_run}))


def _run(folder: Path, view: Path, n: int) -> Pair:
    """A container from its bundle to its exit code, copied root and all, beside proot on a root that is there."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    proot = locate()
    words = [proot, "-v", "-1", "-r", str(view), "-0", "-b", "/proc", "-b", "/dev", "-b", "/sys", "-w", "/", "true"]
    stdio = [(os.POSIX_SPAWN_DUP2, null, number) for number in (0, 1, 2)]

    def bare() -> None:
        pid = os.posix_spawn(proot, words, {"PATH": "/bin"}, file_actions=stdio)
        if os.waitpid(pid, 0)[1]:
            raise RuntimeError("bare proot failed")

    loop = asyncio.new_event_loop()
    client = loop.run_until_complete(SupervisorClient.connect(folder / "run"))
    exits: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    client.on_event(exits.put_nowait)
    counter = iter(range(1 << 30))

    async def once(name: str, bundle: Path) -> None:
        await client.call("create", container=name, bundle=str(bundle), io={})
        await client.call("start", container=name)
        if (await exits.get())["exit_code"]:
            raise RuntimeError("the container failed")
        await client.call("forget", container=name)

    def ours() -> float:
        number = next(counter)
        if number:
            _wait_for_spare(view)
        name = f"c{number}"
        bundle = folder / name
        bundle.mkdir()
        annotations = {"containerlab.backend": "proot", "containerlab.copy": str(view)}
        spec = default_spec(["true"], env=["PATH=/bin"], annotations=annotations)
        (bundle / "config.json").write_text(json.dumps(spec))
        before = time.perf_counter_ns()
        loop.run_until_complete(once(name, bundle))
        took = (time.perf_counter_ns() - before) / 1e6
        shutil.rmtree(bundle)
        return took

    return turns("run on the rung proot", "bare proot", ours, bare, n=n)


def _wait_for_spare(view: Path) -> None:
    """As for somebody who starts a container now and then: the supervisor has made its spare copy meanwhile."""
    deadline = time.monotonic() + _SPARE_LIMIT_S
    while not (view.parent / "spare").exists():
        if time.monotonic() > deadline:
            raise RuntimeError("no spare root was made")
        time.sleep(0.02)


def _roots(folder: Path, view: Path, n: int) -> Pair:
    """From an image that is unpacked (udocker: pulled) to a root file system of one container."""
    udocker = shutil.which("udocker")
    if udocker is None:
        raise RuntimeError("udocker is not installed")
    environment = {**os.environ, "UDOCKER_DIR": str(folder / "udocker"), "UDOCKER_LOGLEVEL": "0"}

    def call(*words: str) -> None:
        done = subprocess.run([udocker, "-q", *words], env=environment, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"udocker {words[0]}: {(done.stderr or done.stdout).decode(errors='replace').strip()}")

    archive = folder / "root.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(view, ".")
    call("import", str(archive), "busybox:1")
    counter = iter(range(1 << 30))

    def timed(make: Callable[[str], object], remove: Callable[[str], object]) -> float:
        name = f"r{next(counter)}"
        before = time.perf_counter_ns()
        make(name)
        took = (time.perf_counter_ns() - before) / 1e6
        remove(name)
        return took

    def ours() -> float:
        return timed(lambda name: copy_tree(str(view), str(folder / name)), lambda name: shutil.rmtree(folder / name))

    def theirs() -> float:
        return timed(lambda name: call("create", f"--name={name}", "busybox:1"), lambda name: call("rm", name))

    return turns("a root file system by copy", "udocker create", ours, theirs, n=n, warm_up=1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
