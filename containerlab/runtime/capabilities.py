"""Capabilities: their names, Docker's default set, and giving the rest away.

Numbers from include/uapi/linux/capability.h; the default set is moby's ``daemon/pkg/oci/caps/defaults.go``.
Only bounding, permitted and effective are ever set: a non-empty inheritable set would hand capabilities to
files that ask for inherited ones (CVE-2022-24769).
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from containerlab.runtime import constants as c
from containerlab.runtime import syscalls

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DEFAULT", "NAMES", "bounding_set", "drop_bounding", "mask", "names", "set_capabilities"]

NAMES = tuple(
    f"CAP_{name}"
    for name in [
        "CHOWN",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "FOWNER",
        "FSETID",
        "KILL",
        "SETGID",
        "SETUID",
        "SETPCAP",
        "LINUX_IMMUTABLE",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_ADMIN",
        "NET_RAW",
        "IPC_LOCK",
        "IPC_OWNER",
        "SYS_MODULE",
        "SYS_RAWIO",
        "SYS_CHROOT",
        "SYS_PTRACE",
        "SYS_PACCT",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_NICE",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "MKNOD",
        "LEASE",
        "AUDIT_WRITE",
        "AUDIT_CONTROL",
        "SETFCAP",
        "MAC_OVERRIDE",
        "MAC_ADMIN",
        "SYSLOG",
        "WAKE_ALARM",
        "BLOCK_SUSPEND",
        "AUDIT_READ",
        "PERFMON",
        "BPF",
        "CHECKPOINT_RESTORE",
    ]
)

_BITS = {name: 1 << number for number, name in enumerate(NAMES)}

# Up to CAP_AUDIT_READ (Linux 3.16) every kernel that can run this has them.
_OLDEST_KERNELS = NAMES[: NAMES.index("CAP_AUDIT_READ") + 1]

DEFAULT = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
)


def mask(capabilities: Iterable[str]) -> int:
    """The bits of ``CAP_…`` names; an unknown name is ``ValueError``."""
    bits = 0
    for name in capabilities:
        if name not in _BITS:
            raise ValueError(f"unknown capability {name!r}")
        bits |= _BITS[name]
    return bits


def names(bits: int) -> tuple[str, ...]:
    """The names of the bits, in the kernel's order; bits that this list doesn't know are left out."""
    return tuple(name for name, bit in _BITS.items() if bits & bit)


def bounding_set() -> int:
    """The calling thread's bounding set, asked of the kernel one capability at a time (prctl(2))."""
    bits = 0
    for number in range(len(NAMES)):
        try:
            bits |= syscalls.prctl(c.PR_CAPBSET_READ, number) << number
        except OSError as error:
            if error.errno != errno.EINVAL:  # a kernel older than the capability
                raise
    return bits


def drop_bounding(keep: int) -> None:
    """Drops every capability but ``keep`` from the bounding set, also those newer than ``NAMES``.

    Needs CAP_SETPCAP. A capability that the kernel doesn't have ends the loop.
    """
    for number in range(64):
        if keep >> number & 1:
            continue
        try:
            syscalls.prctl(c.PR_CAPBSET_DROP, number)
        except OSError as error:
            if error.errno != errno.EINVAL or number < len(_OLDEST_KERNELS):
                raise
            return


def set_capabilities(effective: int, permitted: int) -> None:
    """Sets both, and empties the inheritable and ambient sets. A capability not held is ``OSError`` EPERM."""
    try:
        syscalls.prctl(c.PR_CAP_AMBIENT, c.PR_CAP_AMBIENT_CLEAR_ALL)
        syscalls.capset(effective, permitted, 0)
    except OSError as error:
        held = names(syscalls.capget()[1])
        lacking = [name for name in names(permitted) if name not in held]
        message = f"{os.strerror(error.errno or 0)} (not held here: {' '.join(lacking) or 'none'})"
        raise OSError(error.errno, message) from None
