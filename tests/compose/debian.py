"""Root file systems of Debian's packages, unpacked and not configured: images of our own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["unpacked"]


def unpacked(target: Path, packages: str) -> Path:
    """The tar at ``target`` of these packages (comma-separated) and what they need; a skip where they can't be had."""
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap isn't installed")
    done = subprocess.run(
        ["mmdebstrap", "--variant=extract", f"--include={packages}", "bookworm", str(target)],
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"Debian's packages can't be had: {done.stderr.splitlines()[-1:]}")
    return target
