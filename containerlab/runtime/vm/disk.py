"""The guest's disk: the container's root file system, written to an ext4 image by mke2fs.

A container's overlay exists only while it is mounted, so a child mounts it in a mount namespace of its own and
becomes mke2fs; the mount ends with it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from containerlab.errors import HostLacks
from containerlab.runtime import constants as c
from containerlab.runtime import syscalls
from containerlab.runtime.userns import in_user_namespace

__all__ = ["SIZE", "make_disk"]

SIZE = 10 << 30
"""Bytes the guest sees; the host's file is sparse and holds what is written."""

_SECONDS = 600


def make_disk(bundle: Path, spec: dict[str, Any], image: Path) -> None:
    """Write the root file system of ``spec`` (its overlay annotation, else ``root.path``) to the new file ``image``.

    Raises HostLacks where mke2fs is missing, OSError where the root can't be mounted or doesn't fit.
    """
    program = shutil.which("mke2fs", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    if program is None:
        raise HostLacks("The virtual machine's disk can't be made: mke2fs is missing.", hint="Install e2fsprogs.")
    overlay = json.loads(spec.get("annotations", {}).get("containerlab.overlay", "null"))
    root = str(bundle / spec.get("root", {}).get("path", "rootfs"))
    view = image.with_name("root")
    if overlay is not None:
        view.mkdir(exist_ok=True)
        root = str(view)
    options = "lazy_itable_init=1,nodiscard,root_owner=0:0"
    features = "^has_journal,^resize_inode"
    command = [program, "-q", "-t", "ext4", "-m", "0", "-O", features, "-E", options, "-d", root, str(image)]
    try:
        done = subprocess.run(
            [*command, f"{SIZE >> 20}M"],
            preexec_fn=lambda: _enter(overlay, root),
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.SubprocessError as error:
        raise OSError(f"the root file system couldn't be mounted for mke2fs: {error}") from error
    finally:
        if overlay is not None:
            view.rmdir()
    if done.returncode:
        raise OSError(f"mke2fs: {done.stderr.strip() or done.returncode}")


def _enter(overlay: dict[str, Any] | None, root: str) -> None:
    """In the child that becomes mke2fs: see the root as its owner does, mounted read-only."""
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0:
        # No namespace of the engine's around it: a plain user, who owns what is in the root.
        syscalls.unshare(c.CLONE_NEWUSER | c.CLONE_NEWNS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    if overlay is None:
        return
    if uid == 0:
        syscalls.unshare(c.CLONE_NEWNS)
    syscalls.mount("none", "/", flags=c.MS_REC | c.MS_PRIVATE)
    # The writable layer stands on top, read-only too: an overlay with an upper wants it for itself alone.
    lower = ":".join([overlay["upper"], *overlay["lower"]])
    os.chdir(overlay["layers"])
    options = f"lowerdir={lower}" + (",userxattr" if in_user_namespace() else "")
    syscalls.mount("overlay", root, "overlay", c.MS_RDONLY, options)
