"""The magics in a real kernel: what is saved in the notebook, and what nbval then compares."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

IMAGE = "lab/busybox"
SANITIZERS = Path(__file__).parents[1] / "notebooks/sanitize.cfg"


@pytest.fixture
def kernel(host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The environment in which kernels are started: no trace of this pytest."""
    monkeypatch.setenv("DOCKER_HOST", host)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    yield


def notebook(*cells: str) -> nbformat.NotebookNode:
    sources = ["%load_ext containerlab", *cells]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return made


def executed(made: nbformat.NotebookNode) -> list[list[dict[str, Any]]]:
    """The outputs of each cell after the first."""
    NotebookClient(made, timeout=60, kernel_name="python3").execute()
    return [cell.outputs for cell in made.cells[1:]]


def test_a_saved_notebook_holds_streams_tables_and_one_element_a_build(kernel: None, name: str) -> None:
    run, table, build, quiet = executed(
        notebook(
            f"%container run --rm --network none {IMAGE} echo hi",
            f"%container create --name {name} --network none {IMAGE} true\n%container ps -a --filter name={name}",
            f"%%dockerfile --network none\nFROM {IMAGE}\nRUN sleep 0.5; echo one\nRUN echo two",
            "%container images ;",
        )
    )
    assert [(output.output_type, output.text) for output in run] == [("stream", "hi\n")]
    assert [output.output_type for output in table] == ["execute_result"]
    assert set(table[0].data) == {"text/plain", "text/html"}
    assert [output.output_type for output in build] == ["display_data"]
    assert "Step 3/3" in build[0].data["text/plain"] and "running" not in build[0].data["text/html"]
    assert quiet == []


def test_an_error_in_a_notebook_is_its_own_lines_without_colours(kernel: None) -> None:
    made = notebook(f"%container run --rm --network none {IMAGE} sh -c 'exit 3'", "print('never')")
    with pytest.raises(CellExecutionError):
        executed(made)
    error = made.cells[1].outputs[-1]
    assert (error.output_type, error.ename) == ("error", "ContainerExited")
    assert error.traceback == [f"{IMAGE} sh -c 'exit 3' ended with exit code 3."]
    assert made.cells[2].outputs == []


def test_nbval_agrees_with_what_was_saved_and_fails_on_what_was_not(kernel: None, name: str, tmp_path: Path) -> None:
    made = notebook(
        f"%container run -d --replace --name {name} --network none {IMAGE} sleep 100",
        f"%container ps --filter name={name}",
        f"%%container exec {name} sh\necho from the body; echo err >&2",
        f"%%dockerfile -t {name}:1 --no-cache --network none\nFROM {IMAGE}\nRUN sleep 0.3; echo one | tee /one",
        f"%container rmi {name}:1\n%container rm -f {name}",
    )
    executed(made)
    path = tmp_path / "lesson.ipynb"
    nbformat.write(made, path)
    assert nbval(path) == 0
    document = json.loads(path.read_text())
    document["cells"][3]["outputs"][0]["text"] = ["something else\n"]
    path.write_text(json.dumps(document))
    assert nbval(path) == 1


def nbval(path: Path) -> int:
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-sanitize-with", str(SANITIZERS), "-q", "-p"]
    command += ["no:cacheprovider", "-c", os.devnull, "--rootdir", str(path.parent), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=path.parent)
    print(done.stdout)
    return done.returncode


def test_an_interrupted_kernel_stops_the_container_and_runs_no_further_cell(
    kernel: None, client: docker.DockerClient, name: str
) -> None:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    channel = manager.client()
    channel.start_channels()
    try:
        channel.wait_for_ready(timeout=60)
        channel.execute_interactive("%load_ext containerlab", timeout=60)
        run = channel.execute(f"%container run --rm --name {name} --network none {IMAGE} sleep 1000")
        after = channel.execute("print('never')")
        deadline = time.monotonic() + 30
        while not client.api.containers(filters={"name": name}) and time.monotonic() < deadline:
            time.sleep(0.05)
        manager.signal_kernel(signal.SIGINT)
        replies = {}
        while len(replies) < 2:
            message = channel.get_shell_msg(timeout=30)
            replies[message["parent_header"]["msg_id"]] = message["content"]
        assert (replies[run]["status"], replies[run]["ename"]) == ("error", "Interrupted")
        assert replies[after]["status"] == "aborted"
        assert not client.api.containers(all=True, filters={"name": name})
    finally:
        channel.stop_channels()
        manager.shutdown_kernel(now=True)
