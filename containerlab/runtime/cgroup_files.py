"""Files of cgroup file systems: read and written as they want it, and where this process's own groups are seen.

proc(5) for mountinfo, cgroups(7) for /proc/PID/cgroup.
"""

# The supervisor imports this module, and does without pathlib, which alone is 1.5 MB of its memory.
from __future__ import annotations

import os

__all__ = ["mounted", "own_directory", "own_paths", "read", "read_flat", "read_int", "write"]


def read(path: str) -> str:
    """A cgroup file's text, 64 KiB at most."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 65536).decode()
    finally:
        os.close(fd)


def write(path: str, value: object) -> None:
    """Writes ``value`` in one write(2), as cgroup files want it. Raises OSError with the path and the value."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, str(value).encode())
    except OSError as error:
        raise OSError(error.errno, f"{os.strerror(error.errno or 0)} (writing {value})", path) from None
    finally:
        os.close(fd)


def read_int(path: str) -> int | None:
    """The number in a file; None for ``max`` or a missing file."""
    try:
        text = read(path).strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return int(text) if text.lstrip("-").isdigit() else None


def read_flat(path: str) -> dict[str, int]:
    """A file of ``KEY NUMBER`` lines; empty when it is missing."""
    try:
        lines = read(path).splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.split() for line in lines)
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def mounted() -> dict[str, tuple[str, str]]:
    """Controller (or ``unified``) to (root of the mount within the hierarchy, mount point); proc(5), mountinfo."""
    found: dict[str, tuple[str, str]] = {}
    with open("/proc/self/mountinfo") as lines:
        for line in lines:
            fields, _, rest = line.partition(" - ")
            kind, _, options = rest.split(" ", 2)
            if kind not in ("cgroup", "cgroup2"):
                continue
            root, point = (_unescape(field) for field in fields.split()[3:5])
            names = ["unified"] if kind == "cgroup2" else options.strip().split(",")
            for name in names:
                found.setdefault(name, (root, point))
    return found


def _unescape(field: str) -> str:
    for escaped, plain in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(escaped, plain)
    return field


def own_paths() -> dict[str, str]:
    """Controller (or ``unified``) to this process's path in its hierarchy; cgroups(7), /proc/PID/cgroup."""
    own: dict[str, str] = {}
    with open("/proc/self/cgroup") as lines:
        for line in lines:
            _, names, path = line.rstrip("\n").split(":", 2)
            for name in names.split(",") if names else ["unified"]:
                own[name] = path
    return own


def own_directory(mount: tuple[str, str], path: str) -> str | None:
    """Where ``path`` is seen through ``mount``; None when the mount shows another part of the hierarchy."""
    root, point = mount
    root = root.rstrip("/")
    if path != root and not path.startswith(f"{root}/"):
        return None
    return (point + path[len(root) :]).rstrip("/")
