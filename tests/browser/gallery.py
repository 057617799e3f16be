"""``python -m tests.browser.gallery docs/gallery``: every lesson's pictures as a browser shows them, in both themes.

The pictures are those that the notebooks hold: ``tests.notebooks.regenerate`` makes them anew. One page a lesson and
theme is enough, with the marks by which a picture knows JupyterLab's theme; no server is needed.
"""

from __future__ import annotations

import html
import io
import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.notebooks.lessons import ROOT

_FIGURE = re.compile(r'(?s)<figure class="cl-figure">.*?</figure>')
_CAPTION = re.compile(r"(?s)<figcaption>(.*?)</figcaption>")
_TAG = re.compile(r"<[^>]+>")
_PAPERS = {"light": "#ffffff", "dark": "#161b22"}
_WIDTH = 940  # as wide as a picture is in JupyterLab on a screen of 1280
_COLOURS = 96
_LANGUAGES = {"": "English", "ko": "한국어"}


@dataclass(frozen=True)
class Picture:
    """One figure of a lesson: ``name`` is ``05-2``, the second of lesson 5."""

    name: str
    html: str
    words: str


def pictures(notebook: Path) -> Iterator[Picture]:
    """The figures in a notebook's outputs, in their order."""
    count = 0
    for cell in json.loads(notebook.read_bytes())["cells"]:
        for output in cell.get("outputs", ()):
            for figure in _FIGURE.findall("".join(output.get("data", {}).get("text/html", ""))):
                count += 1
                caption = _CAPTION.search(figure)
                words = html.unescape(_TAG.sub("", caption[1])) if caption else ""
                yield Picture(f"{notebook.name[:2]}-{count}", figure, words)


def take(browser: Browser, found: list[Picture], theme: str, folder: Path) -> None:
    """Write ``NAME-THEME.png`` for each."""
    page = browser.new_page(viewport={"width": _WIDTH, "height": 900})
    is_light = "true" if theme == "light" else "false"
    for picture in found:
        body = f'<body data-jp-theme-light="{is_light}" style="margin:0;background:{_PAPERS[theme]}">'
        page.set_content(f"<!doctype html>{body}{picture.html}")
        drawing = page.locator(".cl-drawing")  # a comparison is a table alone
        shot = (drawing if drawing.count() else page.locator("figure")).screenshot()
        image = Image.open(io.BytesIO(shot)).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
        image.save(folder / f"{picture.name}-{theme}.png", optimize=True)
    page.close()


def write(target: Path) -> None:
    """The whole gallery anew, and its page."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("The gallery needs Chromium (apt-test.txt).")
    lines = ["# Every picture of the lessons", "", "Made by `make gallery` from the notebooks: light, and dark.", ""]
    shutil.rmtree(target, ignore_errors=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for language, name in _LANGUAGES.items():
            lines += [f"## {name}", ""]
            folder = target / language
            folder.mkdir(parents=True, exist_ok=True)
            for notebook in sorted((ROOT / "notebooks" / language).glob("[0-9][0-9]-*.ipynb")):
                found = list(pictures(notebook))
                for theme in _PAPERS:
                    take(browser, found, theme, folder)
                lines += [line for picture in found for line in _entry(picture, language, notebook)]
        browser.close()
    (target / "README.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _entry(picture: Picture, language: str, notebook: Path) -> list[str]:
    place = f"{language}/{picture.name}" if language else picture.name
    lesson = f"../../{notebook.relative_to(ROOT).as_posix()}"
    shots = " ".join(f'<img src="{place}-{theme}.png" width="49%" alt="{theme}">' for theme in _PAPERS)
    return [f"[{notebook.stem}]({lesson}): {picture.words}", "", shots, ""]


if __name__ == "__main__":
    write(Path(sys.argv[1]))
