"""A file system mounted at a volume's folder, by the options of the driver ``local``: what mount(8) would be told."""

from __future__ import annotations

import os

from containerlab.runtime import constants as c
from containerlab.runtime import syscalls
from containerlab.runtime.mount_options import parse_options
from containerlab.runtime.mounts import set_attributes

__all__ = ["described", "mount_volume", "unmount_volume"]


def mount_volume(target: str, fstype: str, device: str, options: str) -> None:
    """Mounts it, in the caller's mount namespace. ``OSError`` as the kernel refuses."""
    words = parse_options([word for word in options.split(",") if word])
    if not words.flags & c.MS_BIND:
        syscalls.mount(device, target, fstype, words.flags, words.data)
        return
    tree = syscalls.open_tree(c.AT_FDCWD, device, c.OPEN_TREE_CLONE | (c.AT_RECURSIVE if words.flags & c.MS_REC else 0))
    try:
        set_attributes(tree, words)
        place = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            syscalls.move_mount(tree, place)
        finally:
            os.close(place)
    finally:
        os.close(tree)


def unmount_volume(target: str) -> None:
    """Lets go of what is mounted there last; whoever still has it open keeps it. ``OSError`` EINVAL when nothing is."""
    syscalls.umount2(target, c.MNT_DETACH)


def described(target: str, device: str, options: str) -> str:
    """The call as Docker's messages tell it (moby/sys mount): ``DEVICE:TARGET, flags: 0x1000, data: size=1m``."""
    words = parse_options([word for word in options.split(",") if word])
    flags = f", flags: {words.flags:#x}" if words.flags else ""
    return f"{device}:{target}{flags}{f', data: {words.data}' if words.data else ''}"
