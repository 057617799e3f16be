"""Tab, as a person would press it: through IPython's completer, and in lines that IPython cuts wrongly."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import docker
import pytest

from containerlab.commands import registry
from containerlab.errors import EngineUnreachable
from containerlab.notebook.completion import complete
from tests.notebook.conftest import TestingShell


class Engine:
    """Containers and images as the API lists them, without an engine."""

    def __init__(self) -> None:
        self.api = self

    def containers(self, all: bool = False) -> list[dict[str, Any]]:
        states = {"web-1": "running", "web-2": "running", "old": "exited", "held": "paused"}
        return [{"Names": [f"/{name}"], "State": state} for name, state in states.items()]

    def networks(self) -> list[dict[str, Any]]:
        return [{"Name": name} for name in ("bridge", "host", "none", "tea")]

    def images(self) -> list[dict[str, Any]]:
        return [{"RepoTags": ["lab/busybox:latest", "web-1:latest"]}, {"RepoTags": None}]


def offered(line: str) -> list[str]:
    found = complete(line, Engine)
    assert found is not None
    assert line.endswith(found[0])
    return found[1]


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("%container r", {"run", "rm", "rmi", "restart", "rename"}),
        ("x = %container r", {"run", "rm"}),
        ("%%container e", {"exec", "events"}),
        ("%container run --na", {"--name"}),
        ("%container run --rm -", {"--name", "-e", "--help"}),
        ("%container run --network ", {"none", "host", "tea"}),
        ("%container network map ", {"bridge", "tea"}),
        ("%container network connect t", {"tea"}),
        ("%container network connect tea web", {"web-1"}),
        ("%container run --runtime v", {"vm"}),
        ("%container run -d --restart on", {"on-failure"}),
        ("%check 05", {"05.1", "05.2", "05.3"}),
        ("%container run lab/b", {"lab/busybox", "lab/busybox:latest"}),
        ("%container run web-1:la", {"web-1:latest"}),
        ("%container run --name x -e A=1 lab/busybox:", {"lab/busybox:latest"}),
        ("%container exec web", {"web-1", "web-2"}),
        ("%container rm web-1 o", {"old"}),
        ("%container inspect ", {"old", "web-1", "lab/busybox"}),
        ("%container inspect --type ", {"container", "image"}),
        ("%container history lab", {"lab/busybox"}),
        ("%container logs --t", {"--tail", "--timestamps"}),
        ("%%dockerfile --t", {"--tag", "--target"}),
        ("    %container ps --no", {"--no-trunc"}),
        ("%container con", {"container"}),
        ("%container container ", {"ls", "rm", "prune", "inspect"}),
        ("%container container ls --fo", {"--format"}),
        ("%container container list --fo", {"--format"}),
        ("x = %container image rm lab", {"lab/busybox"}),
        ("%container image inspect web-1", {"web-1:latest"}),
        ("%container system prune --", {"--all", "--filter", "--force", "--volumes"}),
        ("%container system d", {"df"}),
        ("%container update --me", {"--memory", "--memory-swap"}),
        ("%container update ", {"web-1", "old"}),
        ("%container port ", {"web-1", "held"}),
        ("%container run --pull ", {"always", "missing", "never"}),
        ("%container run --log-driver ", {"json-file", "local", "none"}),
        ("%container run --volumes-from ", {"web-1", "old"}),
        ("%container run --health-", {"--health-cmd", "--health-interval"}),
    ],
)
def test_offers(line: str, some: set[str]) -> None:
    assert some <= set(offered(line))


@pytest.mark.parametrize(
    "line",
    [
        "%container run lab/busybox ec",
        "%container run lab/busybox --na",
        "%container exec web-1 -",
        "%container run --name we",
        "%container run --nam",
        "%container nosuch x",
        "%container ps we",
        "%container container",
        "%container container nosuch x",
        "%container container prune we",
        "%container system df ",
        "%container port web-1 ",
        "%container run --gpu",
        "%container build --proven",
    ],
)
def test_offers_nothing_where_anything_else_is_meant(line: str) -> None:
    assert [word for word in offered(line) if word not in ("--name", "container")] == []


@pytest.mark.parametrize("line", ["x = container r", "%containers r", "print('%container r", "%ls r", "%container"])
def test_other_lines_are_left_alone(line: str) -> None:
    assert complete(line, Engine) is None


def test_cp_offers_containers_up_to_their_colon_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "web-page").touch()
    (tmp_path / "folder/inner").mkdir(parents=True)
    (tmp_path / ".hidden").touch()
    monkeypatch.chdir(tmp_path)
    assert offered("%container cp ") == ["held:", "old:", "web-1:", "web-2:", "folder/", "web-page"]
    assert offered("%container cp -a we") == ["web-1:", "web-2:", "web-page"]
    assert offered("%container cp web-1:/x folder/") == ["folder/inner/"]
    assert offered("%container cp web-1:/et") == []
    assert offered(f"%container cp {tmp_path}/f") == [f"{tmp_path}/folder/"]


def test_only_containers_in_a_fitting_state_are_offered(shell: TestingShell) -> None:
    assert offered("%container exec ") == offered("%container pause ") == ["web-1", "web-2"]
    assert offered("%container unpause ") == ["held"]
    assert offered("%container start ") == offered("%container container start ") == ["old"]
    assert offered("%container stop ") == ["held", "web-1", "web-2"]


def test_no_engine_means_no_names_and_no_error() -> None:
    def unreachable() -> Any:
        raise EngineUnreachable("nobody")

    assert complete("%container rm ", unreachable) == ("", [])
    assert complete("%container run --na", unreachable) == ("--na", ["--name"])


@pytest.mark.parametrize(
    "verb", sorted(name for name, command in registry.tree.commands.items() if not isinstance(command, click.Group))
)
def test_every_verb_offers_its_own_options(verb: str) -> None:
    hidden = {
        option
        for parameter in registry.tree.commands[verb].params
        if getattr(parameter, "hidden", False)
        for option in parameter.opts
    }
    named = {
        option
        for parameter in registry.tree.commands[verb].params
        for option in parameter.opts
        if option.startswith("-")
    }
    assert named - hidden <= set(offered(f"%container {verb} -"))


Completed = Callable[[str], list[tuple[str, str]]]


@pytest.fixture
def completed(shell: TestingShell) -> Completed:
    """The lines that a person could choose from."""

    def press_tab(line: str) -> list[tuple[str, str]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = list(shell.Completer.completions(line, len(line)))
        return [(one.text, line[: one.start] + one.text + line[one.end :]) for one in found]

    return press_tab


def test_an_image_with_a_colon_is_not_inserted_twice(
    completed: Completed, client: docker.DockerClient, name: str
) -> None:
    client.api.tag("lab/busybox", name, "latest")
    try:
        assert completed(f"%container run {name}:la") == [(f"{name}:latest", f"%container run {name}:latest")]
    finally:
        client.api.remove_image(f"{name}:latest")


def test_an_assignment_completes_like_a_plain_line(completed: Completed) -> None:
    assert ("run", "x = %container run") in completed("x = %container r")


def test_no_other_matcher_speaks_on_our_lines(completed: Completed) -> None:
    assert {text for text, _ in completed("%container ren")} == {"rename"}
