"""An overlay view of layers for the engine's own eyes, reached by a descriptor and mounted nowhere.

A thread of its own leaves the process's mount namespace and working directory (unshare(2) acts on one
thread), mounts the overlay there by short names relative to the layers' folder (mount(2) takes one page of
data), opens its root and ends. The namespace goes with the thread; the mount lives on in the descriptor
alone, so that it ends when that is closed, also by ``kill -9``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from containerlab.errors import HostLacks
from containerlab.images._syscalls import CLONE_NEWNS, MS_NODEV, MS_PRIVATE, MS_REC, mount, unshare

__all__ = ["overlay_view", "quoted"]

_PAGE = 4096


@contextlib.contextmanager
def overlay_view(
    layers: Path, lower: list[str], mountpoint: Path, *, upper: Path | None, volatile: bool
) -> Iterator[int]:
    """A descriptor of the root of an overlay of ``lower`` (names relative to ``layers``, top first).

    ``mountpoint`` is any empty folder. With ``upper`` the view is writable, and the folder ``work`` beside it
    is made for overlayfs; ``volatile`` skips the sync at its end, and that upper can't be mounted again.
    Raises ``HostLacks`` where overlayfs can't be mounted.
    """
    options = [f"lowerdir={':'.join(lower)}"]
    if upper is not None:
        work = upper.with_name("work")
        work.mkdir(exist_ok=True, mode=0o700)
        options += [f"upperdir={quoted(upper)}", f"workdir={quoted(work)}"]
        if volatile:
            options.append("volatile")
    options += ["index=off"]  # with it a container's upper couldn't be a layer here meanwhile
    options += ["userxattr"] if _in_user_namespace() else ["redirect_dir=off", "metacopy=off"]
    data = os.fsencode(",".join(options))
    if len(data) >= _PAGE:
        raise HostLacks(f"an overlay of {len(lower)} layers doesn't fit into one page of mount options")
    fd = _in_thread(layers, data, mountpoint)
    try:
        yield fd
    finally:
        os.close(fd)


def quoted(path: Path) -> str:
    """A path in overlayfs's options, which are split at commas and colons unless a backslash stands before."""
    return str(path).replace("\\", "\\\\").replace(",", "\\,").replace(":", "\\:")


def _in_user_namespace() -> bool:
    with open("/proc/self/uid_map") as uid_map:
        return uid_map.read().split() != ["0", "0", "4294967295"]


def _in_thread(layers: Path, data: bytes, mountpoint: Path) -> int:
    outcome: list[int | BaseException] = []

    def run() -> None:
        try:
            outcome.append(_mount_and_open(layers, data, mountpoint))
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, name="overlay-view")
    thread.start()
    thread.join()
    result = outcome[0]
    if isinstance(result, int):
        return result
    if isinstance(result, OSError) and result.errno in (errno.EPERM, errno.ENODEV, errno.EINVAL):
        raise HostLacks(f"overlayfs can't be mounted here: {result.strerror}") from result
    raise result


def _mount_and_open(layers: Path, data: bytes, mountpoint: Path) -> int:
    unshare(CLONE_NEWNS)  # and, with it, a working directory of this thread's own
    mount(None, b"/", None, MS_REC | MS_PRIVATE, None)
    folder = os.open(layers, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fchdir(folder)
    finally:
        os.close(folder)
    mount(b"overlay", os.fsencode(mountpoint), b"overlay", MS_NODEV, data)
    return os.open(mountpoint, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
