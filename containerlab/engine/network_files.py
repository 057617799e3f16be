"""What a container reads of its networks: its own names in /etc/hosts, and who answers names in /etc/resolv.conf."""

from __future__ import annotations

import re
from collections.abc import Sequence

from containerlab.engine.bundle import hosts_text, resolv_text
from containerlab.engine.container import Container
from containerlab.engine.network_set import NetworkSet
from containerlab.network.way_out import NAME_SERVER as OUTER_SERVER

__all__ = ["has_names", "outward_resolv", "write_network_files"]

_NAME_SERVER = "127.0.0.11"
_LOOPBACK = re.compile(r"nameserver\s+(127\.|::1\b)")


def has_names(known: NetworkSet, container: Container) -> bool:
    """Whether one of its networks has a name service."""
    networks = (known.by_id(end.network_id) for end in container.state.endpoints)
    return any(network is not None and network.names for network in networks)


def write_network_files(known: NetworkSet, container: Container, linked: Sequence[str], *, leads_out: bool) -> None:
    """In place, because a container that runs has the very files mounted; ``linked`` are lines of /etc/hosts."""
    config, host = container.record.config, container.record.host_config
    names = config.hostname
    if config.domainname:
        names = f"{config.hostname}.{config.domainname} {config.hostname}"
    lines = [
        f"{address}\t{names}\n"
        for end in container.state.endpoints
        for address in (end.address, end.address6)
        if address
    ]
    _write(container, "hosts", hosts_text(host) + "".join([*linked, *lines]))
    text = resolv_text(host)
    if has_names(known, container):
        kept = [line for line in text.splitlines() if line.split()[0] not in ("nameserver", "options")]
        options = " ".join(["ndots:0", *host.dns_options])
        text = "".join(f"{line}\n" for line in [f"nameserver {_NAME_SERVER}", *kept, f"options {options}"])
    elif leads_out and not host.dns:
        text = outward_resolv(text)
    _write(container, "resolv.conf", text)


def outward_resolv(text: str) -> str:
    """The host's resolver settings for one who reaches its servers by the way out.

    One on the host's own loopback can't be reached (as in Docker, which then names Google's): the way out asks it.
    """
    lines = [line for line in text.splitlines() if not _LOOPBACK.match(line)]
    if not any(line.startswith("nameserver") for line in lines):
        lines.insert(0, f"nameserver {OUTER_SERVER}")
    return "".join(f"{line}\n" for line in lines)


def _write(container: Container, name: str, text: str) -> None:
    content = text.encode()
    with open(container.folder / name, "r+b", buffering=0) as file:
        file.write(content)
        file.truncate(len(content))
