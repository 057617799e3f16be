"""``python -m bench.course [LESSON…]``: the time of each lesson under nbval, and of a fresh kernel's first container.

Each in an empty store of its own, one after the other. A lesson is to take 20 s at most, the second and the last 60 s;
from the first cell's begin to the first container's end 5 s at most.
"""

from __future__ import annotations

import statistics
import sys
import time
from datetime import datetime

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from tests.notebooks import lessons

__all__ = ["first_container", "lesson", "main"]

LIMITS_S = {"02": 60.0, "12": 60.0}
LIMIT_S = 20.0
FIRST_LIMIT_S = 5.0


def main() -> int:
    """Print the seconds; the exit code says whether all kept their limits."""
    first = statistics.median(first_container() for _ in range(3))
    print(f"{'first container':28} {first:6.1f} s of {FIRST_LIMIT_S:.0f}", flush=True)
    late = first > FIRST_LIMIT_S
    for path in lessons.LESSONS:
        if sys.argv[1:] and path.stem[:2] not in sys.argv[1:]:
            continue
        seconds, limit = lesson(path.stem), LIMITS_S.get(path.stem[:2], LIMIT_S)
        late |= seconds > limit
        print(f"{path.stem:28} {seconds:6.1f} s of {limit:.0f}", flush=True)
    return int(late)


def lesson(name: str) -> float:
    """Seconds of one lesson under nbval, the kernel's start included."""
    with lessons.store() as environment:
        begun = time.monotonic()
        done = lessons.nbval(lessons.ROOT / f"notebooks/{name}.ipynb", environment)
        seconds = time.monotonic() - begun
    if done.returncode:
        print(f"{name}: its outputs aren't as stored\n{done.stdout[-2000:]}", file=sys.stderr)
    return seconds


def first_container() -> float:
    """Seconds from the first cell's begin to the first container's end, in a fresh kernel and store."""
    notebook = nbformat.read(lessons.LESSONS[0], as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"][:2]
    with lessons.store() as environment:
        NotebookClient(notebook, timeout=60, kernel_name="python3").execute(env=environment)
    assert "Hello" in notebook.cells[1].outputs[0].text
    return sum(_seconds(cell) for cell in notebook.cells)


def _seconds(cell: NotebookNode) -> float:
    """What the kernel itself took for a cell, by the times that nbclient notes."""
    noted = cell.metadata["execution"]
    began, ended = (datetime.fromisoformat(noted[what]) for what in ("iopub.status.busy", "shell.execute_reply"))
    return (ended - began).total_seconds()


if __name__ == "__main__":
    sys.exit(main())
