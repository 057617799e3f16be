"""What files held when they were last read: only what changed since is read again.

A file of a folder on this host is taken for unchanged while its inode, size, mtime and ctime are (as git's index has
it): no program can set the ctime. One that was changed just before it was read isn't remembered, because a second
change within the clock's tick would look the same. What lies below a layer never changes: there the digest of every
path that a COPY named is kept by the layer's chain ID.
"""

from __future__ import annotations

import json
import os
import time

import msgspec

from containerlab.database import Database

__all__ = ["ContentDigests", "FileDigests", "Known"]

_TABLES = """
CREATE TABLE IF NOT EXISTS build_files (
    folder TEXT PRIMARY KEY,
    used REAL NOT NULL,
    files BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS build_contents (
    chain_id TEXT NOT NULL,
    selection TEXT NOT NULL,
    used REAL NOT NULL,
    found TEXT NOT NULL,
    PRIMARY KEY (chain_id, selection)
) WITHOUT ROWID;
"""
_FOLDERS = 20
_CONTENTS = 10_000
_FILES = 400_000
_TICK_NS = 100_000_000  # the kernel's coarse clock ticks every 4 to 10 ms
_COARSE_NS = 2_100_000_000  # FAT's whole two seconds

_File = tuple[int, int, int, bytes]  # size, mtime, ctime, digest


class Known:
    """The digests of one folder's files, by inode; of one device."""

    def __init__(self, folder: str = "", files: dict[int, _File] | None = None) -> None:
        self.folder, self.files = folder, files or {}
        self.changed = False
        self._device = int(folder.partition(":")[0]) if folder else -1

    def get(self, status: os.stat_result) -> bytes | None:
        """The digest of a file that looks as it did then."""
        known = self.files.get(status.st_ino)
        if known is None or status.st_dev != self._device:
            return None
        same = known[:3] == (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        return known[3] if same else None

    def put(self, before: os.stat_result, after: os.stat_result, digest: bytes) -> None:
        """Remember a digest, if the file was at rest while it was read."""
        looks = (before.st_ino, before.st_size, before.st_mtime_ns, before.st_ctime_ns)
        if before.st_dev != self._device or looks != (
            after.st_ino, after.st_size, after.st_mtime_ns, after.st_ctime_ns
        ):  # fmt: skip
            return
        newest = max(before.st_mtime_ns, before.st_ctime_ns)
        tick = _COARSE_NS if before.st_ctime_ns % 1_000_000_000 == 0 else _TICK_NS
        if time.time_ns() - newest > tick and (looks[0] in self.files or len(self.files) < _FILES):
            self.files[looks[0]] = (*looks[1:], digest)
            self.changed = True


class FileDigests:
    """What is known of the folders that were built last."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.ensure(_TABLES)

    def load(self, folder: str) -> Known:
        """``folder`` is its device's number, a colon, and its path."""
        rows = self._database.rows("SELECT files FROM build_files WHERE folder = ?", folder)
        try:
            return Known(folder, msgspec.msgpack.decode(rows[0]["files"], type=dict[int, _File]) if rows else None)
        except msgspec.DecodeError:
            return Known(folder)

    def save(self, known: Known) -> None:
        """Keep what was learnt; the folders that weren't built for longest are forgotten."""
        if not known.changed:
            return
        with self._database.transaction(durable=False) as transaction:
            values = (known.folder, time.time(), msgspec.msgpack.encode(known.files))
            transaction.execute("INSERT OR REPLACE INTO build_files VALUES (?, ?, ?)", values)
            transaction.execute(
                "DELETE FROM build_files WHERE folder NOT IN"
                " (SELECT folder FROM build_files ORDER BY used DESC LIMIT ?)",
                (_FOLDERS,),
            )
        known.changed = False


class ContentDigests:
    """What a COPY found below a layer: names and digests."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.ensure(_TABLES)

    def find(self, chain_id: str, selection: str) -> list[tuple[str, str]] | None:
        """(name, digest) of each thing found, if the same was asked before."""
        rows = self._database.rows(
            "SELECT found FROM build_contents WHERE chain_id = ? AND selection = ?", chain_id, selection
        )
        return [(name, digest) for name, digest in json.loads(rows[0]["found"])] if rows else None

    def put(self, chain_id: str, selection: str, found: list[tuple[str, str]]) -> None:
        """Remember it; the oldest are forgotten beyond 10,000."""
        with self._database.transaction(durable=False) as transaction:
            values = (chain_id, selection, time.time(), json.dumps(found))
            transaction.execute("INSERT OR REPLACE INTO build_contents VALUES (?, ?, ?, ?)", values)
            transaction.execute(
                "DELETE FROM build_contents WHERE used < (SELECT used FROM build_contents"
                " ORDER BY used DESC LIMIT 1 OFFSET ?)",
                (_CONTENTS,),
            )
