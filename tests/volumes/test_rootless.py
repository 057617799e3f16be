"""The same volumes and mounts one namespace deeper: an unprivileged user, with one id alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_UID = 54_323  # of nobody's: no subordinate ids
_PROGRAM = Path(__file__).with_name("rootless_program.py")


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, Any]]:
    """What the program saw, all of it in one engine."""
    folder = Path(tempfile.mkdtemp(prefix="cl-vol-", dir="/tmp"))
    source = _PROGRAM.parent.parent.parent
    try:
        if os.geteuid() == 0:
            os.chown(folder, _UID, _UID)
        done = subprocess.run(
            [sys.executable, str(_PROGRAM), str(folder)],
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(source)},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **({"user": _UID, "group": _UID, "extra_groups": []} if os.geteuid() == 0 else {}),
        )
        assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_named_and_anonymous_volumes_keep_what_is_written(found: dict[str, Any]) -> None:
    assert found["kept"] == "data"
    assert found["kept after kill"] == "data"
    assert found["in use"] == "409 remove kept: volume is in use - [ID]"
    assert found["anonymous gone"] is True
    assert found["read only"] is True


def test_a_new_volume_takes_the_image_s_content_with_its_modes(found: dict[str, Any]) -> None:
    assert found["content"] == ["image", "750"]
    assert found["nocopy"] == ""


def test_options_of_the_driver_and_of_a_tmpfs(found: dict[str, Any]) -> None:
    assert found["tmpfs volume"] == ["tmpfs", "700", "full"]
    assert found["tmpfs volume again"] == ""
    assert found["tmpfs"] == ["tmpfs", "711", "full"]
    assert found["bound"] == "from the host"
    assert found["bound read-only"] is True


def test_parts_of_a_volume_and_links_that_lead_out(found: dict[str, Any]) -> None:
    assert found["part"] == "deep"
    assert "path concatenation escapes the base directory" in found["part outside"]
    assert "no such file or directory" in found["part missing"]


def test_binds_and_their_propagation(found: dict[str, Any]) -> None:
    assert found["bind"] == "file"
    assert found["shared"].endswith("but it is not a shared mount")
    assert "bind source path does not exist" in found["bind missing"]


def test_prune_and_the_size_in_use(found: dict[str, Any]) -> None:
    assert found["size"] == 4096
    assert found["pruned"] == ["kept", "once"]
