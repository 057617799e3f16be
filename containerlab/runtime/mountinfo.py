"""A mount namespace's table, as the kernel tells it (proc(5), /proc/PID/mountinfo)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Mounted", "mounts_of"]

# The kernel writes these four as octal.
_ESCAPED = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))


@dataclass(frozen=True, slots=True)
class Mounted:
    """``root`` of a file system, shown at ``point``; ``options`` are the mount's, ``data`` the file system's."""

    point: str
    root: str
    options: list[str]
    optional: list[str]
    filesystem: str
    source: str
    data: list[str]

    @property
    def shared(self) -> bool:
        """What is mounted below it goes on to its peers (mount_namespaces(7))."""
        return any(word.startswith("shared:") for word in self.optional)

    @property
    def slave(self) -> bool:
        """What its master's peers mount comes in."""
        return any(word.startswith("master:") for word in self.optional)


def mounts_of(process: int | str = "thread-self") -> list[Mounted]:
    """In the order in which they were mounted. ``OSError`` when the process has ended."""
    with open(f"/proc/{process}/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return [_parse(line.rstrip("\n")) for line in file]


def _parse(line: str) -> Mounted:
    own, _, system = line.partition(" - ")
    _, _, _, root, point, options, *optional = own.split(" ")
    filesystem, source, data = system.split(" ", 2)
    return Mounted(
        _plain(point), _plain(root), options.split(","), optional, filesystem, _plain(source), data.split(",")
    )


def _plain(text: str) -> str:
    for code, character in _ESCAPED:
        text = text.replace(code, character)
    return text
