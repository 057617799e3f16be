"""``--network container:NAME`` and ``--pid container:NAME``: a namespace that another container has already.

The other one is found when the container is created, and must run whenever it starts: only then does its namespace
have a path. Source: moby daemon/oci_linux.go (``WithNamespaces``).
"""

from __future__ import annotations

import json

from containerlab.engine.container import Container
from containerlab.engine.models import ContainerConfig, HostConfig
from containerlab.engine.parts import Parts
from containerlab.errors import Conflict, InvalidParameter

__all__ = ["check_joined", "joined", "network_owner", "write_joined"]

_PREFIX = "container:"
# Namespace in the OCI runtime spec's word: attribute of HostConfig, Docker's word in its messages.
_KINDS = {"network": ("network_mode", "network"), "pid": ("pid_mode", "PID")}


def joined(host: HostConfig) -> dict[str, str]:
    """The namespaces that are another container's, and the reference to it."""
    modes = {kind: getattr(host, attribute) for kind, (attribute, _) in _KINDS.items()}
    return {kind: mode.removeprefix(_PREFIX) for kind, mode in modes.items() if mode.startswith(_PREFIX)}


def network_owner(parts: Parts, host: HostConfig) -> Container | None:
    """The container whose network is joined. Raises NoSuchContainer."""
    ref = joined(host).get("network")
    return parts.registry.get(ref) if ref is not None else None


def check_joined(parts: Parts, config: ContainerConfig, host: HostConfig) -> None:
    """Raises NoSuchContainer, and InvalidParameter for what can't be had along with another's network."""
    for ref in joined(host).values():
        parts.registry.get(ref)
    if "network" not in joined(host):
        return
    for option, given in (
        ("hostname", config.hostname),
        ("dns", host.dns),
        ("custom host-to-IP mapping", host.extra_hosts),
        ("port publishing", any(host.port_bindings) or host.publish_all_ports),
    ):
        if given:
            kind = "container type network" if option == "port publishing" else "network"
            raise InvalidParameter(f"conflicting options: {option} and the {kind} mode")


def write_joined(parts: Parts, container: Container) -> None:
    """Write into the bundle where those namespaces are now. Raises NoSuchContainer, Conflict."""
    wanted = joined(container.record.host_config)
    if not wanted:
        return
    path = container.folder / "config.json"
    spec = json.loads(path.read_bytes())
    for kind, ref in wanted.items():
        other = parts.registry.get(ref)
        if not other.state.running or other.id == container.id:
            raise Conflict(f"cannot join {_KINDS[kind][1]} of a non running container: {other.id}")
        entry = next(entry for entry in spec["linux"]["namespaces"] if entry["type"] == kind)
        entry["path"] = f"/proc/{other.state.pid}/ns/{'net' if kind == 'network' else kind}"
    half = path.with_suffix(".tmp")
    half.write_text(json.dumps(spec), encoding="utf-8")
    half.replace(path)
