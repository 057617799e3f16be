"""Why a port can't be published, in Docker's words, and who has it."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from containerlab.engine.container import Container, Registry
from containerlab.errors import Conflict, ContainerlabError

__all__ = ["port_refused"]

_LISTENS = {"tcp": "0A", "udp": "07"}  # include/net/tcp_states.h; an unconnected UDP socket is TCP_CLOSE
_FILES = 4096


def port_refused(registry: Registry, container: Container, error: OSError) -> ContainerlabError:
    """``error`` is bind(2)'s, with ``ADDRESS:PORT/PROTOCOL`` as its filename."""
    end = container.state.endpoints[0]
    head = f"driver failed programming external connectivity on endpoint {container.name} ({end.id})"
    where, _, protocol = str(error.filename).partition("/")
    if error.errno != errno.EADDRINUSE:
        family = 6 if where.count(":") > 1 else 4
        reason = (error.strerror or "").lower()
        return ContainerlabError(
            f"{head}: Error starting userland proxy: listen {protocol}{family} {where}: bind: {reason}"
        )
    number = int(where.rpartition(":")[2])
    holder = next(
        (
            other
            for other in registry
            for port in other.state.ports
            if port.host_port == number and port.inside.endswith(protocol)
        ),
        None,
    )
    has_it = f"The container {holder.name} has it." if holder else _process(number, protocol)
    return Conflict(f"{head}: Bind for {where} failed: port is already allocated", hint=has_it)


def _process(port: int, protocol: str) -> str:
    """A sentence that names the process, if this user may know (proc(5), net/tcp and fd)."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port, protocol)}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and sockets:
            with contextlib.suppress(OSError), os.scandir(entry / "fd") as held:
                for _, descriptor in zip(range(_FILES), held, strict=False):
                    if os.readlink(descriptor.path) in sockets:  # noqa: PTH115  thousands of them
                        program = (entry / "comm").read_text().strip()
                        return f"The process {program} ({entry.name}) has it."
    return "A program on this host has it."


def _inodes(port: int, protocol: str) -> set[str]:
    found = set()
    for name in (protocol, f"{protocol}6"):
        with contextlib.suppress(OSError), open(f"/proc/net/{name}", encoding="ascii") as table:
            for line in table:
                fields = line.split()
                if fields[1].endswith(f":{port:04X}") and fields[3] == _LISTENS[protocol]:
                    found.add(fields[9])
    return found
