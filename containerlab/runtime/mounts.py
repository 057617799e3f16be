"""The mounts of a container, one small object each: ``execute`` makes it, ``describe`` says what it does.

All of them run in the container's own mount namespace before ``pivot_root``. A target is opened inside the root
once and mounted onto by its descriptor, so that nobody can swap it for a link in between (CVE-2021-30465).
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Protocol

from containerlab.runtime import constants as c
from containerlab.runtime import syscalls
from containerlab.runtime.inroot import Root
from containerlab.runtime.mount_options import MountOptions

__all__ = [
    "FIRST_TREE",
    "Bind",
    "Filesystem",
    "Mask",
    "ReadonlyPath",
    "Step",
    "mount_on",
    "open_below",
    "set_attributes",
]

_PROC_ROOT_INO = 1  # include/linux/proc_ns.h

# The descriptors behind stdio and the report: mounts that came with the request to start, attached nowhere yet.
FIRST_TREE = 4

# What lxcfs and its like lay over /proc, as runc lets them; everything else below /proc would mislead the
# runtime's own reads and writes there (CVE-2019-19921, CVE-2025-52881).
_PROC_FILES = frozenset(
    f"/proc/{name}"
    for name in [
        "cpuinfo",
        "diskstats",
        "meminfo",
        "stat",
        "swaps",
        "uptime",
        "loadavg",
        "slabinfo",
        "net/dev",
        "sys/kernel/ns_last_pid",
        "sys/crypto/fips_enabled",
    ]
)


class Step(Protocol):
    """One thing done to the new root."""

    def execute(self, root: Root) -> None:
        """Does it; ``OSError`` with the path inside the container."""

    def describe(self) -> str:
        """The kernel call behind it, for people."""


class Filesystem:
    """A new file system: proc, sysfs, tmpfs, devpts, mqueue, cgroup2."""

    def __init__(self, fstype: str, destination: str, source: str, options: MountOptions) -> None:
        self.fstype, self.destination, self.source, self.options = fstype, destination, source, options

    def execute(self, root: Root) -> None:
        existed = True
        if self.fstype in {"proc", "sysfs"}:
            _refuse_links(root, self.destination)
        try:
            target = root.open(self.destination, os.O_PATH | os.O_DIRECTORY)
        except FileNotFoundError:
            existed = False
            target = root.ensure_directory(self.destination)
        try:
            if self.fstype != "proc":
                refuse_proc(self.destination, target)
            data = self.options.data
            if self.fstype == "tmpfs" and existed and "mode=" not in data:
                # /tmp stays 1777 when a tmpfs is laid over it, as runc has it.
                mode = f"mode={stat.S_IMODE(os.fstat(target).st_mode):o}"
                data = f"{data},{mode}" if data else mode
            mount_on(target, self.source, self.fstype, self.options.flags, data, path=self.destination)
        finally:
            os.close(target)
        if self.options.propagation:
            _propagate(root, self.destination, self.options)

    def describe(self) -> str:
        words = [f'mount("{self.source}", "{self.destination}", "{self.fstype}"']
        words.append(f'0x{self.options.flags:x}, "{self.options.data}")')
        return ", ".join(words)


class Bind:
    """A file or directory of the host, or of the container's cgroup, at a place in the container.

    With ``below`` it is what lies at that path inside ``source``, and no link leads out of it. ``tree`` is a descriptor
    that already holds the mount, which takes the place of ``source``.
    """

    def __init__(
        self, destination: str, source: str, options: MountOptions, *, below: str = "", tree: int | None = None
    ) -> None:
        self.destination, self.source, self.options = destination, source, options
        self.below, self.tree = below, tree

    def execute(self, root: Root) -> None:
        tree = self._open() if self.tree is None else self.tree
        try:
            if stat.S_ISDIR(os.fstat(tree).st_mode):
                target = root.ensure_directory(self.destination)
            else:
                target = root.ensure_file(self.destination)
            try:
                if _is_whole_proc(self.destination, tree):
                    _refuse_links(root, self.destination)
                else:
                    refuse_proc(self.destination, target)
                _require_same_kind(tree, target, self.destination)
                set_attributes(tree, self.options)
                attach(tree, target, self.destination)
            finally:
                os.close(target)
        finally:
            os.close(tree)

    def _open(self) -> int:
        flags = c.OPEN_TREE_CLONE | (c.AT_RECURSIVE if self.options.flags & c.MS_REC else 0)
        if not self.below:
            return syscalls.open_tree(c.AT_FDCWD, self.source, flags)
        found = open_below(self.source, self.below)
        try:
            return syscalls.open_tree(found, "", flags)
        finally:
            os.close(found)

    def describe(self) -> str:
        readonly = ", then mount_setattr(MOUNT_ATTR_RDONLY)" if self.options.set & c.MOUNT_ATTR_RDONLY else ""
        recursive = "|MS_REC" if self.options.flags & c.MS_REC else ""
        return f'mount("{self.source}", "{self.destination}", NULL, MS_BIND{recursive}){readonly}'


class ReadonlyPath:
    """A path of /proc or /sys laid over itself, read-only; nothing when it doesn't exist."""

    def __init__(self, path: str) -> None:
        self.path = path

    def execute(self, root: Root) -> None:
        try:
            target = root.open(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            tree = syscalls.open_tree(target, "", c.OPEN_TREE_CLONE | c.AT_RECURSIVE)
            try:
                syscalls.mount_setattr(tree, set=c.MOUNT_ATTR_RDONLY, recursive=True)
                attach(tree, target, self.path)
            finally:
                os.close(tree)
        finally:
            os.close(target)

    def describe(self) -> str:
        return f'mount("{self.path}", "{self.path}", NULL, MS_BIND|MS_REC), then mount_setattr(MOUNT_ATTR_RDONLY)'


class Mask:
    """Paths that the container must not read: files under /dev/null, directories under one empty read-only tmpfs.

    The kernel's null device is checked by its number, because an image may bring a /dev/null of its own
    (CVE-2025-31133).
    """

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths

    def execute(self, root: Root) -> None:
        null = _open_null(root)
        empty = -1
        try:
            for path in self.paths:
                try:
                    target = root.open(path)
                except (FileNotFoundError, NotADirectoryError):
                    continue
                try:
                    if not stat.S_ISDIR(os.fstat(target).st_mode):
                        _attach_clone(null, target, path)
                    elif empty >= 0:
                        _attach_clone(empty, target, path)
                    else:
                        flags = c.MS_RDONLY | c.MS_NOSUID | c.MS_NODEV | c.MS_NOEXEC
                        mount_on(target, "tmpfs", "tmpfs", flags, "nr_blocks=1,nr_inodes=1", path=path)
                        empty = root.open(path)
                finally:
                    os.close(target)
        finally:
            os.close(null)
            if empty >= 0:
                os.close(empty)

    def describe(self) -> str:
        return f"mask {' '.join(self.paths)} with /dev/null and an empty tmpfs"


def mount_on(target: int, source: str, fstype: str, flags: int, data: str, *, path: str) -> None:
    """mount(2) onto an open place; ``path`` is what an error calls it."""
    try:
        syscalls.mount(source, f"/proc/self/fd/{target}", fstype, flags, data)
    except OSError as error:
        raise OSError(error.errno, f'mounting "{fstype}": {error.strerror}', path) from None


def attach(tree: int, target: int, path: str) -> None:
    """move_mount(2) with the container's path in the error."""
    try:
        syscalls.move_mount(tree, target)
    except OSError as error:
        raise OSError(error.errno, f"mounting: {error.strerror}", path) from None


def _is_whole_proc(destination: str, tree: int) -> bool:
    """A /proc for /proc, as runc allows it: the host's, for a container that shares the host's processes."""
    whole = os.fstat(tree).st_ino == _PROC_ROOT_INO and syscalls.fstatfs_type(tree) == c.PROC_SUPER_MAGIC
    return whole and os.path.normpath(destination) == "/proc"


def refuse_proc(destination: str, target: int) -> None:
    """EPERM for a mount over /proc or below it, wherever links of the image made it end up."""
    path = os.path.normpath(destination)
    if path in _PROC_FILES:
        return
    if path == "/proc" or path.startswith("/proc/") or syscalls.fstatfs_type(target) == c.PROC_SUPER_MAGIC:
        raise OSError(errno.EPERM, f'"{destination}" cannot be mounted because it is inside /proc', destination)


def open_below(folder: str, path: str) -> int:
    """An O_PATH descriptor of ``path`` inside ``folder``; EXDEV for a link or ``..`` that leads out (openat2(2))."""
    base = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return syscalls.openat2(base, path, os.O_PATH, resolve=c.RESOLVE_BENEATH | c.RESOLVE_NO_MAGICLINKS)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(base)


def _require_same_kind(tree: int, target: int, path: str) -> None:
    """ENOTDIR, where move_mount(2) says EINVAL: a directory can't lie over a file, nor a file over a directory."""
    if stat.S_ISDIR(os.fstat(tree).st_mode) != stat.S_ISDIR(os.fstat(target).st_mode):
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)


