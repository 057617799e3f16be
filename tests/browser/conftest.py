"""One JupyterLab and one Chromium a session, and for each test file a page or more of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.lab import Lab, running

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """For one file alone: Playwright leaves an event loop running in this thread, in which asyncio.run can't work."""
    if _CHROMIUM is None:
        pytest.skip("needs Chromium (apt-test.txt)")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # a browser among other tests on few processors

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    root: Path = tmp_path_factory.mktemp("lab")
    with running(root) as server:
        yield server
