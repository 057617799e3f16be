"""Whether the parts of a project fit: what a service refers to is there, and no service waits for itself. The
sentences are docker compose's (compose-go's ``checkConsistency``).
"""

from __future__ import annotations

__all__ = ["check", "dependencies"]

from collections.abc import Iterable, Iterator, Mapping

from containerlab.compose.model import BlobUse, Project, Service
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
    used = [(f".networks.{other}", other) for other in service.networks]
    yield from _undefined(name, "network", used, project.networks)
    mounts = enumerate(service.volumes)
    used = [
        (f".volumes[{number}]", mount.source) for number, mount in mounts if mount.type == "volume" and mount.source
    ]
    yield from _undefined(name, "volume", used, project.volumes)
    yield from _undefined(name, "secret", _uses(".secrets", service.secrets), project.secrets)
    yield from _undefined(name, "config", _uses(".configs", service.configs), project.configs)
    if service.build is not None:
        used = _uses(".build.secrets", service.build.secrets)
        yield from _undefined(name, "build secret", used, project.secrets)
        if service.platform and service.build.platforms and service.platform not in service.build.platforms:
            yield ".build.platforms", f'service.build.platforms MUST include service.platform "{service.platform}"', ""
    if service.scale > 1 and service.container_name:
        said = "scale" if f"services.{name}.scale" in project.places else "deploy.replicas"
        yield ".container_name", f"can't set container_name and {said} as container name must be unique", ""
    yield from _mounted_twice(service)


def _uses(path: str, uses: Iterable[BlobUse]) -> list[tuple[str, str]]:
    return [(f"{path}[{number}]", use.source) for number, use in enumerate(uses)]


def _undefined(
    name: str, what: str, used: Iterable[tuple[str, str]], known: Mapping[str, object]
) -> Iterator[tuple[str, str, str]]:
    for path, other in used:
        if other not in known:
            yield path, f'service "{name}" refers to undefined {what} {other}', near(other, known)


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
    itself; and where two would have one container's name."""
    for service in project.services.values():
        for other in service.depends_on:
            if other not in project.services:
                raise _missing(project, service, other)
    _named_alike(project)
    seen: set[str] = set()
    for name in sorted(project.services):
        if name not in seen:
            _search(name, project, seen)


def _named_alike(project: Project) -> None:
    taken: dict[str, str] = {}
    for name, service in sorted(project.services.items()):
        own = service.container_name
        if own and own in taken:
            path = f"services.{name}.container_name"
            raise _place(project, path).error(
                f'container name "{own}" is already in use by service "{taken[own]}"', path=path
            )
        taken[own] = name


def _missing(project: Project, service: Service, other: str) -> ComposeError:
    said = next(path for path in _sayings(service, other) if f"services.{service.name}{path}" in project.places)
    path = f"services.{service.name}{said}"
    hint = near(other, project.services)
    if other in project.disabled:
        profiles = ", ".join(project.disabled[other].profiles)
        hint = f'Service "{other}" has the profiles {profiles}, none of which is active.'
    sentence = f'service "{service.name}" depends on undefined service "{other}"'
    if said == ".network_mode":
        sentence = f"service \"{other}\" not found for network_mode 'service:{other}'"
    return project.places[path].error(sentence, hint=hint, path=path.removesuffix(f".{other}"))


def _sayings(service: Service, other: str) -> Iterator[str]:
    """Where a service may say that it depends on another, the likeliest first."""
    yield f".depends_on.{other}"
    for namespace in ("network_mode", "ipc", "pid", "uts"):
        if getattr(service, namespace) == f"service:{other}":
            yield f".{namespace}"
    if other in service.links:
        yield ".links"
    yield ".volumes_from"
    yield ""


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
