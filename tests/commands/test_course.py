"""The verbs of the course in a real shell: what a lesson makes and its removal, checks, progress, language."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from containerlab.commands.context import Context
from containerlab.commands.registry import invoke
from containerlab.errors import UsageError
from containerlab.lab import lessons, words
from tests.clients.conftest import client, host

__all__ = ["client", "host"]

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture
def notebook(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """A notebook's context on the shared engine, in no lesson yet, whose records are the test's own."""
    monkeypatch.setenv("CONTAINERLAB_PROGRESS_FILE", str(tmp_path / "progress.json"))
    monkeypatch.setenv("DOCKER_HOST", host)
    monkeypatch.setattr(lessons, "_current", None)
    # Another author's lessons: their notebooks lie where the kernel works.
    for number in ("77", "78"):
        (tmp_path / f"{number}-of-another-author.ipynb").touch()
    monkeypatch.chdir(tmp_path)
    yield Context(notebook=True)
    words.speak("en")


def said(context: Context, *words: str) -> str:
    return str(invoke(words, context))


def test_reset_removes_what_the_lesson_made_and_nothing_else(notebook: Context, client: docker.DockerClient) -> None:
    others = client.containers.create("lab/busybox", name="t-course-other")
    try:
        said(notebook, "volume", "create", "t-course-before")
        said(notebook, "lesson", "77")
        said(
            notebook, "create", "--name", "t-course", "-v", "t-course-new:/d", "-v", "t-course-before:/b", "lab/busybox"
        )
        said(notebook, "volume", "create", "t-course-volume")
        said(notebook, "network", "create", "t-course-net")
        said(notebook, "tag", "lab/busybox", "t-course:1")
        assert client.containers.get("t-course").labels[lessons.LABEL] == "77"
        assert said(notebook, "reset", "--lesson").splitlines() == [
            "removed container t-course",
            "removed network t-course-net",
            "removed volume t-course-volume",
            "removed volume t-course-new",
            "removed image t-course:1",
        ]
        assert said(notebook, "reset", "--lesson", "77") == ""
        assert client.containers.get("t-course-other") and client.volumes.get("t-course-before")
    finally:
        said(notebook, "reset", "--lesson", "77")
        others.remove(force=True)
        client.volumes.get("t-course-before").remove()


def test_reset_leaves_a_network_that_somebody_is_on(notebook: Context, client: docker.DockerClient) -> None:
    said(notebook, "lesson", "78")
    said(notebook, "network", "create", "t-course-shared")
    guest = client.containers.run("lab/busybox", "sleep 600", detach=True, network="t-course-shared")
    try:
        assert said(notebook, "reset", "--lesson") == ""
        assert client.networks.list(names=["t-course-shared"])
    finally:
        guest.remove(force=True)
        assert said(notebook, "reset", "--lesson") == "removed network t-course-shared"


@pytest.mark.parametrize("line", [["trace"], ["trace", "trace", "ps"], ["trace", "nosuch"]])
def test_trace_needs_a_verb(notebook: Context, line: list[str]) -> None:
    with pytest.raises(UsageError, match="trace needs a verb to run"):
        invoke(line, notebook)


def test_a_traced_verb_does_what_it_does_and_is_drawn(notebook: Context) -> None:
    assert invoke(["trace", "ps", "-a"], notebook).to_dict()["calls"] == ["GET /containers/json"]


def test_outside_a_lesson_nothing_is_marked(notebook: Context, client: docker.DockerClient) -> None:
    said(notebook, "create", "--name", "t-course-plain", "lab/busybox")
    plain = client.containers.get("t-course-plain")
    try:
        assert lessons.LABEL not in plain.labels
        with pytest.raises(UsageError, match="Which lesson"):
            said(notebook, "reset", "--lesson")
        with pytest.raises(UsageError, match="reset needs --lesson"):
            said(notebook, "reset")
    finally:
        plain.remove()


def test_a_check_is_a_result_and_its_progress_a_table(notebook: Context) -> None:
    result = invoke(["check", "1.2"], notebook)
    assert not result
    assert result.exit_code == 1 and result.to_dict()["missing"] == "no container kitchen"
    assert "not looked at" in result.body()
    rows = {row["id"]: row for row in invoke(["progress"], notebook)}
    assert (rows["01.2"]["checks"], rows["01.2"]["done_at"]) == (1, None)
    assert "not yet" in said(notebook, "progress")
    assert all(not row["checks"] for row in invoke(["progress", "--forget"], notebook))


def test_the_language_is_chosen_for_the_notebook(notebook: Context) -> None:
    assert said(notebook, "lang") == "English"
    assert said(notebook, "lang", "ko") == "한국어"
    assert "힌트" in said(notebook, "check", "01.2")


def test_a_host_without_hangul_says_what_to_install(notebook: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("containerlab.lab.draw.hangul_fonts", tuple)
    assert said(notebook, "lang", "ko").startswith("한국어\n이 호스트에 한글 글꼴이 없어")


@pytest.mark.parametrize("line", [["lesson", "5"], ["lang", "ko"]])
def test_a_terminal_is_told_that_it_would_be_forgotten(notebook: Context, line: list[str]) -> None:
    notebook.notebook = False
    with pytest.raises(UsageError, match="is for a notebook"):
        invoke(line, notebook)


def test_a_lesson_has_a_number(notebook: Context) -> None:
    with pytest.raises(UsageError, match="'five' is no lesson"):
        said(notebook, "lesson", "five")


def test_a_lesson_that_is_not_there_is_an_error_that_lists_those_that_are(notebook: Context) -> None:
    said(notebook, "lesson", "5")
    with pytest.raises(UsageError, match="There is no lesson 99") as refusal:
        said(notebook, "lesson", "99")
    assert "   5  Images and layers" in refusal.value.hint.splitlines()
    assert len(refusal.value.hint.splitlines()) == 12
    assert lessons.current() == "05"


@pytest.mark.parametrize("folder", ["", "ko"])
def test_lessons_are_called_as_their_notebooks_are(folder: str) -> None:
    words.speak(folder or "en")
    headings = {
        path.name[:2]: "".join(json.loads(path.read_bytes())["cells"][0]["source"]).splitlines()[0]
        for path in (NOTEBOOKS / folder).glob("[0-9][0-9]-*.ipynb")
    }
    titles = {number: f"# {int(number)} · {words.say(title)}" for number, title in lessons.TITLES.items()}
    words.speak("en")
    assert titles == headings
