"""The layer cache: what an instruction made the last time it met the same files and the same content.

A record's key is a digest over what the instruction can see of its parent (the layers' chain ID and the settings, not
when or by which history they came to be) and the normalised instruction with the values and contents that it uses.
Only records that this store's own builds wrote count (a loaded image that claims a history proves nothing,
CVE-2024-24557), and only while their layer is there.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass

from containerlab.database import Database
from containerlab.errors import NotFound, StorageFull
from containerlab.images import ImageStore, Layer

__all__ = ["BuildCache", "Record", "cache_key"]

_TABLES = """
CREATE TABLE IF NOT EXISTS build_steps (
    key TEXT PRIMARY KEY,
    created TEXT NOT NULL,
    used REAL NOT NULL,
    chain_id TEXT,
    diff_id TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS build_steps_used ON build_steps (used);
DROP TABLE IF EXISTS build_cache;
"""
_VERSION = 2
_MOST = 10_000
_MOST_BYTES = 10 << 30
_FRESH_S = 60.0
_KEEPER = "build-cache"


@dataclass(frozen=True, slots=True)
class Record:
    """What a step made: when (RFC 3339), and its layer's (chain ID, diff ID) or None."""

    created: str
    layer: tuple[str, str] | None

    @property
    def chain_id(self) -> str | None:
        """The layer's, if it made one."""
        return self.layer[0] if self.layer is not None else None


def cache_key(parent: str, *parts: str) -> str:
    """The key of an instruction (``parts``) on top of what ``parent`` is a digest of."""
    return hashlib.sha256(json.dumps([_VERSION, parent, *parts]).encode()).hexdigest()


class BuildCache:
    """The records of one store. When it is opened, all but the 10,000 that were used last are forgotten.

    ``limit`` bounds the bytes of the layers that nothing but the cache keeps.
    """

    def __init__(self, database: Database, images: ImageStore, *, limit: int = _MOST_BYTES) -> None:
        self._database, self._images, self._layers = database, images, images.layers
        self.limit = limit
        self._grown = True
        database.ensure(_TABLES)
        with database.transaction(durable=False) as transaction:
            transaction.execute(
                "DELETE FROM build_steps WHERE key IN"
                " (SELECT key FROM build_steps ORDER BY used DESC LIMIT -1 OFFSET ?)",
                (_MOST,),
            )

    def find(self, key: str) -> Record | None:
        """The record, if there is one whose layer still exists."""
        rows = self._database.rows("SELECT created, used, chain_id, diff_id FROM build_steps WHERE key = ?", key)
        if not rows:
            return None
        row, now = rows[0], time.time()
        if row["chain_id"] is not None and not self._layers.has(row["chain_id"]):
            return None
        if now - row["used"] > _FRESH_S:
            with self._database.transaction(durable=False) as transaction:
                transaction.execute("UPDATE build_steps SET used = ? WHERE key = ?", (now, key))
        layer = (row["chain_id"], row["diff_id"]) if row["chain_id"] is not None else None
        return Record(row["created"], layer)

    def put(self, key: str, record: Record) -> None:
        """Remember a step that is done. Raises StorageFull."""
        chain_id, diff_id = record.layer or (None, None)
        try:
            with self._database.transaction(durable=False) as transaction:
                transaction.execute(
                    "INSERT OR REPLACE INTO build_steps VALUES (?, ?, ?, ?, ?)",
                    (key, record.created, time.time(), chain_id, diff_id),
                )
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise StorageFull("no space left on device for the build cache") from error
            raise
        self._grown = True

    def collect(self, limit: int | None = None, *, unused_since: float | None = None) -> list[Layer]:
        """Remove the layers of the cache that weren't used for longest, down to ``limit`` bytes; for a thread.

        With ``unused_since`` (seconds since 1970) those that were used later stay all the same.
        """
        if limit is None and not self._grown:
            return []
        self._grown = False
        most = self.limit if limit is None else limit
        idle = {layer.chain_id: layer for layer in self._unneeded()}
        size = sum(layer.size for layer in idle.values())
        if size <= most:
            return []
        return self._collect(idle, size - most, unused_since)

    def _unneeded(self) -> list[Layer]:
        needed = {chain for image in self._images.list() for chain in image.chain_ids}
        return [layer for layer in self._layers.all() if layer.chain_id not in needed]

    def _collect(self, idle: dict[str, Layer], excess: int, unused_since: float | None) -> list[Layer]:
        """A layer goes before those below it."""
        rows = self._database.rows("SELECT chain_id, MAX(used) AS used FROM build_steps GROUP BY chain_id")
        used = {row["chain_id"]: row["used"] for row in rows}
        above = Counter(layer.parent for layer in idle.values())
        heap = [(used.get(chain, 0.0), chain) for chain in idle if not above[chain]]
        heapq.heapify(heap)
        gone: list[Layer] = []
        while heap and excess > 0:
            last, chain = heapq.heappop(heap)
            if unused_since is not None and last >= unused_since:
                break
            layer = idle[chain]
            if not self._remove(layer):
                continue
            gone.append(layer)
            excess -= layer.size
            above[layer.parent] -= 1
            if layer.parent in idle and not above[layer.parent]:
                heapq.heappush(heap, (used.get(layer.parent, 0.0), layer.parent))
        return gone

    def _remove(self, layer: Layer) -> bool:
        """One layer, and not those below it that nothing else keeps."""
        try:
            if layer.parent is not None:
                self._layers.pin(layer.parent, _KEEPER)
            return bool(self._layers.remove(layer.chain_id))
        except NotFound:
            return False
        finally:
            self._layers.unpin(_KEEPER)
