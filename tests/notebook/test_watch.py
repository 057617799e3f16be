"""``%container watch``: what a cell shows at once, what it shows later, and what a saved notebook keeps."""

from __future__ import annotations

from collections.abc import Callable

import docker
import pytest

from containerlab.commands.watch import Followed
from containerlab.commands.watching import Drawn
from containerlab.errors import UsageError
from containerlab.notebook import magics
from tests.notebook.conftest import TestingShell
from tests.notebook.test_kernel import executed, kernel, notebook

__all__ = ["kernel"]

IMAGE = "lab/busybox"
WRITES = "echo one > /one; sleep 1000"


def run(client: docker.DockerClient, name: str, script: str) -> docker.models.containers.Container:
    return client.containers.run(IMAGE, ["sh", "-c", script], detach=True, name=name, network_mode="none", init=True)


def test_where_no_page_can_change_it_waits_and_gives_the_last_picture(
    shell: TestingShell, client: docker.DockerClient, name: str
) -> None:
    run(client, name, "sleep 0.3; echo one > /one")
    found = shell.cell(f"%container watch --for 60 {name}")
    assert isinstance(found, Drawn)
    assert found.to_dict() == {"touched": [{"path": "/one", "kind": "new", "layer": None, "size": None}]}


def test_an_interrupt_ends_it_and_keeps_what_was_seen(
    shell: TestingShell, client: docker.DockerClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from containerlab.lab import watch

    def interrupted(watched: watch.Watch, seconds: float, stopped: object) -> object:
        yield watched.look()
        raise KeyboardInterrupt

    run(client, name, "sleep 1000")
    monkeypatch.setattr(watch, "pictures", interrupted)
    assert shell.cell(f"%container watch --for 60 {name}").to_dict() == {"touched": []}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("", "watch needs a container"),
        ("--show requests web", "The requests are the engine's"),
        ("--show dreams web", "'dreams' is not one of"),
    ],
)
def test_what_it_cannot_watch_is_said(shell: TestingShell, words: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        shell.cell(f"%container watch {words}")


def test_it_goes_on_beside_the_notebook_and_a_second_one_takes_its_place(
    shell: TestingShell, client: docker.DockerClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(magics, "mode", lambda: "live")
    made = run(client, name, "sleep 1000")
    first = shell.cell(f"%container watch {name}")
    assert isinstance(first, Followed) and first.to_dict() == {"touched": []}
    second = shell.cell(f"%container watch {name}")
    made.exec_run(["sh", "-c", "echo one > /one"])
    second.stop()
    assert second.to_dict()["touched"][0]["path"] == "/one"
    assert first.to_dict() == {"touched": []}, "the first was ended by the second"


def test_a_saved_notebook_keeps_the_last_picture_and_no_widget(
    kernel: Callable[..., None], client: docker.DockerClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # set anew for each part of a test
    made = notebook(
        f"watched = %container watch {name}\nwatched",
        f"%container exec {name} sh -c 'echo more > /more'\nwatched.stop()",
    )
    run(client, name, WRITES)
    shown, after = executed(made)
    picture, button = shown
    assert picture.output_type == "display_data" and "/more" in picture.data["text/plain"]
    assert "cl-figure" in picture.data["text/html"] and "cl-fallback" in picture.data["text/html"]
    assert set(button.data) == {"text/plain"} and button.data["text/plain"] == ""
    assert after == []
