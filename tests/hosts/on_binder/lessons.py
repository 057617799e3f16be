"""On the rung proot: every lesson runs to its end under nbval, and says what this host can't show.

Its outputs are this host's. A cell may fail only where it says that it is meant to, or that it needs a virtual machine.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from containerlab.notebook.needs import LINE
from tests.notebooks import lessons

# One in Korean: the code is the same, the words of the notes are not.
NAMES = [*(path.stem for path in lessons.LESSONS), "ko/08-networking"]

_FAILED = re.compile(r"^_+ \S+::Cell (\d+) _+\n.*\nCell \d+: (.*)$", re.MULTILINE)
_DIFFERS = "Cell outputs differ"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_runs_to_its_end(name: str, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    shutil.copytree(lessons.ROOT / "notebooks", tmp_path / "notebooks")
    notebook = tmp_path / f"notebooks/{name}.ipynb"
    with lessons.store() as environment:
        said = _COLOUR.sub("", lessons.nbval(notebook, environment).stdout)
    code = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    failed = dict(_FAILED.findall(said))
    assert f"{len(code) - len(failed)} passed" in said, said[-4000:]
    assert set(failed.values()) <= {_DIFFERS}, said[-8000:]
    left_out = [number for number, cell in enumerate(code) if cell.source.startswith(LINE)]
    compared = {
        str(number) for number in left_out if "nbval-ignore-output" not in code[number].metadata.get("tags", ())
    }
    assert compared <= set(failed), "the note isn't there"
    stored = len(code) - len({*failed, *map(str, left_out)})
    told = {"cells": len(code), "as_stored": stored, "left_out": len(left_out)}
    record_property("lesson", {"name": name, **told})
