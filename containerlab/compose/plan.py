"""``up`` as a plan: from what the files say and what is there to the steps between. No engine is asked."""

from __future__ import annotations

__all__ = ["UpOptions", "in_order", "plan_up"]

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from containerlab.compose import labels
from containerlab.compose.blobs import check_blobs
from containerlab.compose.model import Condition, Dependency, Project, Service
from containerlab.compose.observe import Instance, Observed, canonical
from containerlab.compose.payload import image_name
from containerlab.compose.steps import (
    Await,
    Create,
    MakeNetwork,
    MakeVolume,
    Plan,
    Recreate,
    Remove,
    Rename,
    Restart,
    Start,
    Stop,
)
from containerlab.errors import InvalidParameter, NotFound

_ENDED = ("removing", "dead")


@dataclass(frozen=True)
class UpOptions:
    """``targets`` are the services that were named (empty: all); ``recreate`` holds for them, their dependencies are
    recreated when they differ. ``timeout`` in seconds, for what has to stop."""

    targets: frozenset[str] = frozenset()
    recreate: Literal["diverged", "force", "never"] = "diverged"
    start: bool = True
    scale: Mapping[str, int] = field(default_factory=dict)
    renew_volumes: bool = False
    remove_orphans: bool = False
    timeout: int | None = None
    wait: bool = False
    ended_is_well: bool = False  # ``wait`` is content with a container that has ended with 0


def plan_up(project: Project, seen: Observed, digests: Mapping[str, str], options: UpOptions = UpOptions()) -> Plan:
    """``digests`` are the services' configuration hashes. Raises NotFound for what is external and not there,
    InvalidParameter for a scale, a secret or a config that can't be."""
    return _Up(project, seen, digests, options).plan()


def in_order(services: Mapping[str, Service]) -> list[str]:
    """Names, each after what it depends on. The loader has refused cycles."""
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in found or name not in services:
            return
        for other in services[name].depends_on:
            visit(other)
        found[name] = None

    for name in services:
        visit(name)
    return list(found)


