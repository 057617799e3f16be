"""Layers on the disk: unpacked once each, named by chain ID, counted by images and children, never written to again.

    layers/HEX/diff         the unpacked files, overlayfs's marks in place of ``.wh.`` names
    layers/HEX/layer.json   chain ID, diff ID, parent, size, provenance
    layers/l/SHORT          a link to ../HEX/diff; mount(2) has one page for all names
    layers/empty/diff       what an overlay without any layer stands on

A layer becomes visible by rename and known by its row, in that order; it is forgotten by its row and then removed. What a crash
leaves between the two is swept when the store is opened. A row says under which boot it was written until the image that uses it is
synced to disk: after a power cut such a layer is not trusted.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from containerlab.database import Database
from containerlab.errors import BadArchive, NotFound
from containerlab.images import trees, views
from containerlab.images._syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS, openat2, syncfs
from containerlab.images.attributes import squashed_owner
from containerlab.images.compression import ByteSource
from containerlab.images.extract import Extracted, extract
from containerlab.images.files import no_room
from containerlab.images.limits import Limits
from containerlab.images.pack import Writable, pack

__all__ = ["Layer", "LayerStore", "Provenance", "chain_id"]

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
_EMPTY = "empty"
_LINK_DIGITS = 16


class Provenance(msgspec.Struct, omit_defaults=True):
    """Where a layer comes from: the instruction, its Dockerfile and line (from 1; 0: unknown)."""

    created_by: str = ""
    dockerfile: str = ""
    line: int = 0


class Layer(msgspec.Struct, frozen=True):
    """One layer. ``size`` is the bytes of its own files; ``squashed`` tells that owners were not kept."""

    chain_id: str
    diff_id: str
    parent: str | None
    size: int
    provenance: Provenance
    squashed: bool = False


def chain_id(parent: str | None, diff_id: str) -> str:
    """The OCI chain ID (config.md, "Layer ChainID") of a layer on top of ``parent``."""
    if parent is None:
        return diff_id
    return "sha256:" + hashlib.sha256(f"{parent} {diff_id}".encode()).hexdigest()


class _Hasher:
    """A place to pack into: counts and hashes."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def write(self, data: bytes, /) -> None:
        self._hash.update(data)

    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()


