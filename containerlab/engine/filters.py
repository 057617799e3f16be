"""The filters of ``GET /containers/json`` and of the prune.

Source: moby daemon/list.go (``foldFilter``, ``includeContainerInList``). Different filters must all hold, one value of
each is enough; every label must.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from containerlab.engine.container import Container, Registry
from containerlab.engine.matching import check_names, label_matches, pattern_matches
from containerlab.engine.moments import moment
from containerlab.errors import InvalidParameter

__all__ = ["Filters", "pick", "prunable"]

Filters = dict[str, list[str]]

_STATUSES = ("created", "restarting", "running", "removing", "paused", "exited", "dead")
_PRUNE = ("label", "label!", "until")

_PORTS = re.compile(r"[0-9]{1,5}(-[0-9]{1,5})?(/[a-z]+)?")
# What the values must look like where not any text will do.
_VALUES = {
    "exited": re.compile(r"[+-]?[0-9]{1,9}"),
    "expose": _PORTS,
    "publish": _PORTS,
    "health": re.compile("none|starting|healthy|unhealthy"),
    "is-task": re.compile("true|false|1|0", re.IGNORECASE),
}

Test = Callable[[Container, str], bool]


def pick(registry: Registry, filters: Filters, ancestors: dict[str, set[str]]) -> list[Container]:
    """The containers that pass, newest first; ``ancestors`` gives each ``ancestor`` value's image ids.

    Raises InvalidParameter for a filter or value that isn't one, NoSuchContainer for ``before`` and ``since``.
    """
    check_names(filters, {*_TESTS, "label", "ancestor", "before", "since"})
    _check_values(filters)
    before = [registry.get(ref).record.created for ref in filters.get("before", [])]
    since = [registry.get(ref).record.created for ref in filters.get("since", [])]
    images = set().union(*(ancestors[value] for value in filters.get("ancestor", [])))

    def passes(container: Container) -> bool:
        record = container.record
        return (
            all(label_matches(record.config.labels, value) for value in filters.get("label", []))
            and all(record.created < bound for bound in before)
            and all(record.created > bound for bound in since)
            and ("ancestor" not in filters or record.image in images)
            and all(any(test(container, v) for v in filters[name]) for name, test in _TESTS.items() if name in filters)
        )

    return sorted(filter(passes, registry), key=lambda container: container.record.created, reverse=True)


def prunable(registry: Registry, filters: Filters) -> list[Container]:
    """The stopped containers that ``prune`` may take."""
    check_names(filters, _PRUNE)
    bounds = [moment(value) for value in filters.get("until", [])]

    def goes(container: Container) -> bool:
        labels = container.record.config.labels
        return (
            container.state.status in ("created", "exited", "dead")
            and all(label_matches(labels, value) for value in filters.get("label", []))
            and not any(label_matches(labels, value) for value in filters.get("label!", []))
            and all(container.record.created / 1e9 < bound for bound in bounds)
        )

    return [container for container in registry if goes(container)]


def _check_values(filters: Filters) -> None:
    for status in filters.get("status", []):
        if status not in _STATUSES:
            raise InvalidParameter(f"invalid filter 'status={status}'", hint=f"One of {', '.join(_STATUSES)}.")
    for name, pattern in _VALUES.items():
        for value in filters.get(name, []):
            if not pattern.fullmatch(value):
                raise InvalidParameter(f"invalid filter '{name}={value}'")


def _exposes(container: Container, value: str) -> bool:
    """A port or a range of them, of TCP where no protocol is named."""
    ports, _, protocol = value.partition("/")
    first, _, last = ports.partition("-")
    exposed = (port.partition("/") for port in container.record.config.exposed_ports)
    return any(
        port.isdecimal() and int(first) <= int(port) <= int(last or first) and (kind or "tcp") == (protocol or "tcp")
        for port, _, kind in exposed
    )


def _publishes(container: Container, value: str) -> bool:
    """A port of the host or a range of them, of TCP where no protocol is named."""
    ports, _, protocol = value.partition("/")
    first, _, last = ports.partition("-")
    return any(
        int(first) <= port.host_port <= int(last or first) and port.inside.partition("/")[2] == (protocol or "tcp")
        for port in container.state.ports
    )


def _uses_volume(container: Container, value: str) -> bool:
    return any(value in (point.name, point.source, point.destination) for point in container.record.mounts)


def _network(container: Container, value: str) -> bool:
    if any(value in (end.network, end.network_id) for end in container.state.endpoints):
        return True
    mode = container.record.host_config.network_mode or "default"
    return value == mode or (value, mode) in (("bridge", "default"), ("default", "bridge"))


_TESTS: dict[str, Test] = {
    "id": lambda container, value: pattern_matches(value, container.id),
    "name": lambda container, value: (
        pattern_matches(value.removeprefix("/"), container.name) or pattern_matches(value, f"/{container.name}")
    ),
    "exited": lambda container, value: (
        not container.active and container.state.finished_at > 0 and container.state.exit_code == int(value)
    ),
    "status": lambda container, value: container.state.status == value,
    "volume": _uses_volume,
    "network": _network,
    "expose": _exposes,
    "publish": _publishes,
    # No container is a swarm's task.
    "is-task": lambda container, value: value.lower() in ("false", "0"),
    "health": lambda container, value: value == (container.health.status if container.health else "none"),
}
