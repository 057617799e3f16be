"""The lab's way out: slirp4netns, which carries what the lab sends over ordinary sockets of the host.

It runs in the host's network namespace and holds a tap in the lab's; both end together. The lab forwards to the tap
what comes from bridges that lead out, with its own address in the sender's place. The host's loopback is out of reach.
Source: slirp4netns(1), libslirp.
"""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

from containerlab.network import links
from containerlab.network.filter import WAY_OUT, set_rules
from containerlab.network.links import Address, Gateway
from containerlab.network.namespace import inside, write_sysctl
from containerlab.network.netlink import Netlink

__all__ = ["NAME_SERVER", "RESERVED", "TAP", "WayOutError", "lead_out", "open_way_out"]

TAP = "tap0"
# The first of the ranges for documentation (RFC 5737): no network that anyone would want to reach lies in it.
_SUBNET = ip_network("192.0.2.0/24")
_GATEWAY, NAME_SERVER, _OWN = (str(_SUBNET[number]) for number in (2, 3, 100))
"""libslirp's own places in it; what is sent to the name server goes to the host's first."""
_SUBNET6 = ip_network("fd00::/64")
RESERVED = (_SUBNET, _SUBNET6)
"""What no network of the lab may have."""
_MTU = 65520
_READY_SECONDS = 5.0
_MISSING = "slirp4netns isn't installed (Debian's package slirp4netns)"


class WayOutError(OSError):
    """Why there is no way out, as a phrase."""

    def __str__(self) -> str:
        return self.strerror or ""


def open_way_out(namespace: int, netlink: Netlink, hold: Callable[[int], None]) -> subprocess.Popen[bytes]:
    """Start it for the lab's namespace (a descriptor, and a socket of it); to be reaped by the caller.

    ``hold`` takes a descriptor whose last copy, when it is closed, ends the process. Raises WayOutError.
    """
    program = shutil.which("slirp4netns")
    if program is None:
        raise WayOutError(2, _MISSING)
    ending, held = os.pipe()
    try:
        hold(held)
        process = _start(program, namespace, ending)
    finally:
        os.close(ending)
        os.close(held)
    try:
        lead_out(namespace, netlink)
    except OSError:
        process.kill()
        process.wait()
        raise
    return process


def _start(program: str, namespace: int, ending: int) -> subprocess.Popen[bytes]:
    """Returns when its tap is there."""
    ready, told = os.pipe()
    # Of what it could do to the host it keeps nothing: a root of its own, no capability, a filter of system calls.
    words = [program, "--enable-sandbox", "--enable-seccomp", "--disable-host-loopback"]
    words += [f"--mtu={_MTU}", f"--cidr={_SUBNET}", f"--exit-fd={ending}", f"--ready-fd={told}"]
    words += ["--enable-ipv6"] if _host_has_ipv6() else []
    words += ["--netns-type=path", f"/proc/self/fd/{namespace}", TAP]
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            pass_fds=(ending, told, namespace),
            start_new_session=True,
        )
    except OSError as error:
        raise WayOutError(error.errno or 0, f"slirp4netns can't be started ({error.strerror})") from error
    finally:
        os.close(told)
    assert process.stderr is not None
    try:
        if select.select([ready], [], [], _READY_SECONDS)[0] and os.read(ready, 1):
            return process
        process.kill()
        said = process.stderr.read(4096).decode(errors="replace").strip().splitlines()
        process.wait()
        raise WayOutError(5, f"slirp4netns doesn't start ({said[-1] if said else 'and says nothing'})")
    finally:
        os.close(ready)
        process.stderr.close()


def _host_has_ipv6() -> bool:
    """Whether the calling thread's namespace has a default route of IPv6 that isn't the one to nowhere."""
    with suppress(OSError), open("/proc/net/ipv6_route", encoding="ascii") as routes:
        return any(line.startswith("0" * 32 + " 00") and line.split()[-1] != "lo" for line in routes)
    return False


def lead_out(namespace: int, netlink: Netlink) -> None:
    """Forward to the tap; done again, nothing changes. Raises WayOutError."""
    try:
        # The rules first: nothing is forwarded that they don't allow.
        inside(namespace, set_rules)
        netlink.send([links.set_group(TAP, WAY_OUT)])
        inside(namespace, _address_tap)
    except OSError as error:
        raise WayOutError(error.errno or 0, f"the lab's packets can't be forwarded ({error.strerror})") from error


def _address_tap() -> None:
    index = socket.if_nametoindex(TAP)
    places: list[tuple[Address, Gateway]] = [(ip_interface(f"{_OWN}/{_SUBNET.prefixlen}"), ip_address(_GATEWAY))]
    if Path("/proc/sys/net/ipv6").exists():
        links.allow_ipv6(TAP)
        places.append((ip_interface(f"{_SUBNET6[100]}/{_SUBNET6.prefixlen}"), _SUBNET6[2]))
        write_sysctl("ipv6/conf/all/forwarding", "1")
    with Netlink() as own:
        for own_address, gateway in places:
            own.send([links.add_address(index, own_address), links.add_default_route(index, gateway)])
    write_sysctl("ipv4/ip_forward", "1")
