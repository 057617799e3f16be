"""``down``, ``stop``, ``rm`` and ``start`` as plans: what depends on others ends before them, and starts after them."""

from __future__ import annotations

__all__ = ["DownOptions", "plan_down", "plan_remove", "plan_start", "plan_stop"]

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from containerlab.compose import labels
from containerlab.compose.model import Project
from containerlab.compose.observe import Instance, Observed
from containerlab.compose.payload import image_name
from containerlab.compose.plan import in_order
from containerlab.compose.steps import (
    Await,
    Plan,
    Remove,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    Start,
    Stop,
)

_RUNS = ("running", "restarting", "paused")


@dataclass(frozen=True)
class DownOptions:
    """``services`` narrows it (None: all, and then the networks go too); ``images`` is ``--rmi``."""

    services: frozenset[str] | None = None
    volumes: bool = False
    images: Literal["", "local", "all"] = ""
    remove_orphans: bool = False
    timeout: int | None = None


def plan_down(name: str, project: Project | None, seen: Observed, options: DownOptions) -> Plan:
    """Without ``project`` (no file) the labels alone say what belongs to ``name``."""
    plan = Plan()
    orphans = seen.orphans(project) if project else []
    going = [
        one
        for one in seen.instances
        if (options.services is None or one.service in options.services)
        and (options.remove_orphans or all(one is not other for other in orphans))
    ]
    gone = _end(plan, project, going, options.timeout, remove=True, volumes=options.volumes)
    if options.services is None:
        plan.orphans = [] if options.remove_orphans else orphans
        for network in _networks(name, project, seen):
            plan.add(RemoveNetwork(network), gone)
    if options.volumes:
        for volume in _volumes(name, project, seen, options.services):
            plan.add(RemoveVolume(volume), gone)
    for image in _images(name, project, going, options):
        plan.add(RemoveImage(image), gone)
    return plan


def plan_stop(project: Project | None, ones: Sequence[Instance], timeout: int | None) -> Plan:
    """``ones`` are the containers to stop; those that have ended are left alone."""
    plan = Plan()
    _end(plan, project, [one for one in ones if one.state in _RUNS], timeout, remove=False, volumes=False)
    return plan


def plan_remove(ones: Iterable[Instance], *, volumes: bool) -> Plan:
    plan = Plan()
    for one in ones:
        plan.add(Remove(one, volumes=volumes))
    return plan


def plan_start(project: Project | None, ones: Sequence[Instance], *, wait: bool = False) -> Plan:
    """Each after what it depends on, by the conditions of the file."""
    plan = Plan()
    started: dict[str, list[int]] = {}
    names: dict[str, tuple[str, ...]] = {}
    for service in _order(project, ones):
        mine = [one for one in ones if one.service == service]
        names[service] = tuple(one.name for one in mine)
        needs: set[int] = set()
        known = project.services.get(service) if project else None
        for other, dependency in known.depends_on.items() if known else ():
            needs |= set(started.get(other, []))
            if dependency.condition != "service_started" and names.get(other):
                deed = Await(other, dependency.condition, names[other], dependency.required)
                needs.add(plan.add(deed, started.get(other, [])))
        if known is None:
            needs |= {step for other in mine[0].depends_on for step in started.get(other, [])}
        started[service] = [plan.add(Start(service, one.name), needs) for one in mine if one.state not in _RUNS]
        if wait:
            plan.add(Await(service, "service_healthy", names[service], or_running=True), started[service])
    return plan


def _end(
    plan: Plan, project: Project | None, ones: Sequence[Instance], timeout: int | None, *, remove: bool, volumes: bool
) -> list[int]:
    """Dependents first. Gives the last steps of all."""
    ended: dict[str, list[int]] = {}
    for service in reversed(_order(project, ones)):
        needs = [
            step for other, steps in ended.items() if service in _depends_on(project, ones, other) for step in steps
        ]
        ended[service] = []
        for one in (one for one in ones if one.service == service):
            after = [plan.add(Stop(one, timeout), needs)] if one.state in _RUNS else needs
            if remove:
                after = [plan.add(Remove(one, volumes=volumes, force=True), after)]
            ended[service] += after
    return [step for steps in ended.values() for step in steps]


def _order(project: Project | None, ones: Sequence[Instance]) -> list[str]:
    """The services of ``ones``, dependencies first: by the files, else by the labels."""
    present = dict.fromkeys(one.service for one in ones)
    found: dict[str, None] = {}
    if project:
        found.update((name, None) for name in in_order({**project.disabled, **project.services}) if name in present)

    def visit(name: str, above: Collection[str]) -> None:
        if name in present and name not in found and name not in above:
            for other in _depends_on(None, ones, name):
                visit(other, {*above, name})
            found[name] = None

    for name in present:
        visit(name, set())
    return list(found)


def _depends_on(project: Project | None, ones: Sequence[Instance], service: str) -> set[str]:
    known = {**project.disabled, **project.services}.get(service) if project else None
    if known is not None:
        return set(known.depends_on)
    return {other for one in ones if one.service == service for other in one.depends_on}


def _networks(name: str, project: Project | None, seen: Observed) -> list[str]:
    mine = {network for network, said in seen.networks.items() if said.get(labels.PROJECT) == name}
    declared = {network.name for network in project.networks.values() if not network.external} if project else set()
    return sorted(mine | (declared & seen.networks.keys()))


def _volumes(name: str, project: Project | None, seen: Observed, services: frozenset[str] | None) -> list[str]:
    """Of named services those that nobody else of the project uses."""
    mine = {volume for volume, said in seen.volumes.items() if said.get(labels.PROJECT) == name}
    if project is None or services is None:
        declared = {volume.name for volume in project.volumes.values() if not volume.external} if project else set()
        return sorted(mine | (declared & seen.volumes.keys()))

    def used(by: Iterable[str]) -> set[str]:
        keys = {mount.source for name in by if name in project.services for mount in project.services[name].volumes}
        return {
            project.volumes[key].name for key in keys if key in project.volumes and not project.volumes[key].external
        }

    return sorted((used(services) - used(project.services.keys() - services)) & seen.volumes.keys())


def _images(name: str, project: Project | None, going: Sequence[Instance], options: DownOptions) -> list[str]:
    """``local``: those that Compose has built and named itself."""
    if not options.images:
        return []
    if project is None:
        named = {one.service: str(one.entry.get("Image", "")) for one in going}
        return sorted(
            {image for service, image in named.items() if options.images == "all" or image == f"{name}-{service}"}
        )
    services = [one for one in project.services.values() if options.services is None or one.name in options.services]
    return sorted({image_name(project, one) for one in services if options.images == "all" or not one.image})