class _Up:
    """Gathers steps service by service, dependencies first."""

    def __init__(self, project: Project, seen: Observed, digests: Mapping[str, str], options: UpOptions) -> None:
        self.project, self.seen, self.digests, self.options = project, seen, digests, options
        self.found = Plan()
        self.ground: dict[str, int] = {}  # the step that makes a network or volume, by kind and key
        self.made: dict[str, list[int]] = {}  # the steps after which a service's containers are there
        self.started: dict[str, list[int]] = {}
        self.names: dict[str, tuple[str, ...]] = {}
        self.fresh: set[str] = set()  # services of which something was recreated
        self.awaited: dict[tuple[str, str, bool], int] = {}

    def plan(self) -> Plan:
        for service in self.project.services.values():
            check_blobs(self.project, service)
        self._networks()
        self._volumes()
        for name in in_order(self.project.services):
            self._service(self.project.services[name])
        self._warn_of_owners()
        if self.options.wait:
            self._wait_for_all()
        self._orphans()
        return self.found

    # What containers stand on

    def _networks(self) -> None:
        used = {
            key for service in self.project.services.values() if not service.network_mode for key in service.networks
        }
        for key in sorted(used):
            network = self.project.networks[key]
            if network.external:
                if network.name not in self.seen.networks and network.name not in ("host", "none", "bridge"):
                    raise NotFound(f"network {network.name} declared as external, but could not be found")
            elif network.name not in self.seen.networks:
                self.ground[f"network {key}"] = self.found.add(MakeNetwork(key))
            elif self.seen.networks[network.name].get(labels.NETWORK) != key:
                self.found.warnings.append(
                    f"a network with name {network.name} exists but was not created by compose.\n"
                    "Set `external: true` to use an existing network"
                )

    def _volumes(self) -> None:
        used = {
            mount.source
            for service in self.project.services.values()
            for mount in service.volumes
            if mount.type == "volume" and mount.source
        }
        for key in sorted(used):
            volume = self.project.volumes[key]
            if volume.external:
                if volume.name not in self.seen.volumes:
                    raise NotFound(f'external volume "{volume.name}" not found')
            elif volume.name not in self.seen.volumes:
                self.ground[f"volume {key}"] = self.found.add(MakeVolume(key))
            elif self.seen.volumes[volume.name].get(labels.VOLUME) != key:
                self.found.warnings.append(
                    f'volume "{volume.name}" already exists but was not created by Docker Compose. '
                    "Use `external: true` to use an existing volume"
                )

    def _ground_of(self, service: Service) -> set[int]:
        keys = [] if service.network_mode else [f"network {key}" for key in service.networks]
        keys += [f"volume {mount.source}" for mount in service.volumes if mount.type == "volume"]
        return {self.ground[key] for key in keys if key in self.ground}

    def _warn_of_owners(self) -> None:
        """A file that is bound has the owner and mode that it has."""
        for service in self.project.services.values():
            for kind, uses, blobs in (
                ("secrets", service.secrets, self.project.secrets),
                ("configs", service.configs, self.project.configs),
            ):
                if any(blobs[use.source].file and (use.uid or use.gid or use.mode is not None) for use in uses):
                    self.found.warnings.append(
                        f"{kind} `uid`, `gid` and `mode` are not supported for files, they will be ignored"
                    )

    # A service

    def _service(self, service: Service) -> None:
        name, scale = service.name, self._scale(service)
        kept = self._mended(service)
        kept = self._scaled_down(service, kept, scale)
        base = self._ground_of(service)
        for other in _joined(service):
            base |= set(self.made.get(other, []))
        self.made[name], self.started[name] = [], []
        gates: set[int] | None = None
        roll: set[int] = set()
        for one in kept:
            if self._differs(service, one):
                gates = self._gates(service) if gates is None else gates
                roll = self._recreate(service, one, base | gates, roll, rolling=len(kept) > 1)
            elif one.state == "running" or not self.options.start:
                self._keep(service, one)
            else:
                gates = self._gates(service) if gates is None else gates
                self._start(service, self._lasting_name(service, one), gates | self._renamed(one))
        highest = max((one.number for one in kept), default=0)
        numbers = range(highest + 1, highest + 1 + scale - len(kept))
        for number in numbers:
            made = self.found.add(Create(name, number, canonical(self.project, service, number)), base)
            self.made[name].append(made)
            if self.options.start:
                gates = self._gates(service) if gates is None else gates
                self._start(service, canonical(self.project, service, number), {made} | gates)
        new = [canonical(self.project, service, number) for number in numbers]
        self.names[name] = (*(self._lasting_name(service, one) for one in kept), *new)

    def _scale(self, service: Service) -> int:
        scale = self.options.scale.get(service.name, service.scale)
        if scale < 0:
            raise InvalidParameter(f"invalid scale of service {service.name}: {scale}")
        if service.container_name and scale > 1:
            raise InvalidParameter(
                f'The "{service.name}" service is using the custom container name "{service.container_name}". '
                "Docker requires each container to have a unique name. Remove the custom name to scale the service"
            )
        return scale

    def _mended(self, service: Service) -> list[Instance]:
        """One container a number: what a recreation that was cut off has left beside it goes, or takes its place."""
        by_number: dict[int, list[Instance]] = {}
        for one in self.seen.of(service.name):
            if one.state not in _ENDED:
                by_number.setdefault(one.number, []).append(one)
        found = []
        for number, ones in sorted(by_number.items()):
            name = canonical(self.project, service, number)
            ones.sort(key=lambda one: (one.name != name, bool(one.replaces), one.state != "running"))
            found.append(ones[0])
            for other in ones[1:]:
                self.found.add(Remove(other, force=True))
        return found

    def _scaled_down(self, service: Service, ones: list[Instance], scale: int) -> list[Instance]:
        """Without those that are too many: first what differs, then the highest numbers."""
        by_worth = sorted(ones, key=lambda one: (self._differs(service, one), one.number))
        for one in by_worth[scale:]:
            needs = [self.found.add(Stop(one, self.options.timeout))] if one.state == "running" else []
            self.found.add(Remove(one, force=True), needs)
        return sorted(by_worth[:scale], key=lambda one: one.number)

    def _differs(self, service: Service, one: Instance) -> bool:
        if self.options.recreate == "never":
            return False
        if self.options.recreate == "force" and (not self.options.targets or service.name in self.options.targets):
            return True
        if one.digest != self.digests[service.name]:
            return True
        if self._is_incomplete(service, one) or self._is_bereft(service, one):
            return True
        image = self.seen.images.get(image_name(self.project, service))
        if image and one.image_id and image != one.image_id:
            return True
        return any(other in self.fresh for other in _joined(service))

    def _is_incomplete(self, service: Service, one: Instance) -> bool:
        """Made, but its other networks or the text of its secrets never came: the engine or we were cut off."""
        wanted = set() if service.network_mode else {self.project.networks[key].name for key in service.networks}
        if one.networks is not None and wanted - one.networks:
            return True
        blobs = [self.project.secrets[use.source] for use in service.secrets]
        blobs += [self.project.configs[use.source] for use in service.configs]
        return one.state == "created" and any(not blob.file for blob in blobs)

    def _is_bereft(self, service: Service, one: Instance) -> bool:
        """It sits in the network namespace of a container that is no more."""
        kind, _, other = service.network_mode.partition(":")
        mode, _, joined = one.network_mode.partition(":")
        hosts = {host.id for host in self.seen.of(other)} if kind == "service" and mode == "container" else set()
        return bool(hosts) and joined not in hosts

    def _recreate(self, service: Service, one: Instance, needs: set[int], roll: set[int], *, rolling: bool) -> set[int]:
        """One by one, so that the others go on: gives what the next one waits for."""
        name = canonical(self.project, service, one.number)
        keep = not self.options.renew_volumes
        deed = Recreate(service.name, one.number, name, one, keep_volumes=keep, timeout=self.options.timeout)
        made = self.found.add(deed, needs | roll)
        self.made[service.name].append(made)
        self.fresh.add(service.name)
        if not self.options.start:
            return {made}
        started = self._start(service, name, {made})
        if not rolling or service.healthcheck is None or service.healthcheck.disable:
            return {started}
        return {self.found.add(Await(service.name, "service_healthy", (name,)), {started})}

    def _keep(self, service: Service, one: Instance) -> None:
        renamed = self._renamed(one)
        self.made[service.name] += renamed
        again = [
            other
            for other, dependency in service.depends_on.items()
            if dependency.restart and other in self.fresh and one.state == "running" and self.options.start
        ]
        if again:
            needs = {step for other in again for step in self._condition(other, service.depends_on[other])}
            self.started[service.name].append(self.found.add(Restart(one, self.options.timeout), needs | renamed))
        else:
            self.found.kept.append(one)

    def _renamed(self, one: Instance) -> set[int]:
        """A container that took the place of one that is gone gets its name."""
        service = self.project.services[one.service]
        name = canonical(self.project, service, one.number)
        if not one.replaces or one.name == name:
            return set()
        return {self.found.add(Rename(one, name))}

    def _lasting_name(self, service: Service, one: Instance) -> str:
        if one.replaces or self._differs(service, one):
            return canonical(self.project, service, one.number)
        return one.name

    def _start(self, service: Service, name: str, needs: Iterable[int]) -> int:
        started = self.found.add(Start(service.name, name), needs)
        self.started[service.name].append(started)
        return started

    # What a start waits for

    def _gates(self, service: Service) -> set[int]:
        found: set[int] = set()
        if self.options.start:
            for other, dependency in service.depends_on.items():
                found |= self._condition(other, dependency)
        return found

    def _condition(self, other: str, dependency: Dependency) -> set[int]:
        """The steps after which ``dependency`` on ``other`` is fulfilled; one that isn't part of it is no matter."""
        if other not in self.started or not self.names[other]:
            return set()
        starts = set(self.started[other])
        if dependency.condition == "service_started":
            return starts
        key = (other, dependency.condition, dependency.required)
        if key not in self.awaited:
            deed = Await(other, dependency.condition, self.names[other], dependency.required)
            self.awaited[key] = self.found.add(deed, starts)
        return {self.awaited[key]}

    def _wait_for_all(self) -> None:
        """``--wait``: every service healthy, or running where it has no health check; one that others wait for to end,
        ended."""
        ending = {
            other
            for service in self.project.services.values()
            for other, dependency in service.depends_on.items()
            if dependency.condition == "service_completed_successfully"
        }
        for name, names in self.names.items():
            if names and (name, "service_healthy", True) not in self.awaited:
                condition: Condition = "service_completed_successfully" if name in ending else "service_healthy"
                deed = Await(name, condition, names, or_running=True, or_ended=self.options.ended_is_well)
                self.found.add(deed, self.started[name])

    def _orphans(self) -> None:
        self.found.orphans = self.seen.orphans(self.project)
        if self.options.remove_orphans:
            for one in self.found.orphans:
                needs = [self.found.add(Stop(one, self.options.timeout))] if one.state == "running" else []
                self.found.add(Remove(one, force=True), needs)


def _joined(service: Service) -> list[str]:
    """Services whose containers this one's are tied to by id: made anew, they leave it in a namespace of the dead."""
    words = [service.network_mode, service.ipc, service.pid]
    names = [word.removeprefix("service:") for word in words if word.startswith("service:")]
    return [*names, *(source.name for source in service.volumes_from if not source.container)]
