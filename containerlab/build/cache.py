"""The layer cache: what an instruction made the last time it met the same parent and the same content.

A record's key is a digest over the parent's image id (which covers its layers' digests and its whole config) and the
normalised instruction with the values and contents that it uses. Only records that this store's own builds wrote
count (a loaded image that claims a history proves nothing, CVE-2024-24557), and only while their layer is there.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass

from containerlab.database import Database
from containerlab.errors import StorageFull
from containerlab.images import LayerStore

__all__ = ["BuildCache", "Record", "cache_key"]

_TABLES = """
CREATE TABLE IF NOT EXISTS build_cache (
    key TEXT PRIMARY KEY,
    created TEXT NOT NULL,
    chain_id TEXT,
    diff_id TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS build_cache_created ON build_cache (created);
"""
_VERSION = 1
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Record:
    """What a step made: when (RFC 3339), and its layer's (chain ID, diff ID) or None."""

    created: str
    layer: tuple[str, str] | None


def cache_key(parent: str, *parts: str) -> str:
    """The key of an instruction (``parts``) on top of the image id ``parent``."""
    return hashlib.sha256(json.dumps([_VERSION, parent, *parts]).encode("utf-8", "surrogateescape")).hexdigest()


class BuildCache:
    """The records of one store. When it is opened, all but the newest 10,000 are forgotten."""

    def __init__(self, database: Database, layers: LayerStore) -> None:
        self._database, self._layers = database, layers
        database.ensure(_TABLES)
        with database.transaction(durable=False) as transaction:
            transaction.execute(
                "DELETE FROM build_cache WHERE key IN"
                " (SELECT key FROM build_cache ORDER BY created DESC LIMIT -1 OFFSET ?)",
                (_MOST,),
            )

    def find(self, key: str) -> Record | None:
        """The record, if there is one whose layer still exists."""
        rows = self._database.rows("SELECT created, chain_id, diff_id FROM build_cache WHERE key = ?", key)
        if not rows:
            return None
        chain_id = rows[0]["chain_id"]
        if chain_id is None:
            return Record(rows[0]["created"], None)
        return Record(rows[0]["created"], (chain_id, rows[0]["diff_id"])) if self._layers.has(chain_id) else None

    def put(self, key: str, record: Record) -> None:
        """Remember a step that is done. Raises StorageFull."""
        chain_id, diff_id = record.layer or (None, None)
        try:
            with self._database.transaction(durable=False) as transaction:
                transaction.execute(
                    "INSERT OR REPLACE INTO build_cache VALUES (?, ?, ?, ?)", (key, record.created, chain_id, diff_id)
                )
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise StorageFull("no space left on device for the build cache") from error
            raise
