"""``containerlab system reset``: end a store's engine and containers, and remove all that they keep.

A store of a user with subordinate ids has files of those ids, which only that user's namespace can remove: it is done
there. What goes is named here, piece by piece, so that nothing goes that somebody else put into the folder (the
settings ``config.json`` and ``certs.d`` stay), and nothing is removed through a link or on a file system mounted below.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

from containerlab import paths
from containerlab.api import folders
from containerlab.errors import Conflict, ContainerlabError, Forbidden
from containerlab.images import trees
from containerlab.runtime import userns
from containerlab.runtime.client import SupervisorClient
from containerlab.runtime.mountinfo import mounts_of

__all__ = ["main"]

# The database first: a reset that is cut off leaves files without rows, which the next engine sweeps.
_PIECES = (
    "db.sqlite", "db.sqlite-wal", "db.sqlite-shm", "containers", "layers", "content", "volumes", "build-cache",
    "builds", "downloads", "seccomp", "vm", "tmp", "reserve", "copies", "engine.lock",
)  # fmt: skip
_PATIENCE_SECONDS = 20.0
_POLL_SECONDS = 0.02
_WARNING = """WARNING! This will end the engine of {store} and remove:
  - all images, containers, volumes and networks
  - the build cache
Are you sure you want to continue? [y/N] """


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when the store is gone (or never was), 1 when it was not removed."""
    parser = argparse.ArgumentParser(prog="containerlab system reset", description="Remove a store and all it keeps.")
    parser.add_argument("--store", type=lambda path: Path(path).expanduser().absolute(), help="folder of the store")
    parser.add_argument("-f", "--force", action="store_true", help="don't ask, and end containers that run")
    options = parser.parse_args(argv)
    store = options.store or paths.store_folder()
    try:
        if not _is_store(store):
            print(f"There is no store at {store}.")
            return 0
        running = asyncio.run(_running(paths.run_folder(store)))
        if running and not options.force:
            raise Conflict(
                f"{len(running)} containers run in {store}", hint="End them first, or have them killed by -f."
            )
        if not options.force and not _agreed(store):
            print("Nothing was removed.")
            return 1
        _reset(store)
    except (ContainerlabError, OSError) as error:
        print(f"containerlab system reset: {error}", file=sys.stderr)
        return 1
    print(f"Removed the store {store}.")
    return 0


def _is_store(store: Path) -> bool:
    """Whether an engine has had it; raises Forbidden for a link, somebody else's, or one with mounts below."""
    try:
        found = store.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise Forbidden(f"{store} is not a folder of uid {os.geteuid()}")
    if not (store / "engine.lock").exists() and not (store / "db.sqlite").exists():
        return False
    real = store.resolve()
    for mounted in mounts_of():
        if real in Path(mounted.point).parents:
            raise Forbidden(f"something is mounted on {mounted.point}", hint="Unmount it first: it would be emptied.")
    return True


def _agreed(store: Path) -> bool:
    print(_WARNING.format(store=store), end="", flush=True)
    return sys.stdin.readline(1024).strip().lower() in ("y", "yes")


async def _running(run: Path) -> list[str]:
    """The containers that have processes; none without a supervisor."""
    try:
        client = await SupervisorClient.connect(run)
    except OSError:
        return []
    try:
        listed = (await client.call("list"))["containers"]
        return [str(entry["container"]) for entry in listed if entry["status"] == "running"]
    finally:
        client.close()


def _reset(store: Path) -> None:
    run = paths.run_folder(store)
    _end_engine(paths.api_socket(store))
    lock = _locked(store)
    try:
        with contextlib.suppress(OSError):
            asyncio.run(_end_supervisor(run))
        _in_namespace(lambda: _remove(store))
        with trees.directory(run.parent) as fd:
            trees.remove_at(fd, run.name)
    finally:
        os.close(lock)
    with contextlib.suppress(OSError):  # something else is in it, and stays
        store.rmdir()


def _end_engine(path: Path) -> None:
    """SIGTERM to whoever listens there (unix(7), SO_PEERCRED); a socket without an engine is no error."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(os.fspath(path))
            pid = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
            handle = os.pidfd_open(pid)
        except OSError:
            return
    try:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGTERM)
    finally:
        os.close(handle)


def _locked(store: Path) -> int:
    """The store's lock, once its engine has left; raises Conflict when it doesn't."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (lock := folders.lock(store)) is None:
        if time.monotonic() > deadline:
            raise Conflict(f"an engine has {store} and doesn't end")
        time.sleep(_POLL_SECONDS)
    return lock


async def _end_supervisor(run: Path) -> None:
    """Kill what runs, and have the supervisor leave. Raises Conflict for a process that outlives a SIGKILL."""
    client = await SupervisorClient.connect(run)
    gone = asyncio.Event()
    client.on_lost(gone.set)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    try:
        while known := (await client.call("list"))["containers"]:
            if time.monotonic() > deadline:
                raise Conflict(f"the process of container {known[0]['container']} doesn't end")
            for entry in known:
                with contextlib.suppress(OSError):  # it ended meanwhile, or hasn't ended yet
                    if entry["status"] == "running":
                        await client.call("signal", container=entry["container"], signal=int(signal.SIGKILL))
                    else:
                        await client.call("forget", container=entry["container"])
            await asyncio.sleep(_POLL_SECONDS)
        await client.call("shutdown")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(gone.wait(), _PATIENCE_SECONDS)
    finally:
        client.close()


def _remove(store: Path) -> None:
    with trees.directory(store) as fd:
        for piece in _PIECES:
            trees.remove_at(fd, piece)


def _in_namespace(work: Callable[[], None]) -> None:
    """In a child, as the root of the caller's own ids where there is a user namespace to be had."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            if os.geteuid() != 0:
                with contextlib.suppress(OSError):
                    userns.enter_user_namespace()
            work()
            status = 0
        except BaseException as error:
            os.write(writer, str(error).encode()[:4096])
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        said = file.read().decode(errors="replace")
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
        raise ContainerlabError(f"not all could be removed: {said or 'the child ended'}")
