"""What the database keeps of a container, and the tables it is kept in.

The part that never changes (``ContainerRecord``) and the part that does at each step (``ContainerState``) are
two columns, so that a start or an exit writes a few hundred bytes. Commits are NORMAL: they survive a killed
engine; after a power cut the supervisor's list and the boot id are the truth anyway.
"""

from __future__ import annotations

import uuid

import msgspec

from containerlab.database import Database
from containerlab.engine.models import ContainerConfig, HostConfig, NetworkingConfig
from containerlab.network.model import Endpoint, Port

__all__ = ["ContainerRecord", "ContainerState", "ContainerTable", "MountPoint"]

_TABLES = """
CREATE TABLE IF NOT EXISTS containers (
    id      TEXT PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    record  BLOB NOT NULL,
    state   BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS engine (id TEXT NOT NULL);
"""


class MountPoint(msgspec.Struct, kw_only=True):
    """One entry of inspect's ``Mounts``; ``name`` is a volume's, ``no_copy`` leaves it without the image's content.

    ``subpath`` is the part of a volume that is mounted; with ``recursive`` what is mounted below the source comes
    along, with ``readonly_recursive`` as read-only as the rest. A source that isn't there is ``made`` at each start.
    """

    type: str
    source: str
    destination: str
    name: str = ""
    mode: str = ""
    rw: bool = True
    propagation: str = ""
    anonymous: bool = False
    no_copy: bool = False
    subpath: str = ""
    recursive: bool = True
    readonly_recursive: bool = False
    made: bool = False


class ContainerRecord(msgspec.Struct, kw_only=True):
    """A container as it was created; times in nanoseconds since 1970."""

    id: str
    created: int
    image: str
    config: ContainerConfig
    host_config: HostConfig
    networking: NetworkingConfig
    path: str
    args: list[str]
    chain_id: str
    mounts: list[MountPoint] = []
    backend: str = "native"
    log_driver: str = "json-file"


class ContainerState(msgspec.Struct, kw_only=True):
    """Where a container stands.

    ``status`` is Docker's word: created, running, paused, restarting, exited, removing, dead. ``pid``,
    ``starttime`` (clock ticks) and ``boot_id`` together name one process for good.
    """

    status: str = "created"
    pid: int = 0
    starttime: int = 0
    boot_id: str = ""
    started_at: int = 0
    finished_at: int = 0
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    restart_count: int = 0
    manually_stopped: bool = False
    timeline: list[tuple[str, int]] = []
    networked: bool = False
    """Whether its network namespace is made by the engine, with its ``endpoints`` on bridges in it."""
    endpoints: list[Endpoint] = []
    ports: list[Port] = []

    @property
    def running(self) -> bool:
        """Whether it has a process."""
        return self.status in ("running", "paused")


class ContainerTable:
    """The ``containers`` table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.ensure(_TABLES)

    def engine_id(self) -> str:
        """What ``info`` calls this store's engine: made once, kept for good."""
        with self._database.transaction(durable=False) as conn:
            conn.execute("INSERT INTO engine SELECT ? WHERE NOT EXISTS (SELECT 1 FROM engine)", (str(uuid.uuid4()),))
        return str(self._database.rows("SELECT id FROM engine")[0]["id"])

    def insert(self, record: ContainerRecord, name: str, state: ContainerState) -> None:
        """Add a container; the row is what makes it exist."""
        with self._database.transaction(durable=False) as conn:
            conn.execute(
                "INSERT INTO containers (id, name, record, state) VALUES (?, ?, ?, ?)",
                (record.id, name, msgspec.json.encode(record), msgspec.json.encode(state)),
            )

    def save(self, container_id: str, state: ContainerState) -> None:
        """Write the state alone."""
        with self._database.transaction(durable=False) as conn:
            conn.execute("UPDATE containers SET state = ? WHERE id = ?", (msgspec.json.encode(state), container_id))

    def save_record(self, record: ContainerRecord) -> None:
        """Write what ``update`` has changed."""
        with self._database.transaction(durable=False) as conn:
            conn.execute("UPDATE containers SET record = ? WHERE id = ?", (msgspec.json.encode(record), record.id))

    def rename(self, container_id: str, name: str) -> None:
        """Write the name alone."""
        with self._database.transaction(durable=False) as conn:
            conn.execute("UPDATE containers SET name = ? WHERE id = ?", (name, container_id))

    def delete(self, container_id: str) -> None:
        """The container is no more; what is left of its files is rubbish."""
        with self._database.transaction(durable=False) as conn:
            conn.execute("DELETE FROM containers WHERE id = ?", (container_id,))

    def load(self) -> list[tuple[ContainerRecord, str, ContainerState]]:
        """Every container: record, name, state."""
        return [
            (
                msgspec.json.decode(row["record"], type=ContainerRecord),
                row["name"],
                msgspec.json.decode(row["state"], type=ContainerState),
            )
            for row in self._database.rows("SELECT name, record, state FROM containers ORDER BY rowid")
        ]
