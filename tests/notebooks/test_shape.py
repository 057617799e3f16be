"""What every lesson has: what it is for, predictions, exercises that check themselves, and a way on."""

from __future__ import annotations

import re

import nbformat
import pytest

from containerlab.lab import exercises
from tests.notebooks import lessons

# What each thing is called in either language.
WORDS = {
    "": {
        "time": r"\*About \d+ minutes\.",
        "goal": "By the end",
        "predict": r"\*\*Predict",
        "summary": r"(?m)^## What you (?:know|can do) now$",
        "heard": r"> \*\*Often heard:",
        "read": r"\*\*Read on:\*\*",
        "tidy": r"(?m)^## Clean up$",
        "next": "Next: ",
    },
    "ko/": {
        "time": r"\*약 \d+분\.",
        "goal": "이 과를 마치면",
        "predict": r"\*\*예측해 보세요",
        "summary": r"(?m)^## 이제 (?:알게 된|할 수 있는) 것$",
        "heard": r"> \*\*흔히 듣는 말:",
        "read": r"\*\*더 읽을거리:\*\*",
        "tidy": r"(?m)^## 정리$",
        "next": "다음: ",
    },
}
NAMES = [path.stem for path in lessons.LESSONS]


def _cells(folder: str, name: str) -> list[nbformat.NotebookNode]:
    return list(nbformat.read(lessons.ROOT / f"notebooks/{folder}{name}.ipynb", as_version=4).cells)


@pytest.mark.parametrize("folder", WORDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_says_what_it_is_for_asks_for_predictions_and_leads_on(folder: str, name: str) -> None:
    words, cells = WORDS[folder], _cells(folder, name)
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for what in ("time", "goal"):
        assert re.search(words[what], cells[0].source), f"no {what} on top"
    assert len(re.findall(words["predict"], text)) >= 3
    at_the_end = [
        [found.start() for found in re.finditer(words[what], text)] for what in ("summary", "heard", "read", "tidy")
    ]
    assert [len(places) for places in at_the_end] == [1, 1, 1, 1]
    assert at_the_end == sorted(at_the_end), "in another order"
    if name != NAMES[-1]:
        assert f"]({NAMES[NAMES.index(name) + 1]}.ipynb)" in cells[-1].source and words["next"] in cells[-1].source


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_has_two_to_four_exercises_of_its_own_in_order(name: str) -> None:
    number = name[:2]
    asked = [cell.source.split()[1] for cell in _cells("", name) if cell.source.startswith("%check ")]
    assert 2 <= len(asked) <= 4
    assert asked == [id for id in exercises.exercises() if id.startswith(f"{number}.")]


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_marks_what_it_makes_and_removes_it_at_the_end(name: str) -> None:
    code = [cell.source for cell in _cells("", name) if cell.cell_type == "code"]
    assert code[0].startswith(f"%load_ext containerlab\n%container lesson {int(name[:2])}")
    assert any("%container reset --lesson" in source for source in code[-2:])


def test_the_readme_lists_every_lesson() -> None:
    readme = (lessons.ROOT / "README.md").read_text()
    assert [name for name in NAMES if f"](notebooks/{name}.ipynb)" in readme] == NAMES
