"""``python -m tests.notebooks.regenerate NOTEBOOK…``: run lessons in a fresh store and keep what their cells show."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from tests.notebooks import lessons


def regenerate(path: Path) -> None:
    """Run every cell, and write the notebook with its new outputs; what differs from run to run is nbval's to mask."""
    notebook = nbformat.read(path, as_version=4)
    with lessons.store() as environment:
        environment["CONTAINERLAB_PROGRESS"] = "final"  # as under nbval: a picture that goes on is one that has ended
        client = NotebookClient(
            notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
        )
        client.execute(env=environment)
    for cell in notebook.cells:
        # When a cell ran is nobody's business in a repository.
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
    nbformat.write(notebook, path)


def _joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Where a stream was cut is chance: what follows on the same one is one output."""
    joined: list[nbformat.NotebookNode] = []
    for output in outputs:
        before = joined[-1] if joined else None
        if before is not None and output.output_type == before.output_type == "stream" and output.name == before.name:
            before.text += output.text
        else:
            joined.append(output)
    return joined


if __name__ == "__main__":
    for name in sys.argv[1:]:
        regenerate(Path(name))
