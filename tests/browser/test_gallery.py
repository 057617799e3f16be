"""The gallery shows what the lessons draw, and the README shows pictures that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.browser.gallery import pictures
from tests.notebooks.lessons import ROOT

GALLERY = ROOT / "docs/gallery"


@pytest.mark.parametrize("language", ["", "ko"])
def test_every_picture_of_every_lesson_is_there_in_both_themes(language: str) -> None:
    notebooks = sorted((ROOT / "notebooks" / language).glob("[0-9][0-9]-*.ipynb"))
    drawn = {picture.name for notebook in notebooks for picture in pictures(notebook)}
    assert len(drawn) >= len(notebooks), "every lesson draws something"
    wanted = {f"{name}-{theme}.png" for name in drawn for theme in ("light", "dark")}
    assert {path.name for path in (GALLERY / language).glob("*.png")} == wanted


@pytest.mark.parametrize("page", ["README.md", "docs/gallery/README.md"])
def test_a_page_shows_no_picture_that_is_missing(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    shown = re.findall(r'(?:src|srcset)="([^"]+\.png)"|!\[[^\]]*\]\(([^)]+\.png)\)', text)
    assert shown
    for names in shown:
        assert Path(ROOT, page).parent.joinpath("".join(names)).is_file(), names
