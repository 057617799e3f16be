"""A picture that goes on below its cell, in a real JupyterLab: it changes, and ends by its button or its container."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.lab import Lab, barriers, dark, notebook

NAME = "watched-in-lab"
RUN = f"%container run -d --init --replace --network none --name {NAME} lab/busybox sleep 1000"


@pytest.fixture(scope="module")
def page(lab: Lab, browser: Browser) -> Iterator[Page]:
    notebook(
        lab.folder / "watching.ipynb",
        f"%load_ext containerlab\n{RUN}",
        f"%container watch {NAME}",
        f"%container exec {NAME} sh -c 'echo tea > /shopping'",
        f"%container watch --show life {NAME}",
        f"%container rm -f {NAME}",
    )
    page = lab.page(browser, "watching.ipynb")
    expect(page.locator(".jp-CodeCell")).to_have_count(5)
    page.get_by_text("| Idle").wait_for()
    yield page
    page.context.close()


def run(page: Page, number: int) -> Locator:
    """Run a cell; gives it once its number is there."""
    cell = page.locator(".jp-CodeCell").nth(number)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    expect(cell.locator(".jp-InputPrompt").first).to_have_text(f"[{number + 1}]:", timeout=60_000)
    return cell


def test_a_file_appears_in_a_picture_that_was_there_and_its_button_leaves_it(page: Page) -> None:
    run(page, 0)
    watching = run(page, 1)
    expect(watching.locator("figcaption")).to_contain_text("has written nothing", timeout=30_000)
    run(page, 2)
    expect(watching.locator("figcaption")).to_contain_text("1 new", timeout=30_000)
    expect(watching.locator(".cl-drawing svg")).to_have_count(1)
    expect(watching.locator(".cl-drawing svg")).to_contain_text("shopping")
    watching.get_by_role("button", name="Stop watching").click()
    expect(watching.get_by_role("button", name="Stop watching")).to_have_count(0)
    expect(watching.locator(".cl-drawing svg")).to_be_visible()


def test_it_ends_with_its_container_and_says_how(page: Page) -> None:
    living = run(page, 3)
    expect(living.get_by_role("button", name="Stop watching")).to_be_visible(timeout=30_000)
    run(page, 4)
    expect(living.get_by_role("button", name="Stop watching")).to_have_count(0, timeout=30_000)
    expect(living.locator("figcaption")).to_contain_text("running, exited, removed")
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts() == []
    assert page.errors == []  # type: ignore[attr-defined]


def test_it_has_no_barriers_in_either_theme(page: Page) -> None:
    assert barriers(page, "figure.cl-figure") == []
    dark(page)
    assert barriers(page, "figure.cl-figure") == []
