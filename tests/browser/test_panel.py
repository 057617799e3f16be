"""The panel on the left of JupyterLab, used as a person uses it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.lab import Lab, barriers, dark, notebook
from tests.store import Store


@pytest.fixture(scope="module")
def page(lab: Lab, browser: Browser) -> Iterator[Page]:
    (lab.folder / "notebooks").mkdir()
    notebook(
        lab.folder / "notebooks/05-images.ipynb", ("markdown", "# 5 · Images"), "%load_ext containerlab", "%check 05.1"
    )
    page = lab.page(browser)
    page.get_by_role("tab", name="Containers, images and lessons").click()
    yield page
    page.context.close()


@pytest.fixture
def panel(page: Page) -> Locator:
    return page.get_by_role("region", name="Containers, images and lessons")


def containerlab(lab: Lab, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "containerlab", *words], env=lab.environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def row(panel: Locator, name: str) -> Locator:
    return panel.get_by_role("listitem").filter(has_text=name)


def test_without_an_engine_it_says_so_starts_none_and_offers_to(lab: Lab, panel: Locator) -> None:
    store = Store(Path(lab.environment["CONTAINERLAB_STORE"]))
    store.kill()  # another file's tests may have used it
    expect(panel.get_by_role("status")).to_contain_text("The engine doesn’t run.")
    assert not store.pids()
    panel.get_by_role("button", name="Start the engine").click()
    expect(panel.get_by_role("status")).to_have_text("The engine runs", timeout=30_000)
    assert store.pids()
    expect(panel).to_contain_text("There are no containers.")


def test_a_container_appears_with_its_image_state_and_a_port_that_leads_into_it(
    lab: Lab, page: Page, panel: Locator
) -> None:
    serve = "echo tea is ready > /index.html; exec httpd -f -p 80 -h /"
    containerlab(lab, "run", "-d", "--init", "-p", "80", "--name", "web", "lab/busybox", "sh", "-c", serve)
    expect(row(panel, "web")).to_contain_text("running")
    expect(row(panel, "web")).to_contain_text("lab/busybox")
    published = containerlab(lab, "port", "web", "80").rpartition(":")[2]
    link = row(panel, "web").get_by_role("link")
    expect(link).to_have_text(f"{published} → 80")
    proxied = importlib.util.find_spec("jupyter_server_proxy") is not None
    target = f"{lab.url}/proxy/{published}/" if proxied else f"http://127.0.0.1:{published}/"
    assert link.evaluate("link => link.href") == target
    if proxied:
        # A new page of the same login: what the container serves comes through the Jupyter server.
        with page.expect_popup() as opened:
            link.click()
        expect(opened.value.get_by_text("tea is ready")).to_be_visible()
        opened.value.close()
    expect(row(panel, "lab/busybox:latest")).to_contain_text("MB")


def test_it_is_stopped_started_and_removed_after_a_question(lab: Lab, page: Page, panel: Locator) -> None:
    # By the keyboard alone; the list is drawn anew meanwhile, and the keyboard stays in it.
    row(panel, "web").get_by_role("button", name="Stop web").focus()
    page.keyboard.press("Enter")
    expect(row(panel, "web")).to_contain_text("exited")
    assert panel.evaluate("panel => panel.contains(document.activeElement)")
    row(panel, "web").get_by_role("button", name="Start web").click()
    expect(row(panel, "web")).to_contain_text("running")

    row(panel, "web").get_by_role("button", name="Remove web").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert containerlab(lab, "ps", "-q")
    row(panel, "web").get_by_role("button", name="Remove web").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(panel).to_contain_text("There are no containers.")
    assert not containerlab(lab, "ps", "-aq")


def test_names_are_shown_as_text(lab: Lab, panel: Locator) -> None:
    containerlab(
        lab, "create", "--name", "harmless", "--label", "<b>x</b>", "lab/busybox", "<img src=x onerror=alert(1)>"
    )
    expect(row(panel, "harmless")).to_contain_text("created")
    assert panel.locator("img").count() == 0


def test_a_lesson_is_opened_and_ticked_off(lab: Lab, page: Page, panel: Locator) -> None:
    lesson = row(panel, "5 · Images")
    expect(lesson).to_contain_text("0 of 1 exercises")
    lesson.get_by_role("checkbox").check()
    subprocess.run(
        [sys.executable, "-c", "from containerlab.lab.progress import Progress; Progress().note('05.1', 1, 1, None)"],
        env=lab.environment,
        check=True,
    )
    expect(lesson).to_contain_text("1 of 1 exercises")
    expect(lesson.get_by_role("checkbox")).to_be_checked()
    lesson.get_by_role("button").click()
    expect(page.locator(".jp-NotebookPanel h1")).to_contain_text("5 · Images")


def test_it_speaks_the_language_that_the_learner_chose(lab: Lab, panel: Locator) -> None:
    def speak(code: str) -> None:
        program = f"from containerlab.lab.progress import Progress; Progress().speak({code!r})"
        subprocess.run([sys.executable, "-c", program], env=lab.environment, check=True)

    speak("ko")
    spoken = panel.page.get_by_role("region", name="컨테이너, 이미지, 수업")
    expect(spoken.get_by_role("heading", name="컨테이너")).to_be_visible()
    expect(spoken.get_by_role("status")).to_have_text("엔진 실행 중")
    expect(row(spoken, "harmless")).to_contain_text("생성됨")
    expect(spoken.get_by_role("button", name="harmless 시작")).to_be_visible()
    assert spoken.get_attribute("lang") == "ko"
    speak("en")
    expect(panel.get_by_role("heading", name="Containers")).to_be_visible()
    expect(row(panel, "harmless")).to_contain_text("created")


def test_it_has_no_barriers_in_either_theme(page: Page, panel: Locator) -> None:
    assert barriers(page, "#containerlab-panel") == []
    dark(page)
    assert barriers(page, "#containerlab-panel") == []


def test_it_sees_an_engine_that_is_killed_and_one_that_comes_back(lab: Lab, page: Page, panel: Locator) -> None:
    Store(Path(lab.environment["CONTAINERLAB_STORE"])).kill()
    expect(panel.get_by_role("status")).to_contain_text("The engine doesn’t run.")
    containerlab(lab, "rm", "harmless")
    expect(panel.get_by_role("status")).to_have_text("The engine runs")
    assert page.errors == []  # type: ignore[attr-defined]
