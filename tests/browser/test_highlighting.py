"""Dockerfile and YAML colours in the cells of %%dockerfile and %%compose, seen in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.lab import Lab, lines, notebook, tokens

DOCKERFILE = """%%dockerfile -t app:1
# syntax=docker/dockerfile:1
# a comment
FROM --platform=linux/amd64 busybox:${TAG:-1} AS base
RUN echo "for $USER" && \\
    # between
    true <<EOF
in a heredoc
EOF
EXPOSE 80
FRM busybox"""

COMPOSE = """%%compose up -d
# a comment
services:
  web:
    image: "nginx:${TAG}"
    ports: ["80:80", 9000]
    command: |
      echo: this
    init: true"""

PYTHON = "import os\nprint('%%dockerfile')"


@pytest.fixture(scope="module")
def page(lab: Lab, browser: Browser) -> Iterator[Page]:
    notebook(lab.folder / "colours.ipynb", DOCKERFILE, COMPOSE, PYTHON, ("raw", "%%dockerfile\nFROM x"), "", "")
    page = lab.page(browser, "colours.ipynb")
    expect(page.locator(".jp-CodeCell")).to_have_count(5)
    expect(cell(page, 2).locator(".cm-line span").first).to_have_text("import")
    yield page
    page.context.close()


def cell(page: Page, number: int) -> Locator:
    return page.locator(".jp-Notebook .jp-Cell").nth(number)


def rewrite(page: Page, number: int, text: str) -> Locator:
    """Type ``text`` into a cell, key by key, in place of what is there."""
    target = cell(page, number)
    target.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.type(text)
    return target


def kinds(line: list[tuple[str, str]]) -> dict[str, str]:
    return dict(line)


def test_a_dockerfile_cell_that_is_loaded_has_dockerfile_colours(page: Page) -> None:
    magic, syntax, comment, from_, run, between, heredoc, body, end, expose, typo = tokens(cell(page, 0))
    assert kinds(magic)["%%"] == "operator"
    assert syntax == [("# syntax=docker/dockerfile:1", "meta")]
    assert comment == [("# a comment", "comment")]
    assert kinds(from_) | {"FROM": "keyword", "AS": "keyword"} == kinds(from_)
    assert kinds(from_)["--platform"] in ("attribute", "atom"), "one colour for both in the dark theme"
    assert "${TAG:-1}" in kinds(from_)
    assert kinds(run)["RUN"] == "keyword" and kinds(run)['"for '] == "string" and kinds(run)["$USER"] != "string"
    assert between == [("# between", "comment")]
    assert heredoc[0][0] == "<<EOF" and body == [("in a heredoc", "string")]
    assert end == [("EOF", heredoc[0][1])]
    assert kinds(expose) == {"EXPOSE": "keyword", "80": "number"}
    assert ("FRM", "keyword") not in typo


def test_a_compose_cell_that_is_loaded_has_yaml_colours(page: Page) -> None:
    magic, comment, services, web, image, ports, command, block, init = tokens(cell(page, 1))
    assert kinds(magic)["%%"] == "operator"
    assert comment == [("# a comment", "comment")]
    assert services[0] == ("services", "property") and web[0] == ("web", "property")
    assert kinds(image)['"nginx:'] == "string" and kinds(image)["${TAG}"] != "string"
    assert kinds(ports)['"80:80"'] == "string" and kinds(ports)["9000"] == "number"
    assert command[0] == ("command", "property")
    assert [kind for _, kind in block] == ["string"]
    assert init[0] == ("init", "property") and kinds(init)["true"] in ("atom", "keyword")


def test_other_cells_keep_their_colours(page: Page) -> None:
    first, second = tokens(cell(page, 2))
    assert first[0] == ("import", "keyword")
    assert ("'%%dockerfile'", "string") in second
    assert not any(kind for line in tokens(cell(page, 3)) for _, kind in line)


def test_colours_follow_what_is_typed_and_go_with_the_magic(page: Page) -> None:
    target = rewrite(page, 4, "%%dockerfile -t x\nFROM busybox\n# why")
    expect(target.locator(".cm-line").nth(1).locator("span").first).to_have_text("FROM")
    assert tokens(target)[1:] == [[("FROM", "keyword")], [("# why", "comment")]]

    page.keyboard.press("Control+Home")
    page.keyboard.type("#")
    assert tokens(target)[0][0][1] == "comment", "a comment in Python now"
    assert ("FROM", "keyword") not in tokens(target)[1]
    page.keyboard.press("Backspace")
    assert tokens(target)[1] == [("FROM", "keyword")]

    target = rewrite(page, 4, "%%compose up\nservices: {}")
    assert tokens(target)[1][0] == ("services", "property")
    target = rewrite(page, 4, "%%composer\nimport os")
    assert tokens(target)[1][0] == ("import", "keyword")


def test_enter_after_an_open_bracket_adds_no_indentation_of_pythons(page: Page) -> None:
    assert lines(rewrite(page, 5, "foo(\nx"))[1] != "x", "Python's own cells are indented"
    assert lines(rewrite(page, 5, "%%dockerfile\nRUN foo(\nx"))[:3] == ["%%dockerfile", "RUN foo(", "x"]
    assert lines(rewrite(page, 5, "%%dockerfile\nRUN a && \\\n    b && \\\nc"))[3] == "    c", "as the line above"


def test_enter_after_a_yaml_key_indents_by_two(page: Page) -> None:
    typed = lines(rewrite(page, 5, "%%compose up\nservices:\nweb:\nimage: nginx\ninit: true"))
    assert typed == ["%%compose up", "services:", "  web:", "    image: nginx", "    init: true"]


def test_nothing_went_wrong_in_the_browser(page: Page) -> None:
    assert page.errors == []  # type: ignore[attr-defined]
