"""A process known by pid, start time and boot, so that a pid used again is never taken for it."""

from __future__ import annotations

import os
from typing import NamedTuple

__all__ = ["Identity", "boot_id", "identify", "lives", "open_process", "starttime"]


class Identity(NamedTuple):
    """``starttime`` in clock ticks since boot (proc(5), /proc/PID/stat field 22)."""

    pid: int
    starttime: int
    boot_id: str


def boot_id() -> str:
    """Another one after each boot (random(4))."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def starttime(pid: int) -> int:
    """Field 22 of /proc/PID/stat; ``ProcessLookupError`` when there is no such process."""
    return int(_fields(pid)[19])


def _fields(pid: int) -> list[bytes]:
    """/proc/PID/stat from the third field on, the state."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            content = file.read()
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(3, "No such process", str(pid)) from None
    # The second field is the program's name in parentheses, and may hold anything, parentheses too.
    return content.rpartition(b")")[2].split()


def identify(pid: int) -> Identity:
    """The identity of a live process."""
    return Identity(pid, starttime(pid), boot_id())


def open_process(identity: Identity) -> int:
    """A pidfd of that very process; ``ProcessLookupError`` when it has ended, or the machine has booted since.

    One that has ended and that nobody reaps (the first process of many a container doesn't) has ended.
    """
    gone = ProcessLookupError(3, "No such process", str(identity.pid))
    if identity.boot_id != boot_id():
        raise gone
    pidfd = os.pidfd_open(identity.pid)
    # The pidfd holds one process; the start time read after it is opened tells whether it is ours.
    try:
        fields = _fields(identity.pid)
        if int(fields[19]) != identity.starttime or fields[0] in (b"Z", b"X"):
            raise gone
    except ProcessLookupError:
        os.close(pidfd)
        raise
    return pidfd


def lives(identity: Identity) -> bool:
    """Whether that very process still runs."""
    try:
        os.close(open_process(identity))
    except ProcessLookupError:
        return False
    return True
