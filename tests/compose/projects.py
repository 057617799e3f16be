"""Projects of the tests: a text, or a few files of a folder, loaded with a small environment."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from containerlab.compose.load import load
from containerlab.compose.model import Project, Service

ENVIRON = {"HOME": "/home/student"}


def loaded(text: str, folder: Path = Path("/lab"), environ: Mapping[str, str] | None = None, **rest: Any) -> Project:
    """A project named ``lab`` from the text of one file."""
    rest.setdefault("project_name", "lab")
    environ = {**ENVIRON, **(environ or {})}
    return load(None, body=textwrap.dedent(text), project_directory=folder, environ=environ, **rest)


def service(fields: str, environ: Mapping[str, str] | None = None, **rest: Any) -> Service:
    """The service ``web`` of a project with no other; ``fields`` is what stands below its name beside an image."""
    text = "services:\n  web:\n    image: busybox\n" + textwrap.indent(textwrap.dedent(fields), "    ")
    return loaded(text, environ=environ, **rest).services["web"]


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def loaded_files(folder: Path, *names: str, environ: Mapping[str, str] | None = None, **rest: Any) -> Project:
    """A project named ``lab`` from files that were written."""
    rest.setdefault("project_name", "lab")
    return load([folder / name for name in names], environ={**ENVIRON, **(environ or {})}, **rest)
