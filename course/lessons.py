"""The lessons as they lie in the repository."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

__all__ = ["LANGUAGES", "NOTEBOOKS", "ROOT", "names", "path", "read", "title"]

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
LANGUAGES = {"en": NOTEBOOKS, "ko": NOTEBOOKS / "ko"}


def names() -> list[str]:
    """Of every lesson its file's name without the ending, in the order of the course."""
    return sorted(file.stem for file in NOTEBOOKS.glob("[0-9][0-9]-*.ipynb"))


def path(name: str, language: str = "en") -> Path:
    """Where a lesson lies."""
    return LANGUAGES[language] / f"{name}.ipynb"


def read(name: str, language: str = "en") -> NotebookNode:
    """A lesson, outputs and all."""
    notebook: NotebookNode = nbformat.read(path(name, language), as_version=4)
    return notebook


def title(notebook: NotebookNode) -> str:
    """The words of its first heading: ``5 · Images and layers``."""
    found = re.search(r"(?m)^# (.+)$", notebook.cells[0].source)
    if found is None:
        raise ValueError("a lesson begins with its title")
    return found[1].strip()
