"""buildah, a builder without an engine, on storage of its own that goes with the benchmark."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.engines import IMAGE, Engine

__all__ = ["Buildah"]


class Buildah:
    """``buildah build`` with the base image in reach; its steps run in a chroot, in the host's network.

    With its other kinds of isolation it needs a network of its own, which would touch the host's.
    """

    def __init__(self, folder: Path) -> None:
        places = ["--root", str(folder / "root"), "--runroot", str(folder / "run")]
        self._storage = [*places, "--storage-driver", "overlay"]

    @classmethod
    @contextmanager
    def started(cls, engine: Engine) -> Iterator[Buildah | None]:
        """With ``engine``'s base image; None where there is no buildah."""
        if shutil.which("buildah") is None:
            yield None
            return
        folder = Path(tempfile.mkdtemp(prefix="cl-buildah-"))
        try:
            made = cls(folder)
            archive = folder / "base.tar"
            with archive.open("wb") as out:
                for piece in engine.client.api.get_image(IMAGE):
                    out.write(piece)
            made._run("pull", f"docker-archive:{archive}")
            yield made
        finally:
            for mount in _mounts_below(folder):
                subprocess.run(["umount", mount], check=False, capture_output=True)
            shutil.rmtree(folder, ignore_errors=True)

    def build(self, context: Path, *options: str) -> None:
        """One build; layers are kept, so that the next one finds them."""
        common = ["--layers", "--isolation", "chroot", "--pull-never", "-t", "bench:1"]
        self._run("build", *common, *options, str(context))

    def _run(self, *words: str) -> None:
        done = subprocess.run(["buildah", *self._storage, *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"buildah {' '.join(words)}: {done.stderr[-500:]}")


def _mounts_below(folder: Path) -> list[str]:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in reversed(points) if point.startswith(f"{folder}{os.sep}")]
