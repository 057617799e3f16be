"""The same copies one namespace deeper: an unprivileged user, with one id alone."""

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

_UID = 54_322  # of nobody's: no subordinate ids
_PROGRAM = Path(__file__).with_name("archive_rootless_program.py")


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="cl-cp-", dir="/tmp"))
    try:
        if os.geteuid() == 0:
            os.chown(made, _UID, _UID)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def test_an_unprivileged_user_copies_and_compares_the_same_way(folder: Path) -> None:
    source = _PROGRAM.parent.parent.parent
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
    found = json.loads(done.stdout)
    owners = {found.pop(f"{state} owner") for state in ("created", "running", "exited")}
    assert owners in ({0}, {12})  # root's where there is one id, the archive's where there are more
    assert found.pop("shared") == ["file", "theirs"]
    assert found.pop("diff") == [
        "A /data", "C /etc", "D /etc/group", "C /home", "A /home/new", "A /mnt", "A /mnt/shared",
        "C /tmp", "A /tmp/file", "A /tmp/theirs",
    ]  # fmt: skip
    assert {key: value for key, value in found.items() if key.endswith("etc")} == {
        "created etc": True, "running etc": True, "exited etc": True,
    }  # fmt: skip
    assert {value for key, value in found.items() if not key.endswith("etc")} == {"x\n"}
