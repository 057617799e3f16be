"""Whether the parts of a project fit: what a service refers to is there, and no service waits for itself. The
sentences are docker compose's (compose-go's ``checkConsistency``).
"""

from __future__ import annotations

__all__ = ["check", "dependencies"]

from collections.abc import Iterable, Iterator, Mapping

from containerlab.compose.model import Project, Service
from containerlab.compose.nodes import Place, Source, near
from containerlab.errors import ComposeError


def check(project: Project, service: Service) -> None:
    """Raise ``ComposeError`` for the first thing of a service that doesn't fit; what it depends on is not looked at."""
    for path, message, hint in _problems(project, service):
        raise _place(project, f"services.{service.name}{path}").error(
            message, hint=hint, path=f"services.{service.name}{path}"
        )


def _place(project: Project, path: str) -> Place:
    """Where a part is written, or the nearest part around it that is."""
    while path and path not in project.places:
        path = path.rpartition("." if path.rfind(".") > path.rfind("[") else "[")[0]
    return project.places.get(path, Place(Source("")))


def _problems(project: Project, service: Service) -> Iterator[tuple[str, str, str]]:
    """``(path below the service, sentence, hint)``."""
    name = service.name
    if service.build is None and not service.image:
        yield "", f'service "{name}" has neither an image nor a build context specified', ""
    yield from _undefined(name, "networks", "network", service.networks, project.networks)
    named = {mount.source for mount in service.volumes if mount.type == "volume" and mount.source}
    yield from _undefined(name, "volumes", "volume", sorted(named), project.volumes)
    yield from _undefined(name, "secrets", "secret", (use.source for use in service.secrets), project.secrets)
    yield from _undefined(name, "configs", "config", (use.source for use in service.configs), project.configs)
    if service.build is not None:
        used = (use.source for use in service.build.secrets)
        yield from _undefined(name, "build.secrets", "build secret", used, project.secrets)
        if service.platform and service.build.platforms and service.platform not in service.build.platforms:
            yield ".build.platforms", f'service.build.platforms MUST include service.platform "{service.platform}"', ""
    if service.scale > 1 and service.container_name:
        said = "scale" if f"services.{name}.scale" in project.places else "deploy.replicas"
        yield ".container_name", f"can't set container_name and {said} as container name must be unique", ""
    yield from _mounted_twice(service)


def _undefined(
    name: str, part: str, what: str, used: Iterable[str], known: Mapping[str, object]
) -> Iterator[tuple[str, str, str]]:
    for other in used:
        if other not in known:
            yield f".{part}", f'service "{name}" refers to undefined {what} {other}', near(other, known)


def _mounted_twice(service: Service) -> Iterator[tuple[str, str, str]]:
    mounted: dict[str, str] = {}
    for number, tmpfs in enumerate(service.tmpfs):
        target = tmpfs.partition(":")[0]
        where = f"services.{service.name}.tmpfs[{number}]"
        if target in mounted:
            yield f".tmpfs[{number}]", f"target {target} already mounted as {mounted[target]}", ""
        mounted[target] = where
    for number, mount in enumerate(service.volumes):
        where = f"services.{service.name}.volumes[{number}]"
        if mount.target in mounted:
            yield f".volumes[{number}]", f"target {mount.target} already mounted as {mounted[mount.target]}", ""
        mounted[mount.target] = where


def dependencies(project: Project) -> None:
    """Raise ``ComposeError`` where a service depends on one that isn't there or isn't enabled, or, by others, on
    itself."""
    for service in project.services.values():
        for other in service.depends_on:
            if other not in project.services:
                raise _missing(project, service, other)
    seen: set[str] = set()
    for name in sorted(project.services):
        if name not in seen:
            _search(name, project, seen)


def _missing(project: Project, service: Service, other: str) -> ComposeError:
    path = f"services.{service.name}.depends_on"
    place = _place(project, f"{path}.{other}")
    hint = near(other, project.services)
    if other in project.disabled:
        profiles = ", ".join(project.disabled[other].profiles)
        hint = f'Service "{other}" has the profiles {profiles}, none of which is active.'
    sentence = f'service "{service.name}" depends on undefined service "{other}"'
    if service.network_mode == f"service:{other}":
        sentence = f"service \"{other}\" not found for network_mode 'service:{other}'"
        place, path = _place(project, f"services.{service.name}.network_mode"), f"services.{service.name}.network_mode"
    return place.error(sentence, hint=hint, path=path)


def _search(start: str, project: Project, seen: set[str]) -> None:
    """Depth first, without recursion: a file may have a thousand services in a row."""
    seen.add(start)
    path = [start]
    waiting = [iter(sorted(project.services[start].depends_on))]
    while waiting:
        other = next(waiting[-1], None)
        if other is None:
            waiting.pop()
            path.pop()
        elif other in path:
            cycle = " -> ".join([*path[path.index(other) :], other])
            where = f"services.{path[-1]}.depends_on"
            raise _place(project, f"{where}.{other}").error(f"dependency cycle detected: {cycle}", path=where)
        elif other not in seen:
            seen.add(other)
            path.append(other)
            waiting.append(iter(sorted(project.services[other].depends_on)))
