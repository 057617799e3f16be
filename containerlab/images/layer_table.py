"""What is known of the layers: a row each, and who keeps which (pins); the files are ``layers.py``'s matter.

Until an image uses a layer, and so has it synced to the disk, its row says under which boot it was made: after a power
cut it isn't trusted.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from containerlab.database import Database
from containerlab.errors import NotFound
from containerlab.images.layer import Layer, Provenance

__all__ = ["LayerTable", "as_layer"]

_TABLES = """
CREATE TABLE IF NOT EXISTS layers (
    chain_id TEXT PRIMARY KEY,
    diff_id TEXT NOT NULL,
    parent TEXT REFERENCES layers (chain_id),
    link TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    provenance TEXT NOT NULL,
    squashed INTEGER NOT NULL,
    boot_id TEXT
);
CREATE INDEX IF NOT EXISTS layers_parent ON layers (parent);
CREATE TABLE IF NOT EXISTS layer_pins (
    owner TEXT NOT NULL,
    chain_id TEXT NOT NULL REFERENCES layers (chain_id),
    PRIMARY KEY (owner, chain_id)
);
"""
_INSERT = "INSERT INTO layers VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_PIN = "INSERT OR IGNORE INTO layer_pins VALUES (?, ?)"
_CHAIN = """
WITH RECURSIVE up AS (
    SELECT *, 0 AS depth FROM layers WHERE chain_id = ?
    UNION ALL
    SELECT layers.*, depth + 1 FROM layers JOIN up ON layers.chain_id = up.parent
)
SELECT * FROM up ORDER BY depth
"""
_NEEDED = """
SELECT 1 FROM layers WHERE parent = :chain
UNION ALL SELECT 1 FROM images WHERE chain_id = :chain
UNION ALL SELECT 1 FROM layer_pins WHERE chain_id = :chain
"""


class LayerTable:
    """The rows of one store; safe to use from any thread."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        database.ensure(_TABLES)

    # -- reading -----------------------------------------------------------------------------

    def get(self, chain: str) -> Layer:
        """Raises ``NotFound``."""
        found = self.database.rows("SELECT * FROM layers WHERE chain_id = ?", chain)
        if not found:
            raise NotFound(f"no such layer: {chain}")
        return as_layer(found[0])

    def has(self, chain: str) -> bool:
        """Whether the layer is known."""
        return bool(self.database.rows("SELECT 1 FROM layers WHERE chain_id = ?", chain))

    def all(self) -> list[sqlite3.Row]:
        """Every row, in no order."""
        return self.database.rows("SELECT * FROM layers")

    def chain(self, chain: str | None) -> list[sqlite3.Row]:
        """The rows of a chain, top first. Raises ``NotFound``."""
        if chain is None:
            return []
        rows = self.database.rows(_CHAIN, chain)
        if not rows:
            raise NotFound(f"no such layer: {chain}")
        return rows

    # -- writing -----------------------------------------------------------------------------

    def insert(self, layer: Layer, link: str, owner: str | None) -> None:
        """A new layer, pinned for ``owner`` at once. Raises ``NotFound`` when the one below it has gone meanwhile."""
        provenance = msgspec.json.encode(layer.provenance).decode()
        values = (layer.chain_id, layer.diff_id, layer.parent, link, layer.size, provenance)
        try:
            with self.database.transaction(durable=False) as transaction:
                transaction.execute(_INSERT, (*values, layer.squashed, self._boot_id))
                if owner is not None:
                    transaction.execute(_PIN, (owner, layer.chain_id))
        except sqlite3.IntegrityError as error:
            raise NotFound(f"no such layer: {layer.parent}") from error

    def pin(self, chain: str, owner: str) -> None:
        """Keep a layer for ``owner``. Raises ``NotFound``."""
        with self.database.transaction(durable=False) as transaction:
            try:
                transaction.execute(_PIN, (owner, chain))
            except sqlite3.IntegrityError:
                raise NotFound(f"no such layer: {chain}") from None

    def unpin(self, owner: str) -> None:
        """Let go of what ``owner`` pinned."""
        with self.database.transaction(durable=False) as transaction:
            transaction.execute("DELETE FROM layer_pins WHERE owner = ?", (owner,))

    def settled(self, chains: list[str]) -> None:
        """Their files are on the disk."""
        with self.database.transaction(durable=False) as transaction:
            for chain in chains:
                transaction.execute("UPDATE layers SET boot_id = NULL WHERE chain_id = ?", (chain,))

    def forget(self, chain: str | None, transaction: sqlite3.Connection) -> list[str]:
        """Within a transaction, drop the rows of ``chain`` and of what is below it, as far as nothing needs them.

        Gives the chain IDs, top first.
        """
        gone: list[str] = []
        while chain is not None and transaction.execute(_NEEDED, {"chain": chain}).fetchone() is None:
            row = transaction.execute("SELECT parent FROM layers WHERE chain_id = ?", (chain,)).fetchone()
            if row is None:
                break
            transaction.execute("DELETE FROM layers WHERE chain_id = ?", (chain,))
            gone.append(chain)
            chain = row["parent"]
        return gone

    def forget_lost(self) -> None:
        """Drop the rows of what was made under another boot and never settled."""
        lost = "SELECT chain_id FROM layers WHERE boot_id IS NOT NULL AND boot_id != ?"
        with self.database.transaction(durable=True) as transaction:
            # A layer above a lost one was lost as well: settling writes whole chains.
            transaction.execute("PRAGMA defer_foreign_keys = ON")
            transaction.execute(f"DELETE FROM layer_pins WHERE chain_id IN ({lost})", (self._boot_id,))
            transaction.execute(f"DELETE FROM layers WHERE chain_id IN ({lost})", (self._boot_id,))


def as_layer(row: sqlite3.Row) -> Layer:
    """A row as what it says."""
    provenance = msgspec.json.decode(row["provenance"], type=Provenance)
    return Layer(row["chain_id"], row["diff_id"], row["parent"], row["size"], provenance, bool(row["squashed"]))
