"""The Korean half of the course: the English one's code, texts that translate its words of now, outputs that are so."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pytest

from tests.notebooks import korean, lessons

KOREAN = lessons.ROOT / "notebooks/ko"
NAMES = sorted(path.stem for path in KOREAN.glob("*.ipynb"))
CHEAPEST = "11-from-scratch"
_LINK = re.compile(r"\]\(([^)\s]+\.ipynb)\)")


def _cells(path: Path) -> list[nbformat.NotebookNode]:
    return list(nbformat.read(path, as_version=4).cells)


def _pair(name: str) -> tuple[list[nbformat.NotebookNode], list[nbformat.NotebookNode]]:
    """The cells of the English and of the Korean lesson."""
    return _cells(lessons.ROOT / f"notebooks/{name}.ipynb"), _cells(KOREAN / f"{name}.ipynb")


def test_every_lesson_is_there_in_korean() -> None:
    assert [path.stem for path in lessons.LESSONS] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_code_is_the_same_but_for_the_cell_that_chooses_the_language(name: str) -> None:
    english, translated = _pair(name)
    [chosen] = [cell for cell in translated if cell.id == korean.LANGUAGE]
    assert chosen.source == "%container lang ko"
    translated.remove(chosen)
    assert [(cell.id, cell.cell_type) for cell in translated] == [(cell.id, cell.cell_type) for cell in english]
    for ours, theirs in zip(translated, english, strict=True):
        if theirs.cell_type == "code":
            assert ours.source == theirs.source, f"python -m tests.notebooks.korean {name} takes over the English code"
            assert ours.metadata.get("tags") == theirs.metadata.get("tags")


@pytest.mark.parametrize("name", NAMES)
def test_every_text_is_korean_and_translates_the_english_of_now(name: str) -> None:
    english, translated = _pair(name)
    of_now = {cell.id: korean.digest(cell.source) for cell in english if cell.cell_type == "markdown"}
    texts = [cell for cell in translated if cell.cell_type == "markdown"]
    left_behind = [cell.id for cell in texts if cell.metadata.get("translates") != of_now[cell.id]]
    assert not left_behind, f"the English of {left_behind} has changed: translate it anew (tests/notebooks/korean.py)"
    assert not [cell.id for cell in texts if not re.search("[가-힣]", cell.source)]


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_the_korean_neighbours(name: str) -> None:
    english, translated = _pair(name)
    for ours, theirs in zip((cell for cell in translated if cell.id != korean.LANGUAGE), english, strict=True):
        if ours.cell_type == "markdown":
            assert sorted(_LINK.findall(ours.source)) == sorted(_LINK.findall(theirs.source)), ours.id


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == CHEAPEST else pytest.mark.slow) for name in NAMES]
)
def test_korean_lesson_runs_and_every_output_is_as_stored(name: str) -> None:
    with lessons.store() as environment:
        done = lessons.nbval(KOREAN / f"{name}.ipynb", environment)
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_korean_lesson_runs_the_same_for_a_user_without_root(name: str) -> None:
    notebook = lessons.readable_copy(KOREAN / f"{name}.ipynb")
    try:
        with lessons.store(lessons.SOMEBODY) as environment:
            done = lessons.nbval(notebook, environment, lessons.SOMEBODY)
        assert done.returncode == 0, done.stdout[-6000:]
    finally:
        shutil.rmtree(notebook.parent)


@pytest.mark.parametrize("name", NAMES)
def test_its_pictures_are_in_korean_and_no_cell_complains(name: str) -> None:
    for cell in _cells(KOREAN / f"{name}.ipynb"):
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                assert re.search("[가-힣]", output["data"]["text/plain"]), cell.id
            assert "Glyph" not in output.get("text", ""), "a letter without a font"
