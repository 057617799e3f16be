"""What may be completed in a line of ``%compose``: services, and files or kept cells."""

from __future__ import annotations

__all__ = ["file_names", "service_names"]

from pathlib import Path

from containerlab.commands.context import Context
from containerlab.errors import ContainerlabError


def service_names() -> list[str]:
    """Of the last cell, or of the file in this folder; no engine is asked."""
    from containerlab.commands.compose.desk import Desk

    try:
        project = Desk(Context(notebook=True)).project
    except (ContainerlabError, OSError):
        return []
    return sorted({*project.services, *project.disabled})


def file_names() -> list[str]:
    """The kept cells, and the YAML files beside the notebook."""
    from containerlab.commands.compose.kept import Shelf

    beside = [path.name for path in Path.cwd().iterdir() if path.suffix in (".yaml", ".yml")]
    return sorted({*Shelf(Path.cwd()).names(), *beside})
