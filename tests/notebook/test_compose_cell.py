"""``%%compose``: a cell that is a Compose file, kept for the verbs that follow; its table and its graph."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from containerlab.commands.compose.kept import Shelf
from containerlab.errors import ComposeError, StartFailed, UsageError
from containerlab.notebook.completion import complete
from tests.notebook.conftest import TestingShell

CELL = """%%compose {options} up
services:
  db:
    image: lab/busybox
    command: sh -c "echo ready; trap exit TERM; while :; do sleep 0.1; done"
    healthcheck: {{test: [CMD, "true"], interval: 200ms, retries: 50}}
    volumes: ["data:/data"]
  job: {{image: lab/busybox, command: "echo done"}}
  web:
    image: lab/busybox
    init: true
    command: sleep 60
    depends_on: {{db: {{condition: service_healthy}}, job: {{condition: service_completed_successfully}}}}
volumes: {{data: {{}}}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: docker.DockerClient) -> Iterator[Path]:
    """A notebook's folder, whose name is the project's; the state folder is one of the test's own."""
    made = tmp_path / f"n{uuid.uuid4().hex[:8]}"
    made.mkdir()
    monkeypatch.chdir(made)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    chosen = {"label": f"com.docker.compose.project={made.name}"}
    try:
        yield made
    finally:
        for container in client.containers.list(all=True, filters=chosen):
            container.remove(force=True, v=True)
        for network in client.networks.list(filters=chosen):
            network.remove()
        for volume in client.volumes.list(filters=chosen):
            volume.remove()


def test_up_shows_a_table_and_a_graph_and_the_other_verbs_act_on_the_same_file(
    shell: TestingShell, folder: Path
) -> None:
    shown = shell.shown(CELL.format(options=""))
    assert shown.stderr == "" and "web needs db, job" in shown.stdout
    table = shown.outputs[0].data
    assert f"Container {folder.name}-db-1  Healthy" in table["text/plain"]
    assert table["text/html"].count("<tr>") == 5  # a network, a volume, three containers
    graph = shell.cell("%compose up")._repr_mimebundle_()
    assert "<svg" in graph["text/html"] and "cl-fallback" in graph["text/html"]
    assert "once it has ended well" in graph["text/plain"]
    assert not list(folder.iterdir()), "the cell is kept, but not among the person's files"

    assert {row["service"] for row in shell.cell("%compose ps")} == {"db", "web"}
    logs = shell.shown("%compose logs db job").stdout.splitlines()
    assert {"db-1   | ready", "job-1  | done"} <= set(logs)
    assert shell.cell("%%compose exec db cat\nfrom the cell").stdout == "from the cell\n"
    assert shell.cell("%compose run --rm --no-deps job echo again").stdout == "again\n"
    shell.cell("%compose down -t 1 -v")
    assert len(shell.cell("%compose ps -a")) == 0
    again = shell.cell("%compose up")
    assert {row["service"] for row in again} == {"db", "job", "web"} and len(again.figure().table.rows) == 3


def test_a_new_kernel_finds_the_last_cell_and_a_name_any_of_them(shell: TestingShell, folder: Path) -> None:
    shell.cell("%%compose -f first config\nservices: {one: {image: lab/busybox}}\n")
    shell.cell("%%compose config\nservices: {other: {image: lab/busybox}}\n")
    shell.reset()
    shell.cell("%reload_ext containerlab")
    assert str(shell.cell("%compose config --services")) == "other"
    assert str(shell.cell("%compose -f first config --services")) == "one"
    kept = Shelf(folder)
    assert kept.names() == ["compose.yaml", "first"]
    assert (kept.folder.stat().st_mode & 0o777, (kept.folder / "first").stat().st_mode & 0o777) == (0o700, 0o600)


def test_the_verbs_that_follow_mean_the_project_that_the_cell_named(
    shell: TestingShell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else ``down -v`` would remove the data of another project, the one of the text's own name."""
    body = "name: theirs\nservices: {one: {image: lab/busybox}}\n"
    shell.cell(f"%%compose -p mine config\n{body}")
    assert "name: mine" in str(shell.cell("%compose config"))
    assert "name: other" in str(shell.cell("%compose -p other config"))
    shell.cell(f"%%compose config\n{body}")
    assert "name: theirs" in str(shell.cell("%compose config"))
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "env")
    shell.cell(f"%%compose config\n{body}")
    monkeypatch.delenv("COMPOSE_PROJECT_NAME")
    assert "name: env" in str(shell.cell("%compose config"))


def test_a_cell_never_hides_a_file(shell: TestingShell, folder: Path) -> None:
    (folder / "compose.yaml").write_text("services: {mine: {image: lab/busybox}}\n")
    with pytest.raises(UsageError, match=r"There is a file compose\.yaml in this folder"):
        shell.cell("%%compose config\nservices: {other: {image: lab/busybox}}\n")
    assert str(shell.cell("%compose config --services")) == "mine"
    with pytest.raises(UsageError, match="a cell's name is letters"):
        shell.cell("%%compose -f ../outside config\nservices: {}\n")


def test_mistakes_say_where_they_are_and_what_never_comes_up_fails_the_cell(
    shell: TestingShell, folder: Path, client: docker.DockerClient
) -> None:
    with pytest.raises(ComposeError) as caught:
        shell.cell("%%compose up\nservices:\n  web:\n    imge: lab/busybox\n")
    assert caught.value._render_traceback_()[0].startswith("compose.yaml:3:5: services.web")
    with pytest.raises(StartFailed, match=r"dependency failed to start: container \S+-db-1 is unhealthy"):
        shell.cell(
            CELL.format(options="").replace(
                '"true"], interval: 200ms, retries: 50', '"false"], interval: 100ms, retries: 1'
            )
        )
    with pytest.raises(UsageError, match="%%compose needs a verb"):
        shell.cell("%%compose\nservices: {}\n")


def test_completion_knows_verbs_options_services_and_cells(shell: TestingShell, folder: Path) -> None:
    shell.cell("%%compose -f mine config\nservices: {web: {image: i}, worker: {image: i, profiles: [p]}}\n")

    def offered(line: str) -> list[str]:
        found = complete(line, lambda: pytest.fail("an engine is asked"))
        assert found is not None
        return found[1]

    assert "up" in offered("%compose ") and offered("x = %compose dow") == ["down"]
    assert "--remove-orphans" in offered("%compose up --re") and "--project-name" in offered("%compose --pro")
    assert offered("%%compose -f ") == ["mine"] and "ps" in offered("%compose -f mine p")
    assert offered("%compose logs w") == ["web", "worker"]
    assert offered("%compose up --exit-code-from wo") == ["worker"]
