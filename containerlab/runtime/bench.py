"""``python -m containerlab.runtime.bench``: what a whole sandbox costs beside a plain process, with no engine.

Each run is one start and end of a static busybox's ``true``: every namespace, overlay, cgroup with device
filter where the host has one, seccomp filter and capabilities; on the rung proot a copied root, and proot. ``--json``
prints ``{"process": [ms, …], "container": [ms, …], "features": {…}}``. The cgroup is made before the clock starts, as
an engine's create does.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from containerlab.errors import ContainerlabError, HostLacks
from containerlab.rung import PROOT, copies_roots
from containerlab.runtime import cgroups, launch, seccomp
from containerlab.runtime.capabilities import DEFAULT
from containerlab.runtime.spawn import Failed, spawn
from containerlab.runtime.spec import default_spec

__all__ = ["main"]

_START_LIMIT_S = 30.0


def main(argv: list[str] | None = None) -> int:
    """Prints the figures; 1, with the reason on stderr, where this host can't run a sandbox."""
    parser = argparse.ArgumentParser(prog="containerlab.runtime.bench")
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--gap-ms", type=float, default=0.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="containerlab-bench-"))
    try:
        launch.find_rung()
        figures = _measure(folder, max(1, options.n), options.gap_ms / 1000)
    except (ContainerlabError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        print(json.dumps(figures))
    else:
        for name in ("process", "container"):
            print(f"{name}: median {statistics.median(figures[name]):.2f} ms, n={len(figures[name])}")
    return 0


def _measure(folder: Path, n: int, gap_s: float) -> dict[str, Any]:
    busybox = shutil.which("busybox")
    if busybox is None:
        raise HostLacks("no busybox on this host", hint="Install busybox-static.")
    bundle, spec = _bundle(folder, busybox)
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    driver = cgroups.driver()
    figures: dict[str, Any] = {"process": [], "container": [], "features": driver.features}
    if not driver.can_filter_devices:
        for kept in spec["process"]["capabilities"].values():
            kept.remove("CAP_MKNOD")  # never with unfiltered devices
    try:
        for turn in range(n + 1):
            time.sleep(gap_s)
            process = _process(busybox)
            time.sleep(gap_s)
            container = _container(spec, bundle, null, driver, turn)
            if turn:  # the first of each warms caches and isn't counted
                figures["process"].append(process)
                figures["container"].append(container)
    finally:
        os.close(null)
    return figures


def _bundle(folder: Path, busybox: str) -> tuple[str, dict[str, Any]]:
    base = folder / "layers/base/diff/bin"
    base.mkdir(parents=True)
    shutil.copy(busybox, base / "busybox")
    (base / "true").symlink_to("busybox")
    (folder / "layers/l").mkdir()
    (folder / "layers/l/B").symlink_to("../base/diff")
    bundle = folder / "bundle"
    for name in ("upper", "work"):
        (bundle / name).mkdir(parents=True)
    overlay = {
        "layers": str(folder / "layers"),
        "lower": ["l/B"],
        "upper": str(bundle / "upper"),
        "work": str(bundle / "work"),
        "volatile": False,
    }
    if copies_roots():
        annotations = {"containerlab.backend": PROOT, "containerlab.copy": str(folder / "layers/base/diff")}
        return str(bundle), default_spec(["true"], env=["PATH=/bin"], annotations=annotations)
    annotations = {
        "containerlab.overlay": json.dumps(overlay),
        "containerlab.seccomp": str(seccomp.profile_path(folder, frozenset(DEFAULT))),
    }
    return str(bundle), default_spec(["true"], env=["PATH=/bin"], hostname="bench", annotations=annotations)


def _process(busybox: str) -> float:
    before = time.perf_counter_ns()
    pid = os.posix_spawn(busybox, ["true"], {})
    os.waitpid(pid, 0)
    return (time.perf_counter_ns() - before) / 1e6


def _container(spec: dict[str, Any], bundle: str, null: int, driver: cgroups.Driver, turn: int) -> float:
    rules = spec["linux"]["resources"]["devices"] if driver.can_filter_devices else None
    cgroup = driver.create(f"bench-{os.getpid()}-{turn}", {}, devices=rules)
    try:
        before = time.perf_counter_ns()
        starting = spawn(spec, bundle, (null, null, null), cgroup)
        answer = None
        while answer is None:
            if not select.select([starting], [], [], _START_LIMIT_S)[0]:
                os.kill(starting.pid, signal.SIGKILL)
            answer = starting.receive()
        os.waitpid(starting.pid, 0)
        took = (time.perf_counter_ns() - before) / 1e6
    finally:
        cgroup.close()
        cgroup.remove()
        if copies_roots():  # each has a copy of its own
            shutil.rmtree(Path(bundle, "rootfs"), ignore_errors=True)
            Path(bundle, "copied.json").unlink(missing_ok=True)
    if isinstance(answer, Failed):
        raise OSError(answer.errno, f"{answer.stage}: {answer.message}", answer.path or None)
    return took


if __name__ == "__main__":
    sys.exit(main())
