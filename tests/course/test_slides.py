"""Slides for a hall without internet: what a class looks at, the prose in the notes, an answer one key later."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from course import lessons, slides
from tests.course.conftest import Page as Read
from tests.course.conftest import dead, fetched_from_elsewhere


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slides") / "slides"
    slides.build(folder)
    return folder


@pytest.mark.parametrize("language", lessons.LANGUAGES)
@pytest.mark.parametrize("name", lessons.names())
def test_nothing_of_a_lesson_is_lost(name: str, language: str) -> None:
    notebook = lessons.read(name, language)
    made = slides.slides(notebook)
    cells = [cell for slide in made for cell in slide.shown]
    code = [cell.source for cell in cells if cell.cell_type == "code" and "transient" not in cell.metadata]
    assert code == [cell.source for cell in notebook.cells if cell.cell_type == "code" and not slides.serves(cell)]
    told = "\n\n".join([*(c.source for s in made for c in s.shown), *(n for s in made for n in s.notes)])
    told += "".join(slide.heading for slide in made)
    words = {word for cell in notebook.cells if cell.cell_type == "markdown" for word in cell.source.split()}
    assert {word for word in words if word.strip("#") and word not in told} == set()
    assert all(slide.shown for slide in made) and sum(slide.asks for slide in made) >= 3


def test_every_lesson_has_slides_that_are_listed(deck: Path) -> None:
    files = [f"{name}.html" for name in lessons.names()]
    assert Read((deck / "index.html").read_text()).links == [*files, *(f"ko/{file}" for file in files)]
    assert all((deck / "ko" / file).is_file() for file in files)


def test_no_link_is_dead_and_nothing_comes_from_elsewhere(deck: Path) -> None:
    beyond = {link for file in deck.rglob("*.html") for link in Read(file.read_text()).links if ".ipynb" in link}
    assert beyond == set() and dead(deck) == [] and fetched_from_elsewhere(deck) == []


def test_every_picture_has_words(deck: Path) -> None:
    for file in deck.rglob("[01]*.html"):
        words = Read(file.read_text()).words
        assert words and all(words), file.name


@pytest.mark.parametrize("path", ["05-images-and-layers.html", "ko/08-networking.html"])
def test_an_answer_waits_for_a_key_and_every_slide_fits(deck: Path, browser: Browser, path: str) -> None:
    shown = browser.new_page(viewport={"width": 1280, "height": 760}, color_scheme="dark")
    complaints: list[str] = []
    shown.on("pageerror", lambda error: complaints.append(str(error)))
    shown.goto((deck / path).as_uri())
    shown.wait_for_function("window.Reveal && Reveal.isReady()")
    seen, waited = set(), 0
    while not shown.evaluate("Reveal.isLastSlide() && !Reveal.availableFragments().next"):
        waited += _answer_is_hidden(shown)
        seen.add(tuple(shown.evaluate("Object.values(Reveal.getIndices()).slice(0, 2)")))
        assert shown.evaluate("Reveal.getCurrentSlide().scrollHeight") <= 770, shown.url
        shown.keyboard.press("Space")
    assert len(seen) + 1 == shown.evaluate("Reveal.getTotalSlides()")
    assert waited >= 3 and not complaints
    shown.close()


def _answer_is_hidden(shown: Page) -> bool:
    return bool(shown.evaluate("Reveal.getCurrentSlide().querySelector('.asks .fragment:not(.visible)') !== null"))
