"""``python -m course.assignment LESSON… --to FOLDER``: a lesson as nbgrader's source of an assignment.

The lesson stays what it is, its cells locked. Before each ``%check`` comes a cell for the answer, with the exercise's
own solution between nbgrader's marks (``generate_assignment`` takes it out), and behind it one that is graded:
``grade`` gives the part of the points that the engine's state is worth.
"""

from __future__ import annotations

import argparse
import re
import shutil
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course import lessons

__all__ = ["assignment", "main", "write"]

_CHECK = re.compile(r"%check (\d\d)\.(\d)")
_SCHEMA = 3  # of nbgrader's metadata
_BESIDE = ("guestbook", "wheels")  # folders that lessons read from
_SETUP = """from containerlab.lab.exercises import begin, grade

begin("{lesson}")  # what an earlier attempt has left is removed, and doesn't count"""
_ANSWER = """### BEGIN SOLUTION
from containerlab.lab import connect, exercise

exercise("{id}").solve(connect())
### END SOLUTION"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m course.assignment", description=__doc__)
    parser.add_argument("lessons", nargs="+", metavar="LESSON", help="a number, such as 01")
    parser.add_argument("--to", type=Path, default=Path("source"), help="nbgrader's source folder (default: source)")
    parser.add_argument("--lang", choices=lessons.LANGUAGES, default="en", help="the language of the texts")
    parser.add_argument("--points", type=int, default=10, help="of each exercise (default: 10)")
    asked = parser.parse_args()
    for number in asked.lessons:
        print(write(number.zfill(2), asked.to, asked.lang, asked.points))


def write(number: str, to: Path, language: str = "en", points: int = 10) -> Path:
    """``TO/lesson-NN/lesson-NN.ipynb``, with the folders that some lessons read from beside it."""
    name = next((name for name in lessons.names() if name.startswith(f"{number}-")), None)
    if name is None:
        raise SystemExit(f"There is no lesson {number}. There are {', '.join(lessons.names())}.")
    target = to / f"lesson-{number}"
    target.mkdir(parents=True, exist_ok=True)
    if any(folder in cell.source for cell in lessons.read(name).cells for folder in _BESIDE):
        for folder in _BESIDE:
            shutil.copytree(lessons.NOTEBOOKS / folder, target / folder, dirs_exist_ok=True)
    file = target / f"lesson-{number}.ipynb"
    nbformat.write(assignment(lessons.read(name, language), points), file)
    return file


def assignment(notebook: NotebookNode, points: int) -> NotebookNode:
    """The lesson as an assignment, without outputs."""
    cells: list[NotebookNode] = []
    set_up = False
    for cell in notebook.cells:
        cell.metadata.pop("translates", None)
        found = _CHECK.search(cell.source) if cell.cell_type == "code" else None
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if found:
            id = f"{found[1]}.{found[2]}"
            cells.append(_cell(f"answer-{found[2]}", _ANSWER.format(id=id), solution=True))
            cells += [cell, _cell(f"grade-{found[2]}", f'grade("{id}", {points})', points=points, locked=True)]
            continue
        if cell.cell_type == "code":
            cell.metadata["nbgrader"] = _marks(cell.id, locked=True)
        cells.append(cell)
        if not set_up and cell.cell_type == "code" and (lesson := re.search(r"%container lesson (\d+)", cell.source)):
            cells.append(_cell("begin", _SETUP.format(lesson=lesson[1].zfill(2)), locked=True))
            set_up = True
    notebook.cells = cells
    return notebook


def _cell(
    id: str, source: str, *, solution: bool = False, locked: bool = False, points: int | None = None
) -> NotebookNode:
    cell: NotebookNode = nbformat.v4.new_code_cell(source, id=id)
    cell.metadata["nbgrader"] = _marks(id, solution=solution, locked=locked, points=points)
    return cell


def _marks(id: str, *, solution: bool = False, locked: bool = False, points: int | None = None) -> dict[str, object]:
    """What nbgrader knows of a cell (its metadata's schema 3)."""
    marks: dict[str, object] = {"grade_id": id, "schema_version": _SCHEMA, "cell_type": "code", "task": False}
    marks |= {"solution": solution, "locked": locked, "grade": points is not None}
    return marks if points is None else marks | {"points": points}


if __name__ == "__main__":
    main()
