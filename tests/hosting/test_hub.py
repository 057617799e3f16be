"""The deployed JupyterHub: students log in, each has a server and an engine of their own, and a lesson runs through."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hosting.hub import class_runs, hub
from tests.hosting.students import SOURCE, accounts, students
from tests.store import Store

pytestmark = pytest.mark.root

_LESSON = SOURCE / "notebooks/01-first-container.ipynb"


def _a_class_runs_a_lesson(folder: Path, count: int) -> None:
    pytest.importorskip("jupyterhub")
    for path in (folder, folder.parent, folder.parent.parent):
        path.chmod(path.stat().st_mode | 0o011)
    teacher, shared = Store(folder / "teacher"), folder / "shared"
    try:
        teacher.start()
        command = [sys.executable, "-m", "containerlab", "system", "share", str(shared), "lab/busybox", "lab/python"]
        subprocess.run(command, env={**os.environ, "DOCKER_HOST": teacher.host}, check=True, stdout=subprocess.DEVNULL)
    finally:
        teacher.end()
    with students(count) as found, accounts(found):
        with hub(folder, found, CONTAINERLAB_SHARED_STORE=str(shared)) as running:
            lessons = asyncio.run(class_runs(running, found, _LESSON))
        for student in found:  # as their engine was used
            assert student.store.stat().st_uid == student.uid
    assert {lesson.student: lesson.errors for lesson in lessons} == {student.name: [] for student in found}
    assert all(lesson.cells > 5 for lesson in lessons)


@pytest.mark.slow
def test_five_students_run_a_lesson_at_once(tmp_path: Path) -> None:
    _a_class_runs_a_lesson(tmp_path, 5)


@pytest.mark.slow
def test_twenty_students_run_a_lesson_at_once(tmp_path: Path) -> None:
    _a_class_runs_a_lesson(tmp_path, 20)
