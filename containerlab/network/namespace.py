"""Network namespaces: the store's own, and those of its containers.

Work in another namespace is done by a thread that enters it and ends there: a rootless engine couldn't go back into the
host's, which isn't its own (setns(2)).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from containerlab.runtime import constants as c
from containerlab.runtime import syscalls
from containerlab.runtime.elsewhere import in_thread

__all__ = ["inside", "inside_new", "keep", "kept", "write_sysctl"]

_Result = TypeVar("_Result")
_NSFS_MAGIC = 0x6E736673
_OWN = "/proc/thread-self/ns/net"


def inside(namespace: int, work: Callable[[], _Result]) -> _Result:
    """``work()`` by a thread in the namespace of a descriptor. Raises what it raises."""
    return in_thread("network", lambda: syscalls.setns(namespace, c.CLONE_NEWNET), work)


def inside_new(work: Callable[[int], _Result]) -> _Result:
    """``work(descriptor)`` by a thread in a namespace just made; the descriptor is the caller's to close.

    Without one, the namespace and all that is in it end with the last process or socket in it.
    """

    def in_it() -> _Result:
        namespace = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return work(namespace)
        except BaseException:
            os.close(namespace)
            raise

    return in_thread("network", lambda: syscalls.unshare(c.CLONE_NEWNET), in_it)


def kept(path: Path) -> int | None:
    """A descriptor of the namespace that is bound at ``path``; None where none is."""
    try:
        found = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if syscalls.fstatfs_type(found) == _NSFS_MAGIC:
        return found
    os.close(found)
    return None


def keep(path: Path) -> int:
    """Bind a new namespace at ``path``, where it lives as long as the mount namespace of the store's supervisor.

    A descriptor of it. Nothing is forwarded in it, so that what lies on two of its bridges doesn't meet; once there is
    a way out, its filter sees to that. Raises OSError where the host allows no network namespace, or the forwarding
    can't be turned off.
    """

    def bind(namespace: int) -> int:
        write_sysctl("ipv4/ip_forward", "0")
        for name in ("iptables", "ip6tables", "arptables"):
            # What stays on a bridge is none of a packet filter's business; without br_netfilter it never is.
            with suppress(FileNotFoundError):
                write_sysctl(f"bridge/bridge-nf-call-{name}", "0")
        for name in ("all", "default"):
            # A host without IPv6 has no such file, and nothing to turn off.
            with suppress(FileNotFoundError):
                write_sysctl(f"ipv6/conf/{name}/forwarding", "0")
                write_sysctl(f"ipv6/conf/{name}/accept_ra", "0")
        with suppress(FileNotFoundError):
            write_sysctl("ipv6/conf/default/disable_ipv6", "1")
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, 0o600))
        syscalls.mount(_OWN, str(path), "", c.MS_BIND)
        return namespace

    return inside_new(bind)


def write_sysctl(name: str, value: str) -> None:
    """A sysctl of the calling thread's namespace, which must then read so."""
    path = f"/proc/sys/net/{name}"
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(value)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        with open(path, encoding="ascii") as file:
            if file.read().strip() != value:
                raise
