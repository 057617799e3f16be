"""What images came with, beside their config: compressed layers, manifests, and names by digest.

An unpacked layer can't be packed again to the bytes it came in (nor, when a user namespace squashed its owners, to
its diff ID), and an image that is sent on must be the one that came. So the compressed blobs and the manifest stay in
the content store. A blob's row lives as long as a layer with its diff ID, a manifest's and a name's as long as the
image; what no row needs is swept. This module only knows the rows: ``ImageStore`` moves the files.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from containerlab.database import Database
from containerlab.images.reference import Reference

__all__ = ["Kept", "LayerBlob", "Origin", "RepoDigest"]

_TABLES = """
CREATE TABLE IF NOT EXISTS layer_blobs (
    diff_id TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    media_type TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS image_manifests (
    image_id TEXT PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS repo_digests (
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    PRIMARY KEY (repository, digest)
);
CREATE INDEX IF NOT EXISTS repo_digests_image ON repo_digests (image_id);
"""
_NEEDED = """
SELECT id FROM images
UNION SELECT digest FROM image_manifests
UNION SELECT digest FROM layer_blobs
"""


class LayerBlob(msgspec.Struct, frozen=True):
    """The archive of the layers with ``diff_id`` as it came, or as it was first sent: ``digest``, ``size`` in bytes."""

    diff_id: str
    digest: str
    size: int
    media_type: str


class RepoDigest(msgspec.Struct, frozen=True):
    """A name by digest: the canonical repository (``docker.io/library/busybox``) and the digest of what it held."""

    repository: str
    digest: str

    def familiar(self) -> str:
        """As Docker shows it: ``busybox@sha256:…``."""
        return Reference.parse(f"{self.repository}@{self.digest}").familiar()


class Origin(msgspec.Struct, frozen=True):
    """What an image came with. ``files`` are verified blobs by digest, which the content store takes by rename.

    ``manifest`` are the bytes of the image's own manifest, not of an index; ``name`` may be the index's digest.
    """

    layers: list[LayerBlob] = []
    files: dict[str, Path] = {}
    manifest: bytes = b""
    media_type: str = ""
    name: RepoDigest | None = None


class Kept:
    """The rows; a method that takes a transaction works within it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.ensure(_TABLES)

    def layer(self, diff_id: str) -> LayerBlob | None:
        """The archive that is kept for a layer."""
        rows = self._database.rows("SELECT * FROM layer_blobs WHERE diff_id = ?", diff_id)
        return LayerBlob(**dict(rows[0])) if rows else None

    def manifest(self, image_id: str) -> tuple[str, str] | None:
        """Digest and media type of the manifest that an image came with."""
        rows = self._database.rows("SELECT * FROM image_manifests WHERE image_id = ?", image_id)
        return (rows[0]["digest"], rows[0]["media_type"]) if rows else None

    def names(self, image_id: str) -> list[RepoDigest]:
        """An image's names by digest."""
        rows = self._database.rows("SELECT * FROM repo_digests WHERE image_id = ? ORDER BY repository", image_id)
        return [RepoDigest(row["repository"], row["digest"]) for row in rows]

    def find(self, repository: str, digest: str) -> str | None:
        """The id of the image that has a name by digest."""
        rows = self._database.rows(
            "SELECT image_id FROM repo_digests WHERE repository = ? AND digest = ?", repository, digest
        )
        return rows[0]["image_id"] if rows else None

    def needed(self) -> set[str]:
        """Every blob that a row needs."""
        return {row[0] for row in self._database.rows(_NEEDED)}

    def add(self, transaction: sqlite3.Connection, image_id: str, origin: Origin, manifest: str) -> None:
        """Note what an image came with; ``manifest`` is its digest, or empty. What was known of it is replaced."""
        for blob in origin.layers:
            self.add_layer(transaction, blob)
        if manifest:
            row = (image_id, manifest, origin.media_type)
            transaction.execute("INSERT OR REPLACE INTO image_manifests VALUES (?, ?, ?)", row)
        if origin.name is not None:
            name = (origin.name.repository, origin.name.digest, image_id)
            transaction.execute("INSERT OR REPLACE INTO repo_digests VALUES (?, ?, ?)", name)

    def add_layer(self, transaction: sqlite3.Connection, blob: LayerBlob) -> None:
        """Note a layer's archive."""
        transaction.execute(
            "INSERT OR REPLACE INTO layer_blobs VALUES (?, ?, ?, ?)",
            (blob.diff_id, blob.digest, blob.size, blob.media_type),
        )

    def drop_name(self, transaction: sqlite3.Connection, name: RepoDigest) -> None:
        """Forget a name by digest."""
        transaction.execute(
            "DELETE FROM repo_digests WHERE repository = ? AND digest = ?", (name.repository, name.digest)
        )

    def drop_layers(self, transaction: sqlite3.Connection) -> None:
        """Forget the archives of layers that are gone."""
        transaction.execute("DELETE FROM layer_blobs WHERE diff_id NOT IN (SELECT diff_id FROM layers)")
