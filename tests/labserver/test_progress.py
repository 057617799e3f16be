"""The file that keeps what a learner has done."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from containerlab import progress


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_nothing_done_is_no_file_and_no_lesson() -> None:
    assert progress.read() == {} and not progress.path().exists()


def test_a_solved_exercise_stays_solved() -> None:
    progress.record("05.2", solved=False)
    assert progress.read() == {"05": {"done": False, "exercises": {"05.2": False}}}
    progress.record("05.2", solved=True)
    progress.record("05.2", solved=False)
    progress.mark("05", done=True)
    assert progress.read() == {"05": {"done": True, "exercises": {"05.2": True}}}


@pytest.mark.parametrize("wrong", ["5.2", "05", "05.x", "../05.2", "05.2\n"])
def test_a_number_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="no exercise's number"):
        progress.record(wrong, solved=True)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"lessons": 3}', '{"lessons": {"05": 1}}', "\xff", '{"lessons": {"x": {}}}']
)
def test_a_file_of_nonsense_is_none_and_is_written_over(content: str) -> None:
    progress.path().parent.mkdir(parents=True)
    progress.path().write_text(content, encoding="latin-1")
    assert progress.read() == {}
    progress.mark("01", done=True)
    assert progress.read() == {"01": {"done": True, "exercises": {}}}


def test_two_kernels_that_note_something_at_once_lose_nothing() -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: progress.record(f"07.{number}", solved=True), range(1, 31)))
    assert len(progress.read()["07"]["exercises"]) == 30
