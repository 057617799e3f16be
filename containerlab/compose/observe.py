"""What is there of a project, by its labels: so either tool sees what the other has made."""

from __future__ import annotations

__all__ = ["Instance", "Observed", "canonical", "exit_code", "instance", "observe", "projects"]

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from containerlab.compose import labels
from containerlab.compose.model import Project, Service

_EXITED = re.compile(r"^Exited \((\d+)\)")
_HEALTH = re.compile(r"\((healthy|unhealthy|health: starting)\)$")


@dataclass(frozen=True)
class Instance:
    """A container of a project. ``state`` and ``status`` are Docker's words; ``entry`` is the engine's own record."""

    id: str
    name: str
    service: str
    number: int = 1
    oneoff: bool = False
    state: str = "running"
    status: str = ""
    digest: str = ""
    image_id: str = ""
    replaces: str = ""
    depends_on: tuple[str, ...] = ()
    networks: frozenset[str] | None = None  # None: not known
    network_mode: str = ""
    entry: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def health(self) -> str:
        """``healthy``, ``unhealthy``, ``starting``, or nothing."""
        found = _HEALTH.search(self.status)
        return found.group(1).removeprefix("health: ") if found else ""

    @property
    def title(self) -> str:
        """Its name without the project's, as logs have it: ``web-1``."""
        prefix = f"{self.entry.get('Labels', {}).get(labels.PROJECT, '')}-"
        return self.name.removeprefix(prefix) if len(prefix) > 1 else self.name


@dataclass(frozen=True)
class Observed:
    """``networks`` and ``volumes`` map the engine's names to labels; ``images`` maps an image's name to its id."""

    instances: Sequence[Instance] = ()
    networks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    volumes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)

    def of(self, service: str, *, oneoff: bool = False) -> list[Instance]:
        """The containers of a service by number."""
        found = [one for one in self.instances if one.service == service and one.oneoff == oneoff]
        return sorted(found, key=lambda one: (one.number, one.name))

    def orphans(self, project: Project) -> list[Instance]:
        """Those of services that the files don't have (any more); a ``run`` that is under way is none."""
        known = {*project.services, *project.disabled}
        return [
            one for one in self.instances if one.service not in known and not (one.oneoff and one.state == "running")
        ]


def canonical(project: Project, service: Service, number: int) -> str:
    """The name of a container: ``PROJECT-SERVICE-N``, or the one that the file gives."""
    return service.container_name or f"{project.name}-{service.name}-{number}"


def instance(entry: Mapping[str, Any]) -> Instance:
    """One entry of ``GET /containers/json``."""
    said = entry.get("Labels") or {}
    names = [name.lstrip("/") for name in entry.get("Names") or []]
    number = said.get(labels.NUMBER, "1")
    return Instance(
        id=entry["Id"],
        name=next((name for name in names if "/" not in name), entry["Id"][:12]),
        service=said.get(labels.SERVICE, ""),
        number=int(number) if number.isdecimal() else 1,
        oneoff=said.get(labels.ONEOFF, "False") == "True",
        state=entry.get("State", ""),
        status=entry.get("Status", ""),
        digest=said.get(labels.HASH, ""),
        image_id=entry.get("ImageID", ""),
        replaces=said.get(labels.REPLACE, ""),
        depends_on=tuple(word.partition(":")[0] for word in said.get(labels.DEPENDS_ON, "").split(",") if word),
        network_mode=(entry.get("HostConfig") or {}).get("NetworkMode", ""),
        networks=frozenset((entry.get("NetworkSettings") or {}).get("Networks") or {}),
        entry=entry,
    )


def exit_code(one: Instance) -> int | None:
    """Of one that has ended."""
    found = _EXITED.match(one.status)
    return int(found.group(1)) if found else None


def observe(client: Any, name: str) -> Observed:
    """Three questions: containers, networks, volumes. Those of others are there too where a project may use them."""
    api = client.api
    entries = api.containers(all=True, filters={"label": [f"{labels.PROJECT}={name}"]})
    networks = {entry["Name"]: entry.get("Labels") or {} for entry in api.networks()}
    volumes = {entry["Name"]: entry.get("Labels") or {} for entry in api.volumes().get("Volumes") or []}
    return Observed([instance(entry) for entry in entries], networks, volumes)


def projects(client: Any) -> dict[str, list[Instance]]:
    """Every project that has containers."""
    found: dict[str, list[Instance]] = {}
    for entry in client.api.containers(all=True, filters={"label": [labels.PROJECT]}):
        found.setdefault(entry["Labels"][labels.PROJECT], []).append(instance(entry))
    return dict(sorted(found.items()))