class LayerStore:
    """All layers of one store; safe to use from any thread."""

    def __init__(self, database: Database, store_folder: Path, *, limits: Limits | None = None) -> None:
        self._database = database
        self._folder = store_folder / "layers"
        self._scratch = store_folder / "tmp"
        self._limits = limits or Limits()
        self._lock = threading.RLock()
        self._boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        database.ensure(_TABLES)
        for folder in (self._scratch, self._folder / "l", self._folder / _EMPTY / "diff"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._link(_EMPTY, _EMPTY)

    # -- reading ---------------------------------------------------------------------------------

    def get(self, chain: str) -> Layer:
        """Raises ``NotFound``."""
        found = self._database.rows("SELECT * FROM layers WHERE chain_id = ?", chain)
        if not found:
            raise NotFound(f"no such layer: {chain}")
        return _layer(found[0])

    def has(self, chain: str) -> bool:
        """Whether the layer is known; a build asks this of its cache's records."""
        return bool(self._database.rows("SELECT 1 FROM layers WHERE chain_id = ?", chain))

    def chain(self, chain: str | None) -> list[Layer]:
        """A layer and all it stands on, base first."""
        found: list[Layer] = []
        while chain is not None:
            layer = self.get(chain)
            found.append(layer)
            chain = layer.parent
        return found[::-1]

    def lower(self, chain: str | None) -> list[str]:
        """Overlay's ``lowerdir`` names relative to the layers' folder, top first; never empty."""
        rows = self._database.rows(
            "WITH RECURSIVE up (chain_id, link, parent, depth) AS ("
            " SELECT chain_id, link, parent, 0 FROM layers WHERE chain_id = ?"
            " UNION ALL SELECT layers.chain_id, layers.link, layers.parent, depth + 1"
            " FROM layers JOIN up ON layers.chain_id = up.parent) SELECT link FROM up ORDER BY depth",
            chain,
        )
        if chain is not None and not rows:
            raise NotFound(f"no such layer: {chain}")
        return [f"l/{row['link']}" for row in rows] or [f"l/{_EMPTY}"]

    def all(self) -> list[Layer]:
        """Every layer, in no order."""
        return [_layer(row) for row in self._database.rows("SELECT * FROM layers")]

    def tar(self, chain: str, out: Writable) -> None:
        """The layer's own deterministic tar, as ``commit`` hashes it."""
        self.get(chain)
        with trees.directory(self._diff(chain)) as fd:
            pack(fd, out, whiteouts=True)

    @contextmanager
    def mounted(
        self, chain: str | None, upper: Path | None = None, *, volatile: bool = False
    ) -> Iterator[int]:
        """A descriptor of the directory that layers ``chain`` and below make together.

        Read-only, or writable into ``upper`` (the folder ``work`` beside it serves overlayfs). Close-on-exec.
        """
        lower = self.lower(chain)
        if upper is None and len(lower) == 1:
            lower.append(f"l/{_EMPTY}")  # overlayfs wants two where nothing is written
            if lower[0] == lower[1]:
                (self._folder / _EMPTY / "diff2").mkdir(exist_ok=True)
                lower[1] = f"{_EMPTY}/diff2"
        work = None
        if upper is not None:
            work = upper.with_name("work")
            work.mkdir(exist_ok=True, mode=0o700)
        mountpoint = self._scratch / f"view-{secrets.token_hex(8)}"
        mountpoint.mkdir(mode=0o700)
        try:
            with views.overlay_view(
                self._folder, lower, mountpoint, upper=upper, work=work, volatile=volatile
            ) as fd:
                yield fd
        finally:
            mountpoint.rmdir()

    # -- making ----------------------------------------------------------------------------------

    def unpack(
        self,
        stream: ByteSource,
        parent: str | None,
        provenance: Provenance | None = None,
        *,
        diff_id: str | None = None,
    ) -> Layer:
        """Unpack a layer's archive on top of ``parent``; gives the layer that exists if it is known already.

        Raises ``BadArchive`` when the plain stream's digest isn't ``diff_id``, and whatever ``extract`` raises.
        """
        if parent is not None:
            self.get(parent)
        with self._half_made() as half:
            (half / "diff").mkdir(mode=0o755)
            with no_room("a layer"), trees.directory(half / "diff") as fd:
                done = extract(
                    stream,
                    fd,
                    limits=self._limits,
                    owner=squashed_owner(),
                    whiteouts=True,
                    implied=self._implied(parent),
                )
            if diff_id is not None and done.diff_id != diff_id:
                raise BadArchive(f"the layer's digest is {done.diff_id}, but its image says {diff_id}")
            return self._publish(half, _described(done, parent, provenance))

    def commit(self, upper: Path, parent: str | None, provenance: Provenance | None = None) -> Layer:
        """Make a layer of an overlay's upper directory, which is taken away by rename (on the same file system).

        Nothing may be mounted on ``upper`` any more. Its digest is that of its deterministic tar.
        """
        hasher = _Hasher()
        with trees.directory(upper) as fd:
            packed = pack(fd, hasher, whiteouts=True)
            os.fchmod(fd, 0o755)
            os.fchown(fd, *(squashed_owner() or (0, 0)))
        done = Extracted(hasher.digest(), packed.entries, packed.size, squashed_owner() is not None)
        with self._half_made() as half:
            upper.rename(half / "diff")
            return self._publish(half, _described(done, parent, provenance))

    @contextmanager
    def _half_made(self) -> Iterator[Path]:
        half = self._scratch / f"layer-{secrets.token_hex(8)}"
        half.mkdir(mode=0o700)
        try:
            yield half
        finally:
            self._discard(half)

    def _publish(self, half: Path, layer: Layer) -> Layer:
        (half / "layer.json").write_bytes(msgspec.json.encode(layer))
        name = _hex(layer.chain_id)
        with self._lock:
            if self.has(layer.chain_id):
                return self.get(layer.chain_id)
            target = self._folder / name
            if target.exists():
                self._bury(target)  # files without a row: left by a crash
            half.rename(target)
            link = self._free_link(name)
            with self._database.transaction(durable=False) as transaction:
                transaction.execute(
                    "INSERT INTO layers VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        layer.chain_id,
                        layer.diff_id,
                        layer.parent,
                        link,
                        layer.size,
                        msgspec.json.encode(layer.provenance).decode(),
                        layer.squashed,
                        self._boot_id,
                    ),
                )
        return layer

    def _free_link(self, name: str) -> str:
        """The first digits of the chain ID, more of them should two layers share those."""
        digits = _LINK_DIGITS
        while not self._link(name[:digits], name):
            digits += 8
        return name[:digits]

    def _link(self, short: str, name: str) -> bool:
        target = f"../{name}/diff"
        path = self._folder / "l" / short
        try:
            path.symlink_to(target)
        except FileExistsError:
            return str(path.readlink()) == target
        return True

    def _implied(self, parent: str | None) -> Callable[[bytes], os.stat_result | None]:
        """Directories that a layer uses without listing them look as they do in the layers below."""
        diffs = [self._diff(layer.chain_id) for layer in reversed(self.chain(parent))]

        def look(path: bytes) -> os.stat_result | None:
            for diff in diffs:
                try:
                    with trees.directory(diff) as fd:
                        found = openat2(
                            fd, path, os.O_PATH | os.O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS
                        )
                except FileNotFoundError:
                    continue
                except OSError:
                    return None
                try:
                    return os.fstat(found)
                finally:
                    os.close(found)
            return None

        return look

    # -- keeping and removing ----------------------------------------------------------------------

    def pin(self, chain: str, owner: str) -> None:
        """Keep a layer (and all below it) for ``owner``, a container's or a build's id, until ``unpin``."""
        with self._lock, self._database.transaction(durable=False) as transaction:
            try:
                transaction.execute("INSERT OR IGNORE INTO layer_pins VALUES (?, ?)", (owner, chain))
            except sqlite3.IntegrityError:
                raise NotFound(f"no such layer: {chain}") from None

    def unpin(self, owner: str) -> None:
        """Let go of what ``owner`` pinned; the layers stay until ``remove`` or ``prune``."""
        with self._lock, self._database.transaction(durable=False) as transaction:
            transaction.execute("DELETE FROM layer_pins WHERE owner = ?", (owner,))

    def remove(self, chain: str | None, transaction: sqlite3.Connection) -> list[str]:
        """Within a transaction, forget ``chain`` and what is below it as far as nothing else needs it.

        Gives the chain IDs; ``erase`` removes their files once the transaction is committed.
        """
        gone: list[str] = []
        while chain is not None and not _needed(transaction, chain):
            row = transaction.execute("SELECT parent FROM layers WHERE chain_id = ?", (chain,)).fetchone()
            if row is None:
                break
            transaction.execute("DELETE FROM layers WHERE chain_id = ?", (chain,))
            gone.append(chain)
            chain = row["parent"]
        return gone

    def erase(self, chains: list[str]) -> None:
        """Remove the files of layers whose rows are gone."""
        for chain in chains:
            name = _hex(chain)
            with self._lock:
                if self.has(chain):  # made again meanwhile
                    continue
                self._unlink(name)
                self._bury(self._folder / name)

    def prune(self) -> list[str]:
        """Remove every layer that no image, child or pin needs; gives their chain IDs."""
        gone: list[str] = []
        with self._lock, self._database.transaction(durable=True) as transaction:
            leaves = transaction.execute(
                "SELECT chain_id FROM layers WHERE chain_id NOT IN"
                " (SELECT parent FROM layers WHERE parent IS NOT NULL)"
            ).fetchall()
            for row in leaves:
                gone += self.remove(row["chain_id"], transaction)
        self.erase(gone)
        return gone

    def sync(self, transaction: sqlite3.Connection, chain: str | None) -> None:
        """Within the transaction that registers an image: its layers are on the disk, and say so."""
        layers = [layer.chain_id for layer in self.chain(chain)]
        marks = ",".join("?" * len(layers))
        pending = f"SELECT 1 FROM layers WHERE boot_id IS NOT NULL AND chain_id IN ({marks})"
        if not layers or transaction.execute(pending, layers).fetchone() is None:
            return
        with trees.directory(self._folder) as fd, no_room("the layers of an image"):
            syncfs(fd)
        transaction.execute(f"UPDATE layers SET boot_id = NULL WHERE chain_id IN ({marks})", layers)

    def _unlink(self, name: str) -> None:
        for digits in range(_LINK_DIGITS, len(name) + 1, 8):
            path = self._folder / "l" / name[:digits]
            if path.is_symlink() and str(path.readlink()) == f"../{name}/diff":
                path.unlink()

    def _bury(self, path: Path) -> None:
        """First out of sight by one rename, then removed piece by piece."""
        grave = self._scratch / f"gone-{secrets.token_hex(8)}"
        try:
            path.rename(grave)
        except FileNotFoundError:
            return
        self._discard(grave)

    def _discard(self, path: Path) -> None:
        with trees.directory(path.parent) as fd:
            trees.remove_at(fd, path.name)

    def _diff(self, chain: str) -> Path:
        return self._folder / _hex(chain) / "diff"


def _hex(chain: str) -> str:
    return chain.removeprefix("sha256:")


def _needed(transaction: sqlite3.Connection, chain: str) -> bool:
    return (
        transaction.execute(
            "SELECT 1 FROM layers WHERE parent = :chain UNION ALL SELECT 1 FROM images WHERE chain_id = :chain"
            " UNION ALL SELECT 1 FROM layer_pins WHERE chain_id = :chain",
            {"chain": chain},
        ).fetchone()
        is not None
    )


def _layer(row: sqlite3.Row) -> Layer:
    return Layer(
        row["chain_id"],
        row["diff_id"],
        row["parent"],
        row["size"],
        msgspec.json.decode(row["provenance"], type=Provenance),
        bool(row["squashed"]),
    )


def _described(done: Extracted, parent: str | None, provenance: Provenance | None) -> Layer:
    return Layer(
        chain_id(parent, done.diff_id),
        done.diff_id,
        parent,
        done.size,
        provenance or Provenance(),
        done.squashed,
    )
