"""The panel's words: all in the catalogue, none left over, and the learner's language is kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from containerlab.lab import words
from containerlab.lab.progress import Progress
from containerlab.lab.words import LANGUAGES
from containerlab.labserver.words import PANEL, spoken

PAGE = (Path(__file__).parents[2] / "labextension/static/panel.js").read_text(encoding="utf-8")
STATES = {
    *("created", "running", "paused", "restarting", "removing", "exited", "dead"),
    *("healthy", "unhealthy", "starting"),
}


@pytest.fixture(autouse=True)
def own_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINERLAB_PROGRESS_FILE", str(tmp_path / "state/progress.json"))
    monkeypatch.setattr(words, "_chosen", None)


def test_the_page_says_nothing_that_the_catalogue_lacks_and_no_word_is_left_over() -> None:
    assert set(re.findall(r"say\('([^']+)'", PAGE)) | STATES == set(PANEL)


def test_no_text_of_the_page_goes_by_the_catalogue() -> None:
    shown = re.findall(r"(?:textContent|ariaLabel|label|title|body|caption)\s*[:=]\s*['`]([^'`]*)['`]", PAGE)
    assert [text for text in shown if re.search("[A-Za-z]{2}", re.sub(r"\$\{[^}]*\}", "", text))] == []


def test_the_language_is_the_one_that_was_chosen_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONTAINERLAB_LANG", raising=False)
    assert spoken() == {"language": "en", "words": {}}
    Progress().speak("ko")
    assert spoken()["language"] == "ko" and set(spoken()["words"]) == set(PANEL)
    Progress().note("05.1", right=1, total=1, missing=None)
    assert Progress().language() == "ko" and [entry.id for entry in Progress().entries()] == ["05.1"]
    Progress().speak("en")
    assert spoken()["words"] == {}


def test_where_nobody_has_chosen_it_is_the_server_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINERLAB_LANG", "ko")
    assert spoken()["language"] == "ko"
    assert set(LANGUAGES) == {"en", "ko"}
