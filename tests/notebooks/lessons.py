"""Run a lesson under nbval, outputs compared, in a store of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SANITIZERS = ROOT / "tests/notebooks/sanitize.cfg"
SOMEBODY = 64_321  # a uid without a passwd entry, without subordinate ids: the narrowest rootless user


@contextmanager
def store(uid: int | None = None) -> Iterator[dict[str, str]]:
    """The environment of a user with an empty store; its engine is ended and all of it removed afterwards."""
    home = Path(tempfile.mkdtemp(prefix="cl-lesson-"))
    if uid is not None:
        os.chown(home, uid, uid)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "XDG_"))}
    environment |= {
        "HOME": str(home),
        "CONTAINERLAB_STORE": str(home / "store"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "IPYTHONDIR": str(home / "ipython"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for name in ("DOCKER_HOST", "CONTAINERLAB_HOST"):
        environment.pop(name, None)
    try:
        yield environment
    finally:
        end = [sys.executable, "-P", str(ROOT / "tests/store.py"), environment["CONTAINERLAB_STORE"]]
        ended = _as(uid, end, environment, home)
        shutil.rmtree(home, ignore_errors=True)
        if uid is not None:
            with suppress(OSError):
                Path(f"/tmp/containerlab-{uid}").rmdir()
        if ended.returncode:
            raise RuntimeError(f"the engine of {home} didn't end: {ended.stderr}")


@contextmanager
def alone(lesson: str) -> Iterator[None]:
    """One at a time, of all the workers: lesson 11 looks for a process on the whole host, and ends it."""
    if not lesson.startswith("11"):
        yield
        return
    with open(Path(tempfile.gettempdir()) / f"cl-lesson-11-{os.getuid()}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def nbval(notebook: Path, environment: dict[str, str], uid: int | None = None) -> subprocess.CompletedProcess[str]:
    """``pytest --nbval`` on one notebook; the return code is 0 only if every output is as stored."""
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-sanitize-with", str(SANITIZERS)]
    command += ["-p", "no:cacheprovider", "-p", "no:xdist", "-q", "--rootdir", str(notebook.parent), "-c", os.devnull]
    with alone(notebook.name):
        return _as(uid, [*command, str(notebook)], environment, notebook.parent)


def readable_copy(notebook: Path) -> Path:
    """A copy that ``SOMEBODY`` may read, alone in a folder, which is the caller's to remove."""
    folder = Path(tempfile.mkdtemp(prefix="cl-notebook-"))
    os.chown(folder, SOMEBODY, SOMEBODY)
    for beside in ("guestbook", "wheels"):
        shutil.copytree(ROOT / "notebooks" / beside, folder / beside)
    return Path(shutil.copy(notebook, folder))


def _as(
    uid: int | None, command: list[str], environment: dict[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        user=uid,
        group=uid,
        extra_groups=[] if uid is not None else None,
    )
