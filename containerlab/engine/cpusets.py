"""``--cpuset-cpus`` and ``--cpuset-mems``: lists like ``0-2,7`` of what this host has (moby daemon/daemon_unix.go)."""

from __future__ import annotations

from pathlib import Path

from containerlab.engine.models import HostConfig
from containerlab.errors import InvalidParameter

__all__ = ["check_cpusets", "parse"]

_HIGHEST = 8191  # Docker's bound: a list is a promise to hold it in memory.
_ONLINE = Path("/sys/devices/system")


def check_cpusets(host: HostConfig) -> None:
    """Raise InvalidParameter for what is no list, or names a processor or memory node that isn't there."""
    for asked, kind, word, folder in (
        (host.cpuset_cpus, "cpus", "CPUs", "cpu"),
        (host.cpuset_mems, "mems", "memory nodes", "node"),
    ):
        if not asked:
            continue
        try:
            wanted = parse(asked)
        except ValueError:
            raise InvalidParameter(f"Invalid value {asked} for cpuset {kind}") from None
        available = _available(folder)
        if available and not wanted <= parse(available):
            raise InvalidParameter(f"Requested {word} are not available - requested {asked}, available: {available}")


def parse(text: str) -> set[int]:
    """The numbers of a list. Raises ValueError."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        low = _number(first)
        high = _number(last) if dash else low
        if high < low:
            raise ValueError(part)
        found.update(range(low, high + 1))
    return found


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 5 and int(text) <= _HIGHEST):
        raise ValueError(text)
    return int(text)


def _available(folder: str) -> str:
    """Empty where the kernel doesn't say: then the cgroup's own answer decides."""
    try:
        return (_ONLINE / folder / "online").read_text().strip()
    except OSError:
        return ""
