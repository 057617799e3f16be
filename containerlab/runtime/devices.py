"""/dev of a container: the six nodes that every container has, its own pseudo-terminals, and the usual links.

The directory is opened once, inside the root, and all is made relative to that descriptor (CVE-2026-41579). In
a user namespace mknod(2) is EPERM, so the host's own nodes are bound instead. Docker's list: moby leaves the
spec's devices empty, and the runtime's defaults apply (OCI runtime spec, "Default Devices").
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import termios
from typing import Any

from containerlab.runtime import constants as c
from containerlab.runtime import syscalls
from containerlab.runtime.inroot import Root
from containerlab.runtime.mounts import attach

__all__ = ["DEFAULT_DEVICES", "BindProgram", "Devices", "open_console", "set_size"]

# name: major, minor; all are character devices, mode 0666
DEFAULT_DEVICES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
}

_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}

_MADE_ANYWAY = {f"/dev/{name}" for name in (*DEFAULT_DEVICES, *_LINKS, "console")}

_TYPES = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}


class Devices:
    """Fills the tmpfs on /dev. ``extra`` are the spec's ``linux.devices``; ``bind`` when in a user namespace."""

    def __init__(self, extra: list[dict[str, Any]], *, bind: bool) -> None:
        self.extra, self.bind = extra, bind

    def execute(self, root: Root) -> None:
        dev = root.open("/dev", os.O_PATH | os.O_DIRECTORY)
        try:
            for name, (major, minor) in DEFAULT_DEVICES.items():
                try:
                    if self.bind:
                        _bind_node(dev, name, f"/dev/{name}")
                    else:
                        _make_node(dev, name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
                except FileExistsError:
                    pass  # this tmpfs is ours: only a mount of the spec's can be there already
            for name, target in _LINKS.items():
                _link(dev, name, target)
            if os.path.exists("/proc/kcore"):  # noqa: PTH110
                _link(dev, "core", "/proc/kcore")
        finally:
            os.close(dev)
        for device in self.extra:
            self._extra(root, device)

    def _extra(self, root: Root, device: dict[str, Any]) -> None:
        path = os.path.normpath(device["path"])
        parent_path, name = os.path.split(path)
        if path in _MADE_ANYWAY:
            return
        parent = root.ensure_directory(parent_path)
        try:
            if self.bind:
                _bind_node(parent, name, device.get("source", path))
                return
            kind = _TYPES.get(device["type"])
            if kind is None:
                raise OSError(errno.EINVAL, f"unknown type of device {device['type']!r}", path)
            number = os.makedev(device.get("major", 0), device.get("minor", 0))
            _make_node(parent, name, kind | device.get("fileMode", 0o666), number)
            os.chown(name, device.get("uid", 0), device.get("gid", 0), dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            raise OSError(error.errno, f"creating device: {error.strerror}", path) from None
        finally:
            os.close(parent)

    def describe(self) -> str:
        verb = "bind the host's" if self.bind else "mknod"
        extra = [device["path"] for device in self.extra]
        return " ".join([verb, *(f"/dev/{name}" for name in DEFAULT_DEVICES), *extra])


class BindProgram:
    """A static program of the host at ``/dev/NAME``, read-only: the init of ``--init``."""

    def __init__(self, name: str, source: str) -> None:
        self.name, self.source = name, source

    def execute(self, root: Root) -> None:
        dev = root.open("/dev", os.O_PATH | os.O_DIRECTORY)
        try:
            _bind_node(dev, self.name, self.source, readonly=True)
        finally:
            os.close(dev)

    def describe(self) -> str:
        return f'mount("{self.source}", "/dev/{self.name}", NULL, MS_BIND), read-only'


def _link(directory: int, name: str, target: str) -> None:
    try:
        os.symlink(target, name, dir_fd=directory)
    except FileExistsError:
        pass


def _make_node(directory: int, name: str, mode: int, number: int) -> None:
    os.mknod(name, mode, number, dir_fd=directory)
    if stat.S_IMODE(mode) & 0o022:  # what the umask took
        os.chmod(name, stat.S_IMODE(mode), dir_fd=directory)


def _bind_node(directory: int, name: str, source: str, *, readonly: bool = False) -> None:
    tree = syscalls.open_tree(c.AT_FDCWD, source, c.OPEN_TREE_CLONE)
    try:
        if readonly:
            syscalls.mount_setattr(tree, set=c.MOUNT_ATTR_RDONLY | c.MOUNT_ATTR_NOSUID | c.MOUNT_ATTR_NODEV)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        target = os.open(name, flags, 0o755 if readonly else 0o666, dir_fd=directory)
        try:
            attach(tree, target, f"/dev/{name}")
        finally:
            os.close(target)
    finally:
        os.close(tree)


def open_console(root: Root, size: dict[str, int] | None, *, bind: bool) -> tuple[int, int]:
    """A pseudo-terminal of the container's own devpts: (master, slave), the slave at /dev/console when ``bind``.

    The slave is asked of the master (TIOCGPTPEER), never opened by a name that the image could have made a link;
    both are checked to be devpts (CVE-2025-52565). ``size`` is OCI's ``consoleSize``.
    """
    master = root.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY)
    try:
        _check_devpts(master)
        fcntl.ioctl(master, c.TIOCSPTLCK, struct.pack("i", 0))
        slave = fcntl.ioctl(master, c.TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        _check_devpts(slave)
        if size:
            set_size(master, size.get("height", 0), size.get("width", 0))
        if bind:
            _bind_console(root, slave)
    except BaseException:
        os.close(master)
        raise
    return master, slave


def set_size(master: int, height: int, width: int) -> None:
    """TIOCSWINSZ: rows and columns of the terminal."""
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def _check_devpts(fd: int) -> None:
    if syscalls.fstatfs_type(fd) != c.DEVPTS_SUPER_MAGIC:
        raise OSError(errno.EINVAL, "not a pseudo-terminal of the container's devpts", "/dev/pts")


def _bind_console(root: Root, slave: int) -> None:
    tree = syscalls.open_tree(slave, "", c.OPEN_TREE_CLONE)
    try:
        console = root.ensure_file("/dev/console", 0o600)
        try:
            attach(tree, console, "/dev/console")
        finally:
            os.close(console)
    finally:
        os.close(tree)
