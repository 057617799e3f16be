"""Volumes as the database keeps them: a power cut must not take one's name away, so named ones commit FULL."""

from __future__ import annotations

import msgspec

from containerlab.database import Database

__all__ = ["Volume", "VolumeTable"]

_TABLES = """
CREATE TABLE IF NOT EXISTS volumes (
    name   TEXT PRIMARY KEY,
    volume BLOB NOT NULL
);
"""


class Volume(msgspec.Struct, kw_only=True):
    """One volume of the driver ``local``; ``created`` in nanoseconds since 1970, ``options`` are the driver's."""

    name: str
    created: int
    anonymous: bool = False
    labels: dict[str, str] = {}
    options: dict[str, str] = {}


class VolumeTable:
    """The ``volumes`` table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.ensure(_TABLES)

    def insert(self, volume: Volume) -> None:
        """Add one; the row is what makes it exist."""
        with self._database.transaction(durable=not volume.anonymous) as conn:
            conn.execute("INSERT INTO volumes VALUES (?, ?)", (volume.name, msgspec.json.encode(volume)))

    def delete(self, name: str) -> None:
        """It is no more; what is left of its files is rubbish."""
        with self._database.transaction(durable=False) as conn:
            conn.execute("DELETE FROM volumes WHERE name = ?", (name,))

    def load(self) -> list[Volume]:
        """Every volume."""
        rows = self._database.rows("SELECT volume FROM volumes ORDER BY rowid")
        return [msgspec.json.decode(row["volume"], type=Volume) for row in rows]
