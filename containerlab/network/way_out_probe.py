"""Whether the lab can have a way out on this host, proved by doing and without the world.

A child makes a namespace that stands for the host's, with a server in it, and a lab beside it from which the server is
reached. Nothing is left of either.
"""

from __future__ import annotations

import os
import socket
import subprocess
from ipaddress import ip_interface

from containerlab.errors import HostLacks
from containerlab.network import links
from containerlab.network.namespace import inside, inside_new
from containerlab.network.netlink import Netlink
from containerlab.network.way_out import open_way_out
from containerlab.runtime import constants as c
from containerlab.runtime import syscalls, userns
from containerlab.runtime.launch import enter_namespaces

__all__ = ["way_out_refusal"]

_PLACE = "198.51.100.1"  # of RFC 5737's second range: an address that is nobody's
_SECONDS = 5.0
_ANSWER = 4096
_CAP_SYS_ADMIN = 21


def way_out_refusal() -> str:
    """Why there is none, as a phrase; empty where there is one. The caller must have one thread."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        reason = "the attempt failed"
        try:
            os.close(reader)
            reason = _attempt()
        except (HostLacks, OSError) as error:
            reason = str(error.strerror or error) if isinstance(error, OSError) else str(error)
        finally:
            os.write(writer, f"{reason}\n".encode()[-_ANSWER:])
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        answer = file.read().decode(errors="replace")
    os.waitpid(pid, 0)
    return answer.strip()


def _attempt() -> str:
    if not userns.in_user_namespace() or not syscalls.capget()[0] & 1 << _CAP_SYS_ADMIN:
        enter_namespaces()
    else:
        syscalls.unshare(c.CLONE_NEWNS)
    syscalls.unshare(c.CLONE_NEWNET)
    _address_loopback()
    namespace = inside_new(lambda descriptor: descriptor)
    held: list[int] = []
    process: subprocess.Popen[bytes] | None = None
    try:
        with inside(namespace, Netlink) as netlink:
            process = open_way_out(namespace, netlink, lambda descriptor: held.append(os.dup(descriptor)))
            with socket.create_server((_PLACE, 0)) as server:
                port = server.getsockname()[1]
                inside(namespace, lambda: socket.create_connection((_PLACE, port), _SECONDS).close())
    finally:
        for descriptor in held:
            os.close(descriptor)
        if process is not None:
            process.wait(_SECONDS)
    return ""


def _address_loopback() -> None:
    with Netlink() as netlink:
        netlink.send([links.set_up("lo"), links.add_address(1, ip_interface(f"{_PLACE}/32"))])
