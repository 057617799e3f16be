"""``python -m containerlab.network.helper RUN``: enter the lab's namespace, listen on ``RUN/network.sock``, serve."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import resource
import sys
from pathlib import Path

from containerlab.network.helper.server import Server
from containerlab.network.namespace import kept
from containerlab.rung import copies_roots
from containerlab.runtime import constants as c
from containerlab.runtime import syscalls


def main(run: Path) -> int:
    """Serve until nothing is left to serve; another helper's lock ends this one at once."""
    # The lock ends with the process, whatever ends it; the socket's name is only ever taken under it.
    lock = os.open(run / "network.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    if copies_roots():
        # Without namespaces everybody, this helper too, is in the one that there is.
        inode = os.stat("/proc/self/ns/net").st_ino  # noqa: PTH116
    else:
        namespace = kept(run / "netns")
        if namespace is None:
            return 1
        inode = os.fstat(namespace).st_ino
        syscalls.setns(namespace, c.CLONE_NEWNET)
        os.close(namespace)
    # A connection through a published port takes six descriptors.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(Server(run / "network.sock", inode).serve())
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
