"""From files, or a cell's body, to a validated ``Project``."""

from __future__ import annotations

__all__ = ["load"]

from collections.abc import Mapping, Sequence
from pathlib import Path

from containerlab.compose.model import Project


def load(
    files: Sequence[Path] | None,
    *,
    body: str | None = None,
    body_name: str = "compose.yaml",
    project_name: str | None = None,
    project_directory: Path | None = None,
    env_files: Sequence[Path] = (),
    profiles: Sequence[str] = (),
    environ: Mapping[str, str],
) -> Project:
    """Read, merge and check a project.

    ``files`` None looks as docker compose does: ``COMPOSE_FILE``, else ``compose.yaml`` and its kin in the project's
    directory and the folders above it. With ``body`` the text is the file, named ``body_name``, in the project's
    directory (the working directory by default). ``environ`` is the caller's environment.

    Raises ``ComposeError``, which names file, line, column and path.
    """
    raise NotImplementedError
