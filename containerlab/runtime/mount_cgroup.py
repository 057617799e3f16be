"""/sys/fs/cgroup of a container: its own cgroup and nothing of the host's tree.

v2: the cgroup2 file system in the container's cgroup namespace. v1 and hybrid: a tmpfs with one bind mount for
each controller whose cgroup the container joined, as runc does without a cgroup namespace.
"""

from __future__ import annotations

import os

from containerlab.runtime import constants as c
from containerlab.runtime import syscalls
from containerlab.runtime.inroot import Root
from containerlab.runtime.mount_options import MountOptions
from containerlab.runtime.mounts import attach, mount_on

__all__ = ["Cgroup", "joined_controllers"]

CGROUP_ROOT = "/sys/fs/cgroup"


def joined_controllers(join_fds: list[int]) -> dict[str, str]:
    """v1 controller -> this container's directory on the host, read off the open descriptors of ``tasks``."""
    found = {}
    for fd in join_fds:
        directory = os.path.dirname(os.readlink(f"/proc/self/fd/{fd}"))  # noqa: PTH115, PTH120
        if directory.startswith(CGROUP_ROOT + "/"):
            found[directory.removeprefix(CGROUP_ROOT + "/").split("/", 1)[0]] = directory
    return found


class Cgroup:
    """The spec's mount of type ``cgroup``."""

    def __init__(self, destination: str, options: MountOptions, controllers: dict[str, str]) -> None:
        self.destination, self.options = destination, options
        self.unified = syscalls.has_type(CGROUP_ROOT, c.CGROUP2_SUPER_MAGIC)
        self.controllers = {} if self.unified else controllers

    def execute(self, root: Root) -> None:
        flags = self.options.flags
        target = root.ensure_directory(self.destination)
        try:
            if self.unified:
                mount_on(target, "cgroup", "cgroup2", flags, "", path=self.destination)
            else:
                writable = flags & ~c.MS_RDONLY
                mount_on(target, "tmpfs", "tmpfs", writable, "mode=755", path=self.destination)
        finally:
            os.close(target)
        if not self.unified:
            self._fill(root)

    def _fill(self, root: Root) -> None:
        top = root.open(self.destination, os.O_PATH | os.O_DIRECTORY)
        try:
            for name, source in self.controllers.items():
                os.mkdir(name, 0o755, dir_fd=top)
                self._bind(root, name, source)
                for alias in name.split(",") if "," in name else ():
                    os.symlink(name, alias, dir_fd=top)
            if self.options.set:
                syscalls.mount_setattr(top, set=self.options.set)
        finally:
            os.close(top)

    def _bind(self, root: Root, name: str, source: str) -> None:
        tree = syscalls.open_tree(c.AT_FDCWD, source, c.OPEN_TREE_CLONE)
        try:
            if self.options.set:
                syscalls.mount_setattr(tree, set=self.options.set)
            target = root.open(f"{self.destination}/{name}")
            try:
                attach(tree, target, f"{self.destination}/{name}")
            finally:
                os.close(target)
        finally:
            os.close(tree)

    def describe(self) -> str:
        if self.unified:
            return f'mount("cgroup", "{self.destination}", "cgroup2")'
        return f'mount("tmpfs", "{self.destination}", "tmpfs"), and bind {" ".join(self.controllers) or "nothing"}'
