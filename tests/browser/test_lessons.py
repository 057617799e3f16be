"""The lessons' pictures as a person meets them: trusted, untrusted, light and dark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.lab import Lab, barriers, dark

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSONS = [
    pytest.param("02-container-vs-vm", marks=pytest.mark.slow),
    "05-images-and-layers",
    "09-volumes",
    "10-compose",
]
PICTURE = "figure.cl-figure:has(.cl-drawing)"
UNTRUSTED_PICTURE = ".jp-OutputArea figure:has(img)"  # of the classes and the drawing nothing is left


def prepared(lab: Lab, name: str, *, trusted: bool) -> tuple[str, int]:
    """A copy of the lesson that differs from the other's; its path and the number of its pictures."""
    lesson = json.loads((NOTEBOOKS / f"{name}.ipynb").read_bytes())
    lesson["metadata"]["tested_as"] = "trusted" if trusted else "untrusted"
    path = f"{lesson['metadata']['tested_as']}-{name}.ipynb"
    (lab.folder / path).write_text(json.dumps(lesson))
    if trusted:
        lab.trust(path)
    outputs = [output for cell in lesson["cells"] for output in cell.get("outputs", [])]
    return path, sum("".join(output.get("data", {}).get("text/html", "")).count("<img ") for output in outputs)


@pytest.fixture(scope="module", params=LESSONS)
def trusted(request: pytest.FixtureRequest, lab: Lab, browser: Browser) -> Iterator[Page]:
    path, count = prepared(lab, request.param, trusted=True)
    page = lab.page(browser, path)
    expect(page.locator(PICTURE)).to_have_count(count)
    yield page
    page.context.close()


@pytest.fixture(scope="module", params=LESSONS)
def untrusted(request: pytest.FixtureRequest, lab: Lab, browser: Browser) -> Iterator[Page]:
    path, count = prepared(lab, request.param, trusted=False)
    page = lab.page(browser, path)
    expect(page.locator(UNTRUSTED_PICTURE)).to_have_count(count)
    yield page
    page.context.close()


def says_the_same(figure: Locator) -> None:
    """Sentence and table of a picture can be seen and read."""
    caption = figure.locator("figcaption")
    expect(caption).to_be_visible()
    assert len(caption.inner_text()) > 40
    figure.locator("summary").click()
    expect(figure.locator("table")).to_be_visible()
    assert figure.locator("tbody tr").count() >= 1
    assert all(text.strip() for text in figure.locator("th").all_inner_texts())


def test_a_trusted_lesson_shows_each_picture_with_its_sentence_and_table(trusted: Page) -> None:
    for figure in trusted.locator(PICTURE).all():
        drawing = figure.locator(".cl-drawing svg")
        expect(drawing).to_be_visible()
        box = drawing.bounding_box()
        assert box and box["width"] > 300 and box["height"] > 80
        assert drawing.get_attribute("role") == "img"
        expect(figure.locator("img")).to_be_hidden()
        says_the_same(figure)
    assert trusted.errors == []  # type: ignore[attr-defined]


def test_pictures_and_tables_are_free_of_barriers_in_both_themes(trusted: Page) -> None:
    assert barriers(trusted, "figure.cl-figure") == []
    dark(trusted)
    assert barriers(trusted, "figure.cl-figure") == []


def test_an_untrusted_lesson_shows_each_picture_as_an_image_with_its_sentence_and_table(untrusted: Page) -> None:
    for figure in untrusted.locator(UNTRUSTED_PICTURE).all():
        image = figure.locator("img")
        image.scroll_into_view_if_needed()
        expect(image).to_be_visible()
        untrusted.wait_for_function("image => image.naturalWidth > 300", arg=image.element_handle())
        assert len(image.get_attribute("alt") or "") > 40
        assert figure.locator("svg").count() == 0
        says_the_same(figure)
    assert untrusted.errors == []  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["02-container-vs-vm", "05-images-and-layers", "10-compose"])
def test_a_lesson_runs_from_top_to_bottom_and_draws_its_pictures_anew(lab: Lab, browser: Browser, name: str) -> None:
    path, count = prepared(lab, name, trusted=False)
    cells = json.loads((lab.folder / path).read_bytes())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]
    meant = [output["evalue"] for cell in code for output in cell["outputs"] if output["output_type"] == "error"]
    page = lab.page(browser, path)
    expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(sum(cell["cell_type"] == "code" for cell in cells))
    page.get_by_text("| Idle").wait_for()  # a kernel: without one JupyterLab would ask for it
    page.evaluate("jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    expect(page.locator(UNTRUSTED_PICTURE)).to_have_count(0)

    page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
    expect(page.locator(".jp-InputPrompt").get_by_text(f"[{len(code)}]:")).to_be_visible(timeout=240_000)
    prompts = page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
    assert [prompt.strip() for prompt in prompts if prompt.strip() != "[ ]:"] == [
        f"[{n + 1}]:" for n in range(len(code))
    ]
    # JupyterLab shows an error as what came on stderr; of either kind there is what the lesson means to show, no more.
    loud = page.locator(", ".join(f"[data-mime-type='application/vnd.jupyter.{kind}']" for kind in ("error", "stderr")))
    assert loud.count() == len(meant), loud.all_inner_texts()
    for text, shown in zip(meant, loud.all_inner_texts(), strict=True):
        assert text.splitlines()[0] in shown
    expect(page.locator(PICTURE)).to_have_count(count)
    for drawing in page.locator(f"{PICTURE} .cl-drawing svg").all():
        expect(drawing).to_be_visible()
    assert page.errors == []  # type: ignore[attr-defined]
    page.context.close()
