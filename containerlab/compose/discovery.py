"""Which files a project is made of, which variables fill them, and what it is called: from options, ``COMPOSE_…``
variables, ``.env`` and the names that docker compose looks for.
"""

from __future__ import annotations

__all__ = ["Found", "find", "project_name"]

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from containerlab.compose import document, dotenv
from containerlab.compose.interpolation import InvalidTemplate, MissingVariable, Variables, substitute
from containerlab.compose.nodes import Node
from containerlab.compose.reading import string
from containerlab.compose.tree import File
from containerlab.errors import ComposeError

_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES = (
    "compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml",
)  # fmt: skip
_PROJECT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_TRUE = ("1", "t", "true", "yes", "y")


@dataclass
class Found:
    """``directory`` is the project's; ``environment`` the caller's variables over those of the ``.env`` files."""

    files: list[File]
    directory: Path
    environment: dict[str, str]
    warnings: list[str] = field(default_factory=list)


def find(
    files: Sequence[Path] | None,
    body: File | None,
    directory: Path | None,
    env_files: Sequence[Path],
    environ: Mapping[str, str],
) -> Found:
    """The files, read. Raises ``ComposeError`` where one isn't there."""
    try:
        here = (directory or Path()).absolute()
    except OSError as error:
        raise ComposeError("the working directory is no longer there", hint="Go into another one.") from error
    found = Found([], here, dict(environ))
    own = _dotenv(here, env_files, environ)
    if body is not None:
        found.files = [body]
    else:
        paths = _paths(files, here, {**own, **environ}, found.warnings)
        if directory is None:
            found.directory = paths[0].parent
        found.files = [File.read(path) for path in paths]
    if found.directory != here and not env_files:
        own = {**own, **_dotenv(found.directory, env_files, environ)}
    found.environment = {**own, **environ}
    return found


def _paths(files: Sequence[Path] | None, here: Path, environment: Mapping[str, str], warnings: list[str]) -> list[Path]:
    if files:
        return [path.absolute() for path in files]
    named = environment.get("COMPOSE_FILE")
    if named:
        separator = environment.get("COMPOSE_PATH_SEPARATOR") or ":"
        return [here / name for name in named.split(separator) if name]
    for folder in (here, *here.parents):
        there = [name for name in _NAMES if document.is_file(folder / name)]
        if not there:
            continue
        if len(there) > 1:
            warnings.append(f"Found multiple config files with supported names: {', '.join(there)}")
            warnings.append(f"Using {folder / there[0]}")
        overrides = [name for name in _OVERRIDES if document.is_file(folder / name)]
        return [folder / name for name in (there[0], *overrides[:1])]
    raise ComposeError(
        "no configuration file provided: not found",
        hint=f"Looked for {', '.join(_NAMES)} in {here} and the folders above it.",
    )


def _dotenv(folder: Path, env_files: Sequence[Path], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of the ``.env`` files; a later file wins."""
    if not env_files:
        named = environ.get("COMPOSE_ENV_FILES", "")
        env_files = [folder / name for name in named.split(",") if name]
    if not env_files:
        switched_off = environ.get("COMPOSE_DISABLE_ENV_FILE", "").lower() in _TRUE
        env_files = [folder / ".env"] if document.is_file(folder / ".env") and not switched_off else []
    values: dict[str, str] = {}
    for path in env_files:
        if not document.is_file(path):
            raise ComposeError(f"couldn't find env file: {path.absolute()}")
        values.update(dotenv.read(path.absolute(), {**values, **environ}))
    return values


def project_name(given: str | None, found: Found) -> str:
    """What is asked for, ``COMPOSE_PROJECT_NAME``, the last ``name:`` of the files, or the folder's name without what
    a name can't have. Raises ``ComposeError``."""
    for asked in (given, found.environment.get("COMPOSE_PROJECT_NAME")):
        if asked:
            if not _PROJECT_NAME.fullmatch(asked):
                raise ComposeError(_invalid(asked))
            return asked
    node = _named(found.files)
    if node is not None:
        return _filled(node, found)
    name = re.sub(r"[^-_a-z0-9]", "", found.directory.name.lower()).lstrip("_-")
    if not name:
        raise ComposeError(
            "project name must not be empty", hint="Name the project with -p, or by `name:` in its file."
        )
    return name


def _named(files: Sequence[File]) -> Node | None:
    nodes = [
        parsed.entries["name"]
        for file in files
        for parsed in document.parse(file.text, file.name)
        if "name" in parsed.entries
    ]
    return nodes[-1] if nodes else None


def _filled(node: Node, found: Found) -> str:
    try:
        name = substitute(string(node), Variables(found.environment))
    except (InvalidTemplate, MissingVariable) as error:
        raise node.place.error(f"error while interpolating name: {error.message}") from error
    if not _PROJECT_NAME.fullmatch(name):
        raise node.place.error(_invalid(name))
    return name


def _invalid(name: str) -> str:
    return (
        f'invalid project name "{name}": must consist only of lowercase alphanumeric characters, hyphens, and '
        "underscores as well as start with a letter or number"
    )
