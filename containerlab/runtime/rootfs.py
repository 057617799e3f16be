"""The root of a container: mounted by init in its own mount namespace, and entered by pivot_root(2).

When the container ends the kernel unmounts it; nothing is left behind in the host's table.
"""

from __future__ import annotations

import errno
import os

from containerlab.runtime import constants as c
from containerlab.runtime import syscalls

__all__ = ["BindRoot", "OverlayRoot", "pivot"]

# mount(2) copies one page of options (mount(2), "data").
_PAGE = os.sysconf("SC_PAGESIZE")


class OverlayRoot:
    """An overlay of read-only layers and a writable one.

    ``lower`` are names relative to ``layers``, top first, short enough for many of them to fit one page; ``upper`` None
    makes a read-only view. ``volatile`` never syncs, and such an upper can't be mounted again.
    """

    def __init__(
        self,
        target: str,
        layers: str,
        lower: list[str],
        upper: str | None,
        work: str | None,
        *,
        volatile: bool,
        user_xattr: bool,
    ) -> None:
        self.target, self.layers, self.lower, self.upper, self.work = target, layers, lower, upper, work
        self.volatile, self.user_xattr = volatile, user_xattr

    def options(self) -> str:
        """The file system's options (Documentation/filesystems/overlayfs.rst)."""
        words = ["lowerdir=" + ":".join(_escape(name) for name in self.lower)]
        if self.upper is not None and self.work is not None:
            words += [f"upperdir={_escape(self.upper)}", f"workdir={_escape(self.work)}"]
            if self.volatile:
                words.append("volatile")
        # A redirect or a file without its data in the upper would mean nothing once it is a layer of its own.
        # In a user namespace the kernel has both off, and refuses to hear of them.
        words += ["userxattr"] if self.user_xattr else ["redirect_dir=off", "metacopy=off", "index=off"]
        return ",".join(words)

    def execute(self) -> int:
        """Mounts it; an O_PATH descriptor of the root."""
        options = self.options()
        if len(options) >= _PAGE:
            message = f"{len(self.lower)} layers don't fit one page of mount options ({len(options)} bytes)"
            raise OSError(errno.E2BIG, message, self.layers)
        _ensure_target(self.target)
        os.chdir(self.layers)
        syscalls.mount("overlay", self.target, "overlay", 0, options)
        return _open_root(self.target)

    def describe(self) -> str:
        return f'mount("overlay", "{self.target}", "overlay", 0, "{self.options()}")'


class BindRoot:
    """A folder of the host as root, bound onto itself so that it is a mount point."""

    def __init__(self, path: str) -> None:
        self.path = path

    def execute(self) -> int:
        """Binds it; an O_PATH descriptor of the root."""
        syscalls.mount(self.path, self.path, "", c.MS_BIND | c.MS_REC)
        return _open_root(self.path)

    def describe(self) -> str:
        return f'mount("{self.path}", "{self.path}", NULL, MS_BIND|MS_REC)'


def pivot(root: int) -> None:
    """Makes ``root`` the root and lets go of the old one (pivot_root(2), ``pivot_root(".", ".")``)."""
    os.fchdir(root)
    syscalls.pivot_root(".", ".")
    syscalls.umount2(".", c.MNT_DETACH)
    os.chdir("/")


def _open_root(path: str) -> int:
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def _ensure_target(path: str) -> None:
    try:
        os.mkdir(path, 0o755)  # noqa: PTH102  the hot path does without pathlib
    except FileExistsError:
        pass


def _escape(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")
