"""The course as web pages: all of it, in both languages, with words for its pictures, and nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from course import lessons
from tests.course.conftest import Page, dead, fetched_from_elsewhere

FOLDERS = {"en": ".", "ko": "ko"}


@pytest.mark.parametrize("language", FOLDERS)
def test_every_lesson_is_there_and_listed(pages: Path, language: str) -> None:
    folder = pages / FOLDERS[language]
    index = Page((folder / "index.html").read_text())
    assert index.language == language
    assert [link for link in index.links if link[0].isdigit()] == [f"{name}.html" for name in lessons.names()]
    for name in lessons.names():
        text = (folder / f"{name}.html").read_text()
        assert Page(text).language == language
        assert lessons.title(lessons.read(name, language)) in text


@pytest.mark.parametrize("language", FOLDERS)
@pytest.mark.parametrize("name", lessons.names())
def test_outputs_and_pictures_are_there_and_have_words(pages: Path, name: str, language: str) -> None:
    text = (pages / FOLDERS[language] / f"{name}.html").read_text()
    drawn = [
        output
        for cell in lessons.read(name, language).cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]
    assert text.count('<div class="cl-drawing"') == len(drawn) > 0
    assert 'class="output' in text
    page = Page(text)
    assert len(page.words) >= 2 * len(drawn) and all(page.words)


def test_no_link_is_dead(pages: Path) -> None:
    assert dead(pages) == []


def test_a_dead_link_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<html lang="en"><a href="b.html">b</a><a href="#there">t</a><p id="here">')
    assert dead(tmp_path) == ["a.html: b.html", "a.html: #there"]


def test_nothing_is_fetched_from_elsewhere(pages: Path) -> None:
    assert fetched_from_elsewhere(pages) == []


def test_what_is_fetched_from_elsewhere_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<html lang="en"><script src="https://cdn.example/x.js"></script>')
    (tmp_path / "a.css").write_text("@font-face { src: url(//fonts.example/f.woff) }")
    assert len(fetched_from_elsewhere(tmp_path)) == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["index.html", "05-images-and-layers.html", "ko/index.html", "ko/08-networking.html"])
def test_a_reader_sees_the_page_in_their_colours_and_without_hindrance(
    pages: Path, browser: Browser, path: str, scheme: str
) -> None:
    shown = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    asked: list[str] = []
    complaints: list[str] = []
    shown.on("request", lambda request: asked.append(request.url))
    shown.on("pageerror", lambda error: complaints.append(str(error)))
    shown.goto((pages / path).as_uri())
    assert shown.evaluate("document.documentElement.dataset.theme") == scheme
    paper = "getComputedStyle(document.body).backgroundColor"
    before = shown.evaluate(paper)
    shown.click("#theme")
    assert shown.evaluate(paper) != before
    shown.click("#theme")
    found = Axe().run(shown, options={"runOnly": ["wcag2a", "wcag2aa"]})
    assert found.violations_count == 0, found.generate_report()
    assert not complaints and all(url.startswith(("file:", "data:")) for url in asked)
    shown.close()
