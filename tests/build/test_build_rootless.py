"""The same build one namespace deeper: an unprivileged user, with one id alone or with subordinate ones."""

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

import containerlab

_UID = 54_321  # of nobody's: no subordinate ids
_PROGRAM = Path(__file__).with_name("rootless_program.py")


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="cl-build-", dir="/tmp"))
    try:
        if os.geteuid() == 0:
            os.chown(made, _UID, _UID)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def build(folder: Path, uid: int) -> dict[str, Any]:
    source = Path(containerlab.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, str(_PROGRAM), str(folder)],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(source)},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **({"user": uid, "group": uid, "extra_groups": []} if os.geteuid() == 0 else {}),
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_unprivileged_user_builds_the_same_way(folder: Path) -> None:
    found = build(folder, _UID)
    del found["reproducible"]
    own = found.pop("uid_map")
    assert own[0] == "0"
    assert found == {
        "uid": "0\n",
        "w/copied": "file\n",
        "file": "file\nmore\n",
        "s": "stage\n",
        "mounted": "stage\nkey\nfile\n",
        "owner": 5 if int(own[2]) > 5 or len(own) > 3 else 0,
        "whiteout": True,
        "mode": 0o644,
        "same": True,
    }


@pytest.mark.root
def test_root_and_an_unprivileged_user_make_the_same_image_of_the_same_sources(folder: Path) -> None:
    """Their stores have nothing in common; only what one id alone can't have (other owners, groups) would differ."""
    (folder / "rootless").mkdir()
    os.chown(folder / "rootless", _UID, _UID)
    (folder / "root").mkdir()
    made = [build(folder / "rootless", _UID), build(folder / "root", 0)]
    assert made[0]["uid_map"] != made[1]["uid_map"]
    assert made[0]["reproducible"] == made[1]["reproducible"]