def _refuse_links(root: Root, path: str) -> None:
    resolve = c.RESOLVE_IN_ROOT | c.RESOLVE_NO_SYMLINKS
    try:
        os.close(syscalls.openat2(root.fd, path.lstrip("/"), os.O_PATH, resolve=resolve))
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        message = f'"{path}" must be mounted on an ordinary directory, and is a symbolic link in this image'
        raise OSError(errno.ELOOP, message, path) from None


def set_attributes(tree: int, options: MountOptions) -> None:
    """Flags and propagation on a mount that is attached nowhere yet."""
    if options.set or options.clear:
        syscalls.mount_setattr(tree, set=options.set, clear=options.clear)
    if options.recursive_set or options.recursive_clear:
        syscalls.mount_setattr(tree, set=options.recursive_set, clear=options.recursive_clear, recursive=True)
    propagation = options.propagation or c.MS_PRIVATE
    recursive = options.propagation_recursive or not options.propagation
    syscalls.mount_setattr(tree, propagation=propagation, recursive=recursive)


def _propagate(root: Root, path: str, options: MountOptions) -> None:
    mounted = root.open(path)
    try:
        syscalls.mount_setattr(mounted, propagation=options.propagation, recursive=options.propagation_recursive)
    finally:
        os.close(mounted)


def _open_null(root: Root) -> int:
    null = root.open("/dev/null")
    status = os.fstat(null)
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(1, 3):
        os.close(null)
        raise OSError(errno.EINVAL, "not the null device (character device 1:3)", "/dev/null")
    return null


def _attach_clone(source: int, target: int, path: str) -> None:
    tree = syscalls.open_tree(source, "", c.OPEN_TREE_CLONE)
    try:
        attach(tree, target, path)
    finally:
        os.close(tree)
