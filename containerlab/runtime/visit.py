"""A container's root for whoever looks into it from outside: the files it has, none of the kernel's own.

A stopped container's root is mounted once more, in a mount namespace of the caller's own, with the host folders and
volumes that its bundle binds; it goes with the last process of that namespace.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from typing import Any

from containerlab.runtime import constants as c
from containerlab.runtime import syscalls
from containerlab.runtime.inroot import Root
from containerlab.runtime.mount_options import parse_options
from containerlab.runtime.mounts import Bind
from containerlab.runtime.rootfs import OverlayRoot
from containerlab.runtime.userns import in_user_namespace

__all__ = ["copied_place", "holds_files", "mount_stopped"]

# linux/magic.h: what the kernel tells or is told there is no file that can be copied.
_NO_FILES = frozenset(
    {
        c.PROC_SUPER_MAGIC,
        c.DEVPTS_SUPER_MAGIC,
        c.CGROUP2_SUPER_MAGIC,
        0x27E0EB,  # cgroup v1
        0x62656572,  # sysfs
        0x19800202,  # mqueue
        0x64626720,  # debugfs
        0x74726163,  # tracefs
        0x73636673,  # securityfs
        0x62656570,  # configfs
        0x6165676C,  # pstore
        0xCAFE4A11,  # bpf
        0xDE5E81E4,  # efivarfs
        0x42494E4D,  # binfmt_misc
        0x65735543,  # fusectl
        0x6E736673,  # nsfs
        0xF97CFF8C,  # selinuxfs
    }
)


def holds_files(fd: int) -> bool:
    """Whether what is open lies in a file system of files, not in one through which the kernel speaks."""
    return syscalls.fstatfs_type(fd) not in _NO_FILES


def mount_stopped(bundle: str, trees: tuple[Sequence[int], Sequence[int]] = ((), ()), *, writable: bool) -> int:
    """An O_PATH descriptor of a stopped container's root; the caller has one thread, and a namespace of its own after.

    ``trees`` are the mounts of the binds that ``containerlab.trees`` names, in its order; twice, because what was
    attached once can't be again, should a second attempt be needed. Without ``writable`` nothing of the container is
    written, not even its overlay's work folder, except that a place for a volume is made where it lacks one. Nobody
    else may have its upper directory mounted. ``OSError`` with a path.
    """
    with open(f"{bundle}/config.json", "rb") as file:
        spec = json.load(file)
    syscalls.unshare(c.CLONE_NEWNS)
    syscalls.mount("", "/", "", c.MS_PRIVATE | c.MS_REC)
    if not writable:
        try:
            return _mount(spec, bundle, trees[0], writable=False)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            syscalls.umount2(_target(spec, bundle), c.MNT_DETACH)
    return _mount(spec, bundle, trees[1], writable=True)


def copied_place(bundle: str, path: str) -> tuple[str, str]:
    """On the rung proot: the folder of the host in which ``path`` lies, and what of it leads on from there.

    The root is copied if no start has done so yet. A bound file is told by its own name in its own folder.
    """
    from containerlab.runtime.proot import guest
    from containerlab.runtime.proot.root import make_root

    with open(f"{bundle}/config.json", "rb") as file:
        spec = json.load(file)
    bounds = guest.bounds(spec, bundle)
    root = make_root(spec, bundle, guest.points(bounds))
    place, rest = guest.place_of(bounds, root, path)
    if os.path.isdir(place):  # noqa: PTH112
        # What stands at the end of the path says whether a directory is meant.
        return place, f"{rest}/." if path.endswith("/.") else f"{rest}/" if path.endswith("/") else rest
    return os.path.split(place)


def _mount(spec: dict[str, Any], bundle: str, trees: Sequence[int], *, writable: bool) -> int:
    overlay = json.loads(spec["annotations"]["containerlab.overlay"])
    upper, lower = overlay["upper"], overlay["lower"]
    root = Root(
        OverlayRoot(
            _target(spec, bundle),
            overlay["layers"],
            lower if writable else [upper, *lower],
            upper if writable else None,
            overlay["work"] if writable else None,
            volatile=False,
            user_xattr=in_user_namespace(),
        ).execute()
    )
    below = json.loads(spec["annotations"].get("containerlab.below", "{}"))
    places = json.loads(spec["annotations"].get("containerlab.trees", "[]"))
    opened = dict(zip(places, trees, strict=True))
    for mount in spec.get("mounts", []):
        options = parse_options(mount.get("options", []))
        if options.flags & c.MS_BIND:
            place = mount["destination"]
            Bind(place, mount["source"], options, below=below.get(place, ""), tree=opened.get(place)).execute(root)
    if spec.get("root", {}).get("readonly", False):
        syscalls.mount_setattr(root.fd, set=c.MOUNT_ATTR_RDONLY)
    return root.fd


def _target(spec: dict[str, Any], bundle: str) -> str:
    return os.path.join(bundle, spec.get("root", {}).get("path", "rootfs"))  # noqa: PTH118
