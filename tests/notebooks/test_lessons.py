"""The lessons say what they say: every stored output is compared with what the engine really does."""

from __future__ import annotations

import copy
import os
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbval.plugin import get_sanitize_patterns

from tests.notebooks import lessons

# Those that an ordinary user's engine has the most to do with; the others' turn comes with the slow tests.
_SOON = ("01-first-container", "08-networking")
NAMES = [path.stem for path in lessons.LESSONS]


@pytest.mark.parametrize("name", NAMES)
def test_lesson_runs_and_every_output_is_as_stored(name: str) -> None:
    with lessons.store() as environment:
        done = lessons.nbval(lessons.ROOT / f"notebooks/{name}.ipynb", environment)
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.root
@pytest.mark.parametrize(
    "name", [name if name in _SOON else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_lesson_runs_the_same_for_a_user_without_root(name: str, tmp_path: Path) -> None:
    notebook = lessons.readable_copy(lessons.ROOT / f"notebooks/{name}.ipynb")
    try:
        with lessons.store(lessons.SOMEBODY) as environment:
            done = lessons.nbval(notebook, environment, lessons.SOMEBODY)
        assert done.returncode == 0, done.stdout[-6000:]
    finally:
        shutil.rmtree(notebook.parent)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_cell_can_be_run_twice(name: str) -> None:
    notebook = nbformat.read(lessons.ROOT / f"notebooks/{name}.ipynb", as_version=4)
    notebook.cells = [twice for cell in notebook.cells for twice in _twice(cell)]
    with lessons.store() as environment, lessons.alone(name):
        _client(notebook).execute(env=environment)


def _client(notebook: nbformat.NotebookNode, **options: Any) -> NotebookClient:
    """Runs a lesson where it lies: beside it are the files that some of its cells read."""
    folder = {"metadata": {"path": str(lessons.ROOT / "notebooks")}}
    return NotebookClient(notebook, timeout=300, kernel_name="python3", resources=folder, **options)


def _twice(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """A cell that asks for a state which it has brought about itself may say so (``not-twice``), as Docker would."""
    if cell.cell_type != "code":
        return [cell]
    again = copy.deepcopy(cell)
    tags = cell.metadata.get("tags", [])
    if "not-twice" in tags:
        again.metadata["tags"] = [*tags, "raises-exception"]
    return [cell, again]


@pytest.mark.slow
def test_without_qemu_the_cells_say_so_and_the_rest_works(tmp_path: Path) -> None:
    notebook = nbformat.read(lessons.ROOT / "notebooks/02-container-vs-vm.ipynb", as_version=4)
    with lessons.store() as environment:
        environment["PATH"] = _programs_without(("qemu",), tmp_path)
        _client(notebook, allow_errors=True).execute(env=environment)
    failed = {cell.id for cell in notebook.cells if _errors(cell)}
    assert failed == {cell.id for cell in notebook.cells if "needs-vm" in cell.metadata.get("tags", ())}
    table = next(cell for cell in notebook.cells if cell.id == "table").outputs[0]["data"]["text/plain"]
    assert "not measured" in table and table.count("QEMU is missing") == 1


@pytest.mark.slow
def test_without_git_and_a_registry_the_cells_say_so_and_the_rest_works(tmp_path: Path) -> None:
    notebook = nbformat.read(lessons.ROOT / "notebooks/07-dockerfile.ipynb", as_version=4)
    with lessons.store() as environment:
        environment["PATH"] = _programs_without(("git", "docker-registry"), tmp_path)
        _client(notebook).execute(env=environment)
    said = {cell.id: "".join(output.get("text", "") for output in cell.get("outputs", ())) for cell in notebook.cells}
    assert said["git"] == said["git-build"] == "Git isn't installed here: there is no history to build from.\n"
    assert said["ci-push"].startswith("There is no registry on this host.")
    assert said["two-stores"] == "the same digest: True\n"


@pytest.mark.slow
@pytest.mark.root
def test_the_capstones_solution_passes_every_check() -> None:
    notebook = nbformat.read(lessons.ROOT / "notebooks/12-capstone.ipynb", as_version=4)
    cells = {cell.id: cell for cell in notebook.cells}
    dockerfile, compose = re.findall(r"```(?:dockerfile|yaml)\n(.*?)```", cells["summary"].source, re.S)
    cells["dockerfile"].source = (
        f"Path('Dockerfile').write_text({dockerfile!r})\n"
        "Path('password.txt').write_text('open-sesame\\n')\n%container build -t guestbook:1 ."
    )
    cells["compose"].source = f"%%compose up --wait\n{compose}"
    cells["step-4"].cell_type, cells["step-4"].outputs, cells["step-4"].execution_count = "code", [], None
    cells["step-4"].source = "%compose down -t 1\n%compose up --wait\nprint(guestbook('Alan'))"
    with lessons.store() as environment:
        _client(notebook).execute(env=environment)
    said = {cell.id: "".join(output.get("text", "") for output in cell.get("outputs", ())) for cell in notebook.cells}
    assert said["step-4"].endswith("3 guests: Ada, Grace, Alan\n")
    for number in (1, 2, 3, 4):
        [verdict] = [output for output in cells[f"check-{number}"].outputs if "data" in output]
        assert f"Exercise 12.{number} is done" in verdict.data["text/plain"]
    assert "well now:      6 of 6" in said["second-audit"]


def _errors(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for output in cell.get("outputs", ()) if output.output_type == "error"]


def _programs_without(prefixes: tuple[str, ...], folder: Path) -> str:
    """A PATH of links to every program but those whose names begin so."""
    for place in os.environ["PATH"].split(":"):
        for program in Path(place).glob("*") if Path(place).is_dir() else ():
            link = folder / program.name
            if not program.name.startswith(prefixes) and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)


def _code_cells(name: str) -> list[nbformat.NotebookNode]:
    notebook = nbformat.read(lessons.ROOT / f"notebooks/{name}.ipynb", as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("name", NAMES)
def test_at_most_a_fifth_of_a_lesson_escapes_comparison(name: str) -> None:
    cells = _code_cells(name)
    ignored = [cell for cell in cells if "nbval-ignore-output" in cell.metadata.get("tags", ())]
    assert len(ignored) * 5 <= len(cells)


@pytest.mark.parametrize("name", NAMES)
def test_no_sanitizer_swallows_a_whole_output(name: str) -> None:
    rules = _sanitizers()
    for cell in _code_cells(name):
        for output in cell.outputs:
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            if not text.strip():
                continue
            left = text
            for pattern in rules:
                left = pattern.sub("", left)
            assert re.search(r"[A-Za-z]{2}", left), f"nothing of this output is compared: {text!r}"


def test_nbval_reads_every_rule_of_ours() -> None:
    text = lessons.SANITIZERS.read_text()
    assert len(get_sanitize_patterns(text)) == len(_sanitizers()) == len(re.findall(r"(?m)^\[", text))


def test_that_a_cell_was_slow_makes_no_difference() -> None:
    said = "Still running. To stop it, interrupt the kernel.\nboot id\n"
    for pattern, replacement in get_sanitize_patterns(lessons.SANITIZERS.read_text()):
        said = re.sub(pattern, replacement, said)
    assert said == "boot id\n"


def _sanitizers() -> list[re.Pattern[str]]:
    text = lessons.SANITIZERS.read_text()
    return [re.compile(line.removeprefix("regex: ")) for line in text.splitlines() if line.startswith("regex: ")]


BREAKAGES = {
    "a verb that prints nothing": (r"^%container run --rm --network none notes:1$", "pass"),
    "a wrong number of layers": (r'"layers:", len\(sharing.layers\)', '"layers:", len(sharing.layers) + 1'),
    "a cache that is lost": (r"^FROM lab/python$", "FROM lab/python\nRUN true"),
}


@pytest.mark.parametrize("what", BREAKAGES)
def test_a_broken_lesson_does_not_pass(what: str, tmp_path: Path) -> None:
    pattern, replacement = BREAKAGES[what]
    notebook = nbformat.read(lessons.ROOT / "notebooks/05-images-and-layers.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and re.search(pattern, cell.source, re.M):
            cell.source = re.sub(pattern, replacement, cell.source, flags=re.M)
            break
    else:
        raise AssertionError(f"the lesson has no line like {pattern}")
    broken = tmp_path / "broken.ipynb"
    nbformat.write(notebook, broken)
    with lessons.store() as environment:
        done = lessons.nbval(broken, environment)
    assert done.returncode == 1, done.stdout[-3000:]
