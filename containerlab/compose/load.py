"""From files, or a cell's body, to a validated ``Project``."""

from __future__ import annotations

__all__ = ["load", "load_tree"]

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from containerlab.compose import check, discovery, finish
from containerlab.compose.interpolation import Variables
from containerlab.compose.model import Network, Project
from containerlab.compose.nodes import Fields
from containerlab.compose.select import enabled
from containerlab.compose.short import Folder
from containerlab.compose.tree import File, Scope, assemble
from containerlab.errors import ComposeError


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
    text = None if body is None else File(body_name, body)
    found = discovery.find(files, text, project_directory, env_files, environ)
    name = discovery.project_name(project_name, found)
    tree, warnings = _tree(found, name, interpolated=True)
    services, faults = finish.services(tree, found.environment)
    project = Project(
        name=name,
        working_dir=found.directory,
        files=tuple(file.path for file in found.files if file.path),
        disabled=services,
        networks=finish.networks(tree, name),
        volumes=finish.volumes(tree, name),
        secrets=finish.blobs(tree, "secrets", name),
        configs=finish.blobs(tree, "configs", name),
        environment={**found.environment, "COMPOSE_PROJECT_NAME": name},
        warnings=tuple(warnings),
        places=finish.places_of(tree),
    )
    project = _with_faults(_with_default_network(project), faults)
    return enabled(project, _profiles(profiles, found.environment))


def load_tree(
    files: Sequence[Path] | None,
    *,
    body: str | None = None,
    body_name: str = "compose.yaml",
    project_name: str | None = None,
    project_directory: Path | None = None,
    env_files: Sequence[Path] = (),
    environ: Mapping[str, str],
) -> tuple[str, Fields]:
    """The project's name and its merged files with their variables still in them, for ``config --no-interpolate``."""
    text = None if body is None else File(body_name, body)
    found = discovery.find(files, text, project_directory, env_files, environ)
    name = discovery.project_name(project_name, found)
    return name, _tree(found, name, interpolated=False)[0]


def _tree(found: discovery.Found, name: str, *, interpolated: bool) -> tuple[Fields, list[str]]:
    variables = Variables({**found.environment, "COMPOSE_PROJECT_NAME": name})
    home = found.environment.get("HOME", "")
    scope = Scope(Folder(found.directory, home, interpolated), variables, list(found.warnings), interpolated)
    tree = assemble(found.files, scope)
    if not tree.entries:
        raise ComposeError("empty compose file", file=found.files[0].name, line=1)
    finish.finished(tree)
    return tree, [*variables.warnings(), *scope.warnings]


def _profiles(given: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    named = list(given) or environment.get("COMPOSE_PROFILES", "").split(",")
    return [profile.strip() for profile in named if profile.strip()]


def _with_default_network(project: Project) -> Project:
    """The network ``default`` is there as soon as a service uses it."""
    used = any("default" in service.networks for service in project.disabled.values())
    if not used or "default" in project.networks:
        return project
    default = Network(name=f"{project.name}_default")
    return msgspec.structs.replace(project, networks={**project.networks, "default": default})


def _with_faults(project: Project, faults: finish.Faults) -> Project:
    """What is wrong with each service; it is said once the service is enabled."""
    for name, service in project.disabled.items():
        try:
            check.check(project, service)
        except ComposeError as error:
            faults.setdefault(name, error)
    return msgspec.structs.replace(project, faults=faults)
