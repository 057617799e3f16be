"""Limits a student: a cgroup around what they start holds for their engine's containers, whatever these are allowed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosting.students import Student, students

pytestmark = pytest.mark.root

_MOST = 60
_BOMB = "n=0; while [ $n -lt 200 ]; do sleep 30 & n=$((n+1)); done; wait"
_INSIDE = """
import os, sys
group, uid, *words = sys.argv[1:]
with open(group, "w") as procs:
    procs.write("0")
os.setgroups([])
os.setgid(int(uid))
os.setuid(int(uid))
os.execv(sys.executable, [sys.executable, "-m", "containerlab", *words])
"""


def _hierarchy() -> Path:
    """Where groups with a limit of processes can be made: v1's pids, else the unified one that hands it on."""
    for folder in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")):
        if (folder / "cgroup.procs").exists():
            return folder
    pytest.skip("needs a cgroup hierarchy")


@pytest.fixture
def limited() -> Iterator[Path]:
    """A group of ``_MOST`` processes at most, as a hub's spawner makes one; emptied and removed at the end."""
    group = _hierarchy() / f"cl-student-{os.getpid()}"
    try:
        group.mkdir()
        (group / "pids.max").write_text(str(_MOST))
    except OSError as error:
        pytest.skip(f"needs a group with a limit of processes: {error}")
    try:
        yield group
    finally:
        below = sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True)
        for each in (*below, group):
            while pids := (each / "cgroup.procs").read_text().split():
                for pid in pids:
                    (_hierarchy() / "cgroup.procs").write_text(pid)
            each.rmdir()


@pytest.fixture
def student() -> Iterator[Student]:
    with students(1) as [found]:
        yield found


def test_a_limit_around_the_students_engine_holds_for_their_containers(limited: Path, student: Student) -> None:
    command = [sys.executable, "-c", _INSIDE, str(limited / "cgroup.procs"), str(student.uid)]
    done = subprocess.run(
        [*command, "run", "-d", "--name", "bomb", "--network", "none", "lab/busybox", "sh", "-c", _BOMB],
        env=student.environment(),
        cwd=student.home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + 60
    while "fork" not in (said := student.lab("logs", "bomb").stderr) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "fork" in said
    assert int((limited / "pids.current").read_text()) <= _MOST
    assert student.lab("rm", "-f", "bomb").returncode == 0
