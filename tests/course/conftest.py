"""The pages, made once for all tests, and what is on them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from course import site

VOID = {"img", "br", "hr", "meta", "link", "input", "path", "use"}


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages") / "site"
    site.build(folder)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one file alone: Playwright leaves an event loop running in this thread."""
    with sync_playwright() as playwright:
        shown = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield shown
        shown.close()


@dataclass
class Page(HTMLParser):
    """What a page links to, fetches and shows."""

    text: str
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    words: list[str] = field(default_factory=list)  # of each picture
    language: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)
        self.fetched += re.findall(r"""(?:url\(|@import\s+)["']?([^"')#][^"')]*)""", self.text)

    def handle_starttag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in given}
        self.ids.add(has.get("id", ""))
        if tag == "html":
            self.language = has["lang"]
        if tag == "a" and "href" in has:
            self.links.append(has["href"])
        if tag == "link":
            self.fetched.append(has["href"])
        if "src" in has:
            self.fetched.append(has["src"])
        if tag == "img":
            self.words.append(has.get("alt", ""))
        if tag == "svg" and "data-icon" not in has:
            self.words.append(has.get("aria-labelledby", "") if has.get("role") == "img" else "")


def dead(folder: Path) -> list[str]:
    """The links of a folder's pages that lead nowhere, with the page; those to elsewhere in the world aside."""
    read = {file.resolve(): Page(file.read_text()) for file in folder.rglob("*.html")}
    found = []
    for file, page in read.items():
        for link in page.links + page.fetched:
            if link.startswith(("https://", "data:")):
                continue
            path, _, anchor = link.partition("#")
            target = (file.parent / path).resolve() if path else file
            if not target.is_file() or (anchor and target.suffix == ".html" and anchor not in read[target].ids):
                found.append(f"{file.name}: {link}")
    return found


def fetched_from_elsewhere(folder: Path) -> list[str]:
    """What the pages of a folder, and their style sheets, would fetch from another place than the folder."""
    found = [f"{file.name}: {what}" for file in folder.rglob("*.html") for what in Page(file.read_text()).fetched]
    for file in folder.rglob("*.css"):
        found += [f"{file.name}: {what}" for what in re.findall(r"url\(\s*[\"']?([^\"')]+)", file.read_text())]
    return [one for one in found if re.search(r": (https?:)?//", one)]
