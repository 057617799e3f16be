"""A ladder of IPython shells: a bare one, and one with the extension loaded and an engine to reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.displayhook import DisplayHook
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import CapturedIO, capture_output

from tests.clients.conftest import client, host, name

__all__ = ["client", "host", "name"]


class NoPrompt(DisplayHook):  # type: ignore[misc]
    """As in a notebook: a value has no ``Out[1]:`` in its text."""

    def write_output_prompt(self) -> None:
        pass


class TestingShell(InteractiveShell):  # type: ignore[misc]
    """A shell whose cells raise what they raise, and give what they show."""

    __test__ = False
    displayhook_class = NoPrompt

    def cell(self, source: str) -> Any:
        """Run a cell; gives its value. Raises the cell's error."""
        done = self.run_cell(source, store_history=True)
        done.raise_error()
        return done.result

    def shown(self, source: str) -> CapturedIO:
        """Run a cell that may fail; gives its stdout, stderr and displays."""
        with capture_output() as captured:
            self.run_cell(source, store_history=True)
        return captured


@pytest.fixture
def bare_shell() -> Iterator[TestingShell]:
    TestingShell.clear_instance()
    shell = TestingShell.instance(colors="nocolor")
    shell.history_manager.enabled = False
    yield shell
    shell.reset(new_session=False)
    TestingShell.clear_instance()


@pytest.fixture
def shell(bare_shell: TestingShell, host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestingShell]:
    monkeypatch.setenv("DOCKER_HOST", host)
    monkeypatch.delenv("CONTAINERLAB_PROGRESS", raising=False)
    bare_shell.cell("%load_ext containerlab")
    yield bare_shell
    bare_shell.cell("%unload_ext containerlab")
