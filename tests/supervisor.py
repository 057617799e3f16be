"""A supervisor of a test's own, with no engine before it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

from containerlab.runtime import supervisor
from tests.waiting import eventually

_LIMIT_S = 30


def start_supervisor(run_folder: Path, errors: Path | None = None) -> subprocess.Popen[bytes]:
    """One that listens in ``run_folder``; its stderr goes to the file ``errors``, else where the test's goes."""
    command = [sys.executable, "-S", "-E", Path(supervisor.__file__).parent, "--run", run_folder]
    ready = run_folder / "supervisor.json"
    with open(errors, "wb") if errors else contextlib.nullcontext() as stderr:
        process = subprocess.Popen(command, cwd="/", stdin=subprocess.DEVNULL, stderr=stderr)
    eventually(lambda: ready.exists() or process.poll() is not None, _LIMIT_S)
    if process.poll() is not None or not ready.exists():
        process.kill()
        process.wait()
        raise RuntimeError(f"the supervisor didn't start: {errors.read_text() if errors else process.returncode}")
    return process


def end_supervisor(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end; one that doesn't is killed, and that is a failure."""
    process.terminate()
    try:
        process.wait(_LIMIT_S)
    finally:
        process.kill()
        process.wait()
