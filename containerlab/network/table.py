"""The ``networks`` table: those that users made. A power cut must not take one away, so it commits FULL."""

from __future__ import annotations

import msgspec

from containerlab.database import Database
from containerlab.network.model import Network

__all__ = ["NetworkTable"]

_TABLES = "CREATE TABLE IF NOT EXISTS networks (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, network BLOB NOT NULL);"


class NetworkTable:
    """Rows alone; bridges follow them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.ensure(_TABLES)

    def insert(self, network: Network) -> None:
        """Add one; the row is what makes it exist."""
        row = (network.id, network.name, msgspec.json.encode(network))
        with self._database.transaction(durable=True) as conn:
            conn.execute("INSERT INTO networks VALUES (?, ?, ?)", row)

    def delete(self, network_id: str) -> None:
        """It is no more; a bridge that is left of it is rubbish."""
        with self._database.transaction(durable=False) as conn:
            conn.execute("DELETE FROM networks WHERE id = ?", (network_id,))

    def load(self) -> list[Network]:
        """Every network, in the order in which they were made."""
        rows = self._database.rows("SELECT network FROM networks ORDER BY rowid")
        return [msgspec.json.decode(row["network"], type=Network) for row in rows]
