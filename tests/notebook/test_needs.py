"""``%%needs``: a cell runs as if the line weren't there, or a note stands in its place."""

from __future__ import annotations

import pytest

from containerlab.errors import UsageError
from containerlab.lab import needs
from containerlab.lab.note import Note
from tests.notebook.conftest import TestingShell


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine's host that gives no namespaces."""
    monkeypatch.setattr(needs, "shares_everything", lambda client: True)


def test_where_the_host_has_it_the_cell_is_run_as_any_other(shell: TestingShell) -> None:
    assert shell.cell("%%needs network\nmine = 6 * 7\nmine") == 42
    assert shell.user_ns["mine"] == 42
    with pytest.raises(ZeroDivisionError):
        shell.cell("%%needs network\n1 / 0")


def test_a_cell_magic_may_stand_below_it(shell: TestingShell) -> None:
    shell.cell("%%needs namespaces\n%%capture said\nprint('below')")
    assert shell.user_ns["said"].stdout == "below\n"


@pytest.mark.usefixtures("narrow")
def test_where_it_lacks_it_a_note_stands_in_the_cells_place(shell: TestingShell) -> None:
    note = shell.cell("%%needs network\nuntouched = 1")
    assert isinstance(note, Note)
    assert "on this host all share one" in note.text
    assert "untouched" not in shell.user_ns


def test_a_need_that_is_none_is_refused_and_the_cell_not_run(shell: TestingShell) -> None:
    with pytest.raises(UsageError, match="there is no such need"):
        shell.cell("%%needs netwrok\nuntouched = 1")
    assert "untouched" not in shell.user_ns


def test_an_unloaded_extension_leaves_nothing_in_the_shells_reading_of_cells(shell: TestingShell) -> None:
    before = len(shell.input_transformers_cleanup)
    shell.cell("%reload_ext containerlab")
    assert len(shell.input_transformers_cleanup) == before
    shell.cell("%unload_ext containerlab")
    assert len(shell.input_transformers_cleanup) == before - 1
    shell.cell("%load_ext containerlab")
