"""Where a store and its sockets live; shared by the engine and by the clients that start it.

Two folders belong to a store. The *store* itself keeps images, layers, containers and the database.
Its *run folder* holds sockets and the supervisor's record; it is short, because a unix socket's path
has 108 bytes (unix(7)), and named after the store, so that two stores never meet.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

__all__ = ["INTERPRETER", "api_socket", "run_folder", "shared_store", "store_folder", "supervisor_socket"]

INTERPRETER = ("-X", "no_debug_ranges")
"""Python's options for an engine and its supervisor: a traceback names the line and not the column, and each process
keeps half a megabyte less."""


def store_folder() -> Path:
    """``CONTAINERLAB_STORE``, else /var/lib/containerlab for root, else the user's data folder."""
    chosen = os.environ.get("CONTAINERLAB_STORE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if os.getuid() == 0:
        return Path("/var/lib/containerlab")
    data_home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return Path(data_home).absolute() / "containerlab"


def shared_store() -> Path | None:
    """``CONTAINERLAB_SHARED_STORE``: images that the users of one host read together; None where there are none."""
    chosen = os.environ.get("CONTAINERLAB_SHARED_STORE")
    return Path(chosen).expanduser().absolute() if chosen else None


def run_folder(store: Path) -> Path:
    """The run folder of ``store``; made by whoever starts the engine, mode 0700."""
    name = hashlib.sha256(os.fsencode(store.absolute())).hexdigest()[:8]
    uid = os.getuid()
    if uid == 0:
        return Path("/run/containerlab") / name
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK):
        return Path(runtime) / "containerlab" / name
    return Path(f"/tmp/containerlab-{uid}") / name


def api_socket(store: Path) -> Path:
    """The Docker Engine API's socket."""
    return run_folder(store) / "engine.sock"


def supervisor_socket(store: Path) -> Path:
    """The supervisor's socket (see docs/interfaces.md)."""
    return run_folder(store) / "supervisor.sock"
