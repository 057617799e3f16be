"""Part of a project: the services that a command names, what they depend on, and the resources that those use."""

from __future__ import annotations

__all__ = ["select"]

from collections.abc import Iterable, Sequence

import msgspec

from containerlab.compose import check
from containerlab.compose.model import Project, Service
from containerlab.compose.nodes import near
from containerlab.errors import ComposeError


def select(project: Project, names: Sequence[str] = (), *, dependencies: bool = True) -> Project:
    """The services ``names`` (none: all that are enabled) and, with ``dependencies``, what they depend on; networks,
    volumes, secrets and configs that none of them uses are left out.

    A service that is named is enabled, and with it its profiles. Raises ``ComposeError``: ``no such service: NAME``,
    or what was wrong with one that wasn't enabled when the project was loaded.
    """
    for name in names:
        if name not in project.services and name not in project.disabled:
            known = [*project.services, *project.disabled]
            raise ComposeError(f"no such service: {name}", hint=near(name, known))
    newly = [project.disabled[name] for name in names if name in project.disabled]
    if newly:
        project = enabled(project, {profile for service in newly for profile in service.profiles})
    kept = _closure(project, names, dependencies) if names else set(project.services)
    services = {name: service for name, service in project.services.items() if name in kept}
    if not dependencies:
        services = {name: _alone(service, kept) for name, service in services.items()}
    return _without_unused(msgspec.structs.replace(project, services=services))


def enabled(project: Project, profiles: Iterable[str]) -> Project:
    """The project with more profiles on, and checked again."""
    active = tuple(sorted({*project.profiles, *profiles}))
    everything = {**project.services, **project.disabled}
    on = {name: service for name, service in sorted(everything.items()) if is_enabled(service, active)}
    off = {name: service for name, service in sorted(everything.items()) if name not in on}
    on = {name: _without_optional(service, off) for name, service in on.items()}
    for name in on:
        if name in project.faults:
            raise project.faults[name]
    project = msgspec.structs.replace(project, services=on, disabled=off, profiles=active)
    check.dependencies(project)
    return project


def is_enabled(service: Service, profiles: Iterable[str]) -> bool:
    active = set(profiles)
    return not service.profiles or "*" in active or not active.isdisjoint(service.profiles)


def _without_optional(service: Service, disabled: dict[str, Service]) -> Service:
    """A dependency that isn't required and isn't enabled is none."""
    kept = {name: other for name, other in service.depends_on.items() if other.required or name not in disabled}
    return service if len(kept) == len(service.depends_on) else msgspec.structs.replace(service, depends_on=kept)


def _closure(project: Project, names: Sequence[str], dependencies: bool) -> set[str]:
    kept: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept.add(name)
            waiting += project.services[name].depends_on if dependencies else ()
    return kept


def _alone(service: Service, kept: set[str]) -> Service:
    left = {name: other for name, other in service.depends_on.items() if name in kept}
    return msgspec.structs.replace(service, depends_on=left)


def _without_unused(project: Project) -> Project:
    services = project.services.values()
    networks = {name for service in services for name in service.networks}
    volumes = {mount.source for service in services for mount in service.volumes if mount.type == "volume"}
    secrets = {use.source for service in services for use in service.secrets}
    secrets |= {use.source for service in services if service.build for use in service.build.secrets}
    configs = {use.source for service in services for use in service.configs}
    return msgspec.structs.replace(
        project,
        networks={name: value for name, value in project.networks.items() if name in networks},
        volumes={name: value for name, value in project.volumes.items() if name in volumes},
        secrets={name: value for name, value in project.secrets.items() if name in secrets},
        configs={name: value for name, value in project.configs.items() if name in configs},
    )
