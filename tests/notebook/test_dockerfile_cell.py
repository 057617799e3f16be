"""``%%dockerfile``: the steps that a cell shows, and what a failure leaves."""

from __future__ import annotations

import re
from pathlib import Path

import docker
import pytest

from containerlab.commands.build_steps import BuildLog
from containerlab.errors import BuildFailed, InvalidParameter, UsageError
from containerlab.notebook.progress import Progress, bundle, mode, readable
from tests.notebook.conftest import TestingShell

IMAGE = "lab/busybox"


@pytest.fixture
def tag(name: str, client: docker.DockerClient) -> str:
    return f"{name}:1"


def blocks(html: str) -> list[str]:
    """The text of each step's summary."""
    return [re.sub(r"<[^>]+>", "", found) for found in re.findall(r"<summary>(.*?)</summary>", html)]


def test_a_build_shows_one_block_a_step_and_marks_the_cached(
    shell: TestingShell, tag: str, client: docker.DockerClient
) -> None:
    cell = f"%%dockerfile -t {tag} --network none\nFROM {IMAGE}\nRUN echo {tag} && echo '<b>'\n"
    first = shell.shown(cell)
    assert len(first.outputs) == 1 and (first.stdout, first.stderr) == ("", "")
    html = first.outputs[0].data["text/html"]
    assert [text.split()[1] for text in blocks(html)] == ["1/2", "2/2"]
    assert "&lt;b&gt;" in html and "CACHED" not in blocks(html)[1]
    second = shell.shown(cell).outputs[0].data
    assert "CACHED" in blocks(second["text/html"])[1] and "[CACHED]" in second["text/plain"]
    client.api.remove_image(tag)


