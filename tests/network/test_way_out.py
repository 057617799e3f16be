"""The way out as containers, builds and ``doctor`` see it, for an engine of root's and one of an unprivileged user."""

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

from tests.rungs import RUNGS, user_with_ids

_UID = 54_323  # of nobody's: no subordinate ids
_PROGRAM = Path(__file__).with_name("engine_program.py")
_SOURCE = _PROGRAM.parents[2]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a host's network namespace is root's to make")
needs_slirp = pytest.mark.skipif(shutil.which("slirp4netns") is None, reason="slirp4netns isn't installed")


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="cl-out-", dir="/tmp"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@needs_root
@needs_slirp
@pytest.mark.parametrize("rung", RUNGS)
def test_containers_and_builds_reach_the_world(folder: Path, rung: str) -> None:
    uid = {"root": 0, "rootless": _UID}[rung] if rung != "rootless-ids" else user_with_ids().pw_uid
    os.chown(folder, uid, uid)
    done = subprocess.run(
        [sys.executable, str(_PROGRAM), str(folder), str(uid)],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(_SOURCE)},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "bridge web": "outside",
        "bridge name": "1",
        "lab web": "outside",
        "lab name": "1",
        "shut web": "exit 1",
        "shut name": "exit 1",
        "nobody": "exit 1",
        "none": "exit 1",
        "RUN ": "outside",
        "RUN --network=none": "1",
        "started again": True,
        "started again by another engine": True,
        "a port while no engine runs": "hello",
        "a port after a restart": "hello",
        "a name after a restart": "hello",
        "after a restart": "outside",
        "the same": True,
    }


def _doctor(path: str, uid: int) -> dict[str, object]:
    command = [sys.executable, "-m", "containerlab", "doctor", "--json"]
    user = {"user": uid, "group": uid, "extra_groups": []} if uid else {}
    environment = {"PATH": path, "PYTHONPATH": str(_SOURCE)}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=True, cwd="/", **user)
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("uid", [0, pytest.param(_UID, marks=needs_root)], ids=["own", "rootless"])
def test_doctor_proves_the_way_out_or_says_what_to_install(uid: int, tmp_path: Path) -> None:
    without = _doctor(str(tmp_path), uid)
    assert without["features"]["way_out"] is False
    assert "slirp4netns isn't installed (Debian's package slirp4netns)" in without["reasons"]["way_out"]
    if shutil.which("slirp4netns") is not None:
        assert _doctor(os.environ["PATH"], uid)["features"]["way_out"] is True
