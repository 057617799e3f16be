"""The same build one namespace deeper: an unprivileged user, with one id alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

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


def test_an_unprivileged_user_builds_the_same_way(folder: Path) -> None:
    source = Path(containerlab.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, str(_PROGRAM), str(folder)],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(source)},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **({"user": _UID, "group": _UID, "extra_groups": []} if os.geteuid() == 0 else {}),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
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