def test_a_rebuild_says_which_step_lost_its_cache_and_why(
    shell: TestingShell, tag: str, client: docker.DockerClient, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text("one")
    cell = (
        f"%%dockerfile -t {tag} --context {tmp_path}\nFROM {IMAGE}\nRUN echo {tag} > /v\nCOPY . /app\nRUN echo > /end\n"
    )
    shell.cell(cell)
    (tmp_path / "main.py").write_text("two!")
    shown = shell.shown(cell).outputs[0].data
    texts = blocks(shown["text/html"])
    assert "CACHED" in texts[1] and "layer " in texts[1] and "not cached" not in texts[1]
    assert texts[2].endswith("↳ not cached: main.py changed") and "layer " in texts[2]
    assert texts[3].endswith("↳ not cached: the step above")
    assert "not cached: main.py changed" in shown["text/plain"]
    client.api.remove_image(tag)


def test_stages_are_drawn_below_the_build(
    shell: TestingShell, tag: str, client: docker.DockerClient, capsys: pytest.CaptureFixture[str]
) -> None:
    result = shell.cell(
        f"%%dockerfile -t {tag}\nFROM {IMAGE} AS one\nRUN echo {tag} > /one\nFROM {IMAGE} AS spare\nRUN false\n"
        f"FROM {IMAGE}\nCOPY --from=one /one /two\n"
    )
    states = {stage["name"]: stage["state"] for stage in result.stages().to_dict()["stages"]}
    assert states == {"one": "built", "spare": "skipped", "2": "built"}
    assert "the longest path is one → 2" in result._repr_mimebundle_()["text/plain"]
    assert "The stages of the build: 3 stages" in capsys.readouterr().out
    shell.cell(f"%%dockerfile -t {tag}\nFROM {IMAGE}\n")
    assert "Built" not in capsys.readouterr().out
    client.api.remove_image(tag)


def test_the_image_is_the_cells_value(shell: TestingShell, tag: str, client: docker.DockerClient) -> None:
    result = shell.cell(f"%%dockerfile -t {tag}\nFROM {IMAGE}\nENV A=1\n")
    assert client.api.inspect_image(tag)["Id"] == result.id
    assert result.calm().startswith(f"Built {tag} in 2 steps")
    client.api.remove_image(tag)


def test_braces_and_dollars_in_a_dockerfile_are_its_own(
    shell: TestingShell, tag: str, client: docker.DockerClient
) -> None:
    shell.user_ns["A"] = "python"
    shell.cell(f"%%dockerfile -t {tag} --build-arg A=@A\nFROM {IMAGE}\nARG A\nENV B=${{A}}-{{A}}\n")
    assert "B=python-{A}" in client.api.inspect_image(tag)["Config"]["Env"]
    client.api.remove_image(tag)


def test_a_context_is_a_folder(shell: TestingShell, tag: str, tmp_path: Path, client: docker.DockerClient) -> None:
    (tmp_path / "hello").write_text("from the folder\n")
    shell.cell(f"%%dockerfile -t {tag} --context {tmp_path}\nFROM {IMAGE}\nCOPY hello /hello\n")
    assert shell.shown(f"%container run --rm --network none {tag} cat /hello").stdout == "from the folder\n"
    client.api.remove_image(tag)


def test_a_failed_step_fails_the_cell_and_stays_open(shell: TestingShell) -> None:
    cell = f"%%dockerfile --network none\nFROM {IMAGE}\nRUN echo last words; exit 4\n"
    with pytest.raises(BuildFailed, match="last words") as caught:
        shell.cell(cell)
    assert caught.value.exit_code == 4
    shown = shell.shown(cell)
    html = shown.outputs[0].data["text/html"]
    assert 'class="cl-step cl-failed" open' in html and "FAILED" in blocks(html)[-1]
    assert "Traceback" not in shown.stdout


def test_a_bad_dockerfile_is_an_error_with_its_line(shell: TestingShell) -> None:
    with pytest.raises((InvalidParameter, BuildFailed), match=r"(?i)FORM"):
        shell.cell(f"%%dockerfile\nFROM {IMAGE}\nFORM x\n")


@pytest.mark.parametrize(("setting", "displays"), [("off", 0), ("final", 1)])
def test_the_setting_says_how_much_is_shown(
    shell: TestingShell, monkeypatch: pytest.MonkeyPatch, setting: str, displays: int
) -> None:
    monkeypatch.setenv("CONTAINERLAB_PROGRESS", setting)
    shown = shell.shown(f"%%dockerfile\nFROM {IMAGE}\n")
    assert len([output for output in shown.outputs if "cl-step" in output.data.get("text/html", "")]) == displays


def test_live_is_final_under_pytest_and_an_unknown_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINERLAB_PROGRESS", "live")
    assert mode() == "final"
    monkeypatch.setenv("CONTAINERLAB_PROGRESS", "loud")
    with pytest.raises(UsageError, match="live, final, off"):
        mode()


def test_live_updates_one_display(monkeypatch: pytest.MonkeyPatch) -> None:
    from containerlab.notebook import progress

    class Handle:
        def __init__(self) -> None:
            self.updates: list[dict[str, str]] = []

        def update(self, data: dict[str, str], raw: bool) -> None:
            self.updates.append(data)

    handle = Handle()
    shown: list[dict[str, str]] = []

    def display(data: dict[str, str], raw: bool, display_id: bool) -> Handle:
        shown.append(data)
        return handle

    monkeypatch.setattr(progress, "display", display)
    monkeypatch.setattr(progress, "mode", lambda: "live")
    live, log = Progress(), BuildLog()
    for message in (
        {"stream": "Step 1/2 : FROM x\n"},
        {"stream": "Step 2/2 : RUN y\n"},
        {"stream": "y\n"},
    ):
        log.feed(message)
        live.update(log)
    log.finish()
    live.update(log)
    assert len(shown) == 1 and len(handle.updates) >= 2
    assert handle.updates[-1] == bundle(log)


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ("\x1b[31mred\x1b[0m text\n", "red text"),
        ("10%\r50%\r100%\ndone\n", "100%\ndone"),
        ("dos\r\nlines\r\n", "dos\nlines"),
        ("\x1b]0;title\x07after\x1b(B", "after"),
        ("", ""),
    ],
)
def test_a_programs_output_is_made_readable(output: str, shown: str) -> None:
    assert readable(output) == shown


def test_a_long_output_keeps_its_end() -> None:
    shown = readable("x" * 50_000 + "the end")
    assert len(shown) < 21_000 and shown.startswith("… (the first 30007 characters") and shown.endswith("the end")


def test_what_the_lint_found_is_a_closed_block_below_the_steps(
    shell: TestingShell, tag: str, client: docker.DockerClient
) -> None:
    shown = shell.shown(f"%%dockerfile -t {tag}\nFROM {IMAGE}\nCMD echo '<b>'\n")
    assert len(shown.outputs) == 1 and (shown.stdout, shown.stderr) == ("", "")
    data = shown.outputs[0].data
    assert blocks(data["text/html"])[-1] == "The Dockerfile could be better in 1 place:"
    assert '<details class="cl-step cl-lint"><summary>' in data["text/html"]
    assert "<b>" not in data["text/html"] and "JSONArgsRecommended" in data["text/html"]
    assert "line 2: JSON arguments recommended" in data["text/plain"]
    client.api.remove_image(tag)


def test_check_builds_nothing(shell: TestingShell, tag: str, client: docker.DockerClient) -> None:
    result = shell.cell(f"%%dockerfile -t {tag} --check\nFROM {IMAGE}\nRUN cd /tmp\n")
    assert [finding.rule for finding in result.findings] == ["CdInRun"]
    assert result.to_dict()["findings"][0]["line"] == 2
    with pytest.raises(docker.errors.ImageNotFound):
        client.api.inspect_image(tag)
