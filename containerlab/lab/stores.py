"""Another store with an engine of its own: on one host, what a second machine would be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path

from containerlab.errors import ContainerlabError

__all__ = ["AnotherStore", "another_store"]


def another_store() -> AnotherStore:
    """A new, empty store in a folder of its own."""
    return AnotherStore(Path(tempfile.mkdtemp(prefix="containerlab-store-")))


class AnotherStore:
    """``store("run", "--rm", "lab/busybox", "date")`` is the command ``containerlab run …`` with this store's engine.

    The engine starts with the first command. The store ends with ``.end()``, with the block where it is used as a
    context manager, and at the latest when nothing refers to it any more.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.end = weakref.finalize(self, _end, folder)
        """Removes all that it keeps, and the folder; once is enough, twice does no harm."""

    def __call__(self, *words: str) -> str:
        """What the command prints. Raises ContainerlabError with its last words where it fails."""
        done = _command(self.folder, *words)
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise ContainerlabError(f"containerlab {' '.join(words)} ended with exit code {done.returncode}: {said}")
        return done.stdout

    def __enter__(self) -> AnotherStore:
        return self

    def __exit__(self, *about: object) -> None:
        self.end()


def _command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("DOCKER_HOST", "CONTAINERLAB_HOST")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "containerlab", *words],
        env={**kept, "CONTAINERLAB_STORE": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _end(folder: Path) -> None:
    _command(folder, "system", "reset", "--force")
    shutil.rmtree(folder, ignore_errors=True)
