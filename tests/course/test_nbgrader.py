"""A class that is graded: a lesson as an assignment, handed in right, partly right and empty, graded by nbgrader."""

from __future__ import annotations

import copy
import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course import assignment, lessons
from tests.notebooks.lessons import store

COURSE = lessons.ROOT / "course/nbgrader"
APART = Path(sys.prefix) / "apart"  # `make setup-test` puts nbgrader there, outside of what JupyterLab loads

HALF = {
    "answer-1": "%container run -d --name left --network none lab/busybox sleep 600",
    "answer-2": "%container run -d --name kitchen --network none lab/busybox sleep 600",
    "answer-3": "%container run --name polite --network none --no-raise lab/busybox sh -c 'exit 143'",
}


def test_the_assignment_that_lies_there_is_made_of_the_lesson_of_now(tmp_path: Path) -> None:
    made = assignment.write("01", tmp_path).read_text()
    assert made == (COURSE / "source/lesson-01/lesson-01.ipynb").read_text(), "python -m course.assignment 01 --to …"


@pytest.mark.parametrize("name", lessons.names())
@pytest.mark.parametrize("language", lessons.LANGUAGES)
def test_each_exercise_of_each_lesson_can_be_graded(name: str, language: str) -> None:
    cells = assignment.assignment(lessons.read(name, language), 10).cells
    marks = [cell.metadata["nbgrader"] for cell in cells if "nbgrader" in cell.metadata]
    checks = [cell for cell in cells if cell.cell_type == "code" and "%check" in cell.source]
    graded = [mark for mark in marks if mark["grade"]]
    assert len(graded) == len([mark for mark in marks if mark["solution"]]) == len(checks) >= 2
    assert sum(mark["points"] for mark in graded) == 10 * len(checks)
    assert len({mark["grade_id"] for mark in marks}) == len(marks)
    assert [cell.id for cell in cells].count("begin") == 1
    assert len({cell.id for cell in cells}) == len(cells)


def test_what_a_lesson_reads_comes_along(tmp_path: Path) -> None:
    assignment.write("12", tmp_path)
    assert (tmp_path / "lesson-12/guestbook/web.py").is_file()
    with pytest.raises(SystemExit, match="There is no lesson 99"):
        assignment.write("99", tmp_path)


@pytest.mark.slow
def test_right_partly_right_and_empty_get_all_some_and_no_points(tmp_path: Path) -> None:
    course = shutil.copytree(COURSE, tmp_path / "course", ignore=shutil.ignore_patterns(".grading"))
    with store() as environment:
        environment["PYTHONPATH"] = os.pathsep.join((str(APART), str(lessons.ROOT)))
        environment["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), environment["PATH"]))  # for alembic
        _nbgrader(course, environment, "generate_assignment", "lesson-01")
        released = nbformat.read(course / "release/lesson-01/lesson-01.ipynb", as_version=4)
        assert not any("solve(" in cell.source for cell in released.cells)
        solved = nbformat.read(course / "source/lesson-01/lesson-01.ipynb", as_version=4)
        _hand_in(course, "all", solved, {})
        _hand_in(course, "some", released, HALF)
        _hand_in(course, "none", released, {})
        try:
            _nbgrader(course, environment, "autograde", "lesson-01")
        finally:
            _end_engine(course)
        _nbgrader(course, environment, "export")
    with (course / "grades.csv").open() as file:
        points = {row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in csv.DictReader(file)}
    # Of 01.1 two of five steps, of 01.2 one of two, of 01.3 two of three.
    assert points == {"all": (30, 30), "some": (pytest.approx(4 + 5 + 6.67), 30), "none": (0, 30)}


def _hand_in(course: Path, student: str, notebook: nbformat.NotebookNode, answers: dict[str, str]) -> None:
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        cell.source = answers.get(cell.id, cell.source)
    folder = course / f"submitted/{student}/lesson-01"
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / "lesson-01.ipynb")


def _nbgrader(course: Path, environment: dict[str, str], *words: str) -> None:
    command = [sys.executable, "-m", "nbgrader", *words]
    done = subprocess.run(
        command, cwd=course, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]


def _end_engine(course: Path) -> None:
    command = [sys.executable, "-P", str(lessons.ROOT / "tests/store.py"), str(course / ".grading/store")]
    subprocess.run(command, check=True, capture_output=True)
