"""A project's picture: from its files and containers to what ``lab/`` draws."""

from __future__ import annotations

__all__ = ["draw"]

from collections.abc import Sequence
from typing import Any

from containerlab.compose.model import Project, Service
from containerlab.compose.observe import Instance, exit_code
from containerlab.compose.payload import image_name
from containerlab.lab.words import say


def draw(project: Project, ones: Sequence[Instance]) -> Any:
    """The :class:`~containerlab.lab.figure.Figure`. Raises ModuleNotFoundError without matplotlib."""
    from containerlab.lab.services import ServiceNode, services_graph

    nodes = []
    for service in project.services.values():
        mine = [one for one in ones if one.service == service.name and not one.oneoff]
        nodes.append(
            ServiceNode(
                name=service.name,
                image=image_name(project, service),
                state=_state(mine),
                count=len(mine) or 1,
                ports=tuple(_port(port.published, port.target, port.protocol) for port in service.ports),
                networks=() if service.network_mode else tuple(service.networks),
                volumes=_volumes(service),
                needs=tuple((name, dependency.condition) for name, dependency in service.depends_on.items()),
            )
        )
    return services_graph(project.name, nodes)


def _volumes(service: Service) -> tuple[str, ...]:
    named = (mount.source for mount in service.volumes if mount.type == "volume" and mount.source)
    return tuple(dict.fromkeys(named))


def _port(published: str, target: int, protocol: str) -> str:
    """As the file says it: what was free at the moment differs from run to run."""
    return f"{published or say('a free port')} → {target}" + ("" if protocol == "tcp" else f"/{protocol}")


def _state(ones: Sequence[Instance]) -> str:
    words = dict.fromkeys(one.health or _word(one) for one in ones)
    return ", ".join(words) or "not there"


def _word(one: Instance) -> str:
    code = exit_code(one)
    return f"ended with {code}" if code is not None else one.state
