"""The store's SQLite file: one connection, one writer, two kinds of durability.

Images, tags and volumes must survive a power cut, so they commit with ``synchronous=FULL`` (0.6 ms).
A container's state must survive a killed engine, not a power cut (after a reboot the supervisor's list
is the truth anyway), so it commits with ``NORMAL`` (0.01 ms in WAL mode). Each room owns its own
tables and creates them with ``ensure``. See https://www.sqlite.org/wal.html, section 2.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Database"]


class Database:
    """One open database; safe to use from any thread of the engine, a transaction at a time."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._conn = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._conn.row_factory = sqlite3.Row
        self._conn.execute("PRAGMA journal_mode=WAL")
        self._conn.execute("PRAGMA foreign_keys=ON")
        self._conn.execute("PRAGMA busy_timeout=5000")
        self._durable: bool | None = None

    def ensure(self, script: str) -> None:
        """Create a room's tables; every statement says IF NOT EXISTS."""
        with self._lock:
            self._conn.executescript(script)

    @contextmanager
    def transaction(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        """Commit at the end, roll back on any exception; ``durable`` waits for the disk."""
        with self._lock:
            if self._durable is not durable:
                self._conn.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            self._conn.execute("BEGIN IMMEDIATE")
            try:
                yield self._conn
                self._conn.execute("COMMIT")
            except BaseException:
                # A commit that found the disk full leaves the transaction open.
                if self._conn.in_transaction:
                    self._conn.execute("ROLLBACK")
                raise

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Every row of a query, read outside any transaction of ours."""
        with self._lock:
            return self._conn.execute(sql, values).fetchall()

    def close(self) -> None:
        """Close the file; the write-ahead log is folded in."""
        with self._lock:
            self._conn.close()
