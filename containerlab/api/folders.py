"""The engine's private folders, its lock and its socket: made so that no other user ever gets between."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
from pathlib import Path

from containerlab.errors import Forbidden, HostLacks

__all__ = ["listen", "lock", "make_private"]

_BACKLOG = 1024


def make_private(folder: Path, chosen_by: str = "CONTAINERLAB_STORE") -> None:
    """Make ``folder`` (mode 0700) and what is missing above it; raise Forbidden if it isn't the caller's alone.

    The check matters below ``/tmp``, where another user may have made the name first, or a link of it. Raises HostLacks
    where it can't be made; ``chosen_by`` is the variable that says where it lies.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
    except OSError as error:
        raise HostLacks(
            f"the folder {folder} can't be made: {error.strerror}",
            hint=f"Set {chosen_by} to a folder on a local file system that you may write to.",
        ) from error
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise Forbidden(
            f"{folder} is not a folder of uid {os.geteuid()}",
            hint=f"Remove it, or set {chosen_by} to another folder.",
        )
    if found.st_mode & 0o077:
        folder.chmod(0o700)


def lock(store: Path) -> int | None:
    """Take the store's lock: the descriptor that holds it as long as it is open, None when another has it."""
    descriptor = os.open(store / "engine.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def listen(path: Path) -> socket.socket:
    """A listening unix socket of mode 0600; the caller holds the lock, so one that lies there is stale.

    Linux takes the mode from the unbound socket's inode, so there is no moment at which it is wider.
    """
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        os.fchmod(sock.fileno(), 0o600)
        sock.bind(os.fspath(path))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
