"""Images and their names: which exist, what they are called, which layers they keep.

An image is its config blob (in the content store), a row, and the chain of layers it names. Making one: the
layers reach the disk, the blob is written, the row commits last. Removing one: the row goes first.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from pathlib import Path

import msgspec

from containerlab.database import Database
from containerlab.errors import ContainerlabError, InvalidParameter, InvalidReference, NoSuchImage, NotFound
from containerlab.images.config import ImageConfig, encode, parse_config
from containerlab.images.content import ContentStore
from containerlab.images.kept import Kept, LayerBlob, Origin, RepoDigest
from containerlab.images.layer import chain_id
from containerlab.images.layers import LayerStore
from containerlab.images.limits import CONFIG_BYTES, Limits
from containerlab.images.reference import DIGEST, Reference
from containerlab.images.shared import SharedStore

__all__ = ["Image", "ImageStore"]

_TABLES = """
CREATE TABLE IF NOT EXISTS images (
    id TEXT PRIMARY KEY,
    chain_id TEXT REFERENCES layers (chain_id),
    size INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS images_chain ON images (chain_id);
CREATE TABLE IF NOT EXISTS tags (
    reference TEXT PRIMARY KEY,
    image_id TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE
);
"""
_ChainIds = list[str]
_Problems = list[str]
_Tags = list[Reference]

_ID_PREFIX = re.compile(r"(?:sha256:)?([a-f0-9]{1,64})")


class Image(msgspec.Struct, frozen=True):
    """One image. ``chain_ids`` and ``diff_ids`` are base first, ``tags`` sorted, ``size`` in bytes.

    ``digests`` are its names by digest, of the registries that it was pulled from or pushed to.
    """

    id: str
    config: ImageConfig
    chain_ids: list[str]
    tags: list[Reference]
    size: int
    digests: list[RepoDigest] = []

    @property
    def diff_ids(self) -> list[str]:
        """The digests of the layers' plain tars, base first."""
        return self.config.rootfs.diff_ids

    @property
    def chain_id(self) -> str | None:
        """The top layer's chain ID; None for an image without layers."""
        return self.chain_ids[-1] if self.chain_ids else None

    @property
    def created(self) -> str:
        """RFC 3339, or empty."""
        return self.config.created


class ImageStore:
    """The images of one store folder; safe to use from any thread. ``shared``: the folder of those that users share."""

    def __init__(
        self, database: Database, store_folder: Path, *, limits: Limits | None = None, shared: Path | None = None
    ) -> None:
        self._database = database
        self._lock = threading.RLock()
        self._embedding = threading.RLock()
        self._configs: dict[str, ImageConfig] = {}
        self.layers = LayerStore(database, store_folder, limits=limits)
        database.ensure(_TABLES)
        self.shared = SharedStore(shared) if shared is not None else None
        self.content = ContentStore(store_folder / "content", store_folder / "tmp", self.shared)
        self.kept = Kept(database)
        self.layers.end_errands()
        self._sweep_blobs()

    # -- reading ---------------------------------------------------------------------------------

    def get(self, image_id: str) -> Image:
        """By full id; raises ``NoSuchImage``."""
        found = self._database.rows("SELECT * FROM images WHERE id = ?", image_id)
        if not found:
            raise NoSuchImage(image_id)
        return self._image(found[0])

    def list(self) -> list[Image]:
        """Every image, in no order."""
        return [self._image(row) for row in self._database.rows("SELECT * FROM images")]

    def resolve(self, name: str) -> Image:
        """By full id, reference, or unique beginning of an id; shared and embedded images are taken on first use.

        Raises ``NoSuchImage``, with near names as its hint, and ``InvalidReference``.
        """
        if DIGEST.fullmatch(name) or re.fullmatch(r"[a-f0-9]{64}", name):
            return self.get("sha256:" + name.removeprefix("sha256:"))
        reference: Reference | None
        try:
            reference = Reference.parse(name)
        except InvalidReference:
            if _ID_PREFIX.fullmatch(name) is None:
                raise
            reference = None
        found = self._by_reference(reference) if reference is not None else None
        found = found or self._by_prefix(name)
        if found is None and reference is not None:
            found = self.from_shared(reference) or self._embedded(reference)
        if found is None:
            raise NoSuchImage(reference.familiar() if reference else name, hint=self.near(name))
        return found

    def lookup(self, name: str) -> Image | None:
        """By reference alone, and nothing is made: the answer takes microseconds."""
        try:
            return self._by_reference(Reference.parse(name))
        except InvalidReference:
            return None

    def _by_reference(self, reference: Reference) -> Image | None:
        if reference.digest:
            named = self.kept.find(reference.name(), reference.digest)
            if named is not None:
                return self.get(named)
            found = self._database.rows("SELECT * FROM images WHERE id = ?", reference.digest)
            names = {tag.name() for tag in self._tags(reference.digest)}
            return self._image(found[0]) if found and reference.name() in names else None
        rows = self._database.rows(
            "SELECT images.* FROM tags JOIN images ON images.id = image_id WHERE reference = ?", str(reference)
        )
        return self._image(rows[0]) if rows else None

    def _by_prefix(self, text: str) -> Image | None:
        match = _ID_PREFIX.fullmatch(text)
        if match is None:
            return None
        start = f"sha256:{match[1]}"
        rows = self._database.rows("SELECT * FROM images WHERE id >= ? AND id < ? LIMIT 2", start, start + "g")
        if len(rows) > 1:
            raise InvalidParameter(f"image id {text} is ambiguous", hint="give more of its digits")
        return self._image(rows[0]) if rows else None

    def from_shared(self, reference: Reference) -> Image | None:
        """Take the image of that name out of the shared store; None where it has none. Raises what ``take`` raises."""
        descriptor = self.shared.find(reference) if self.shared is not None else None
        if self.shared is None or descriptor is None:
            return None
        from containerlab.images.take_shared import take

        with self._embedding:
            return self._by_reference(reference) or take(self, self.shared, descriptor, reference)

    def _embedded(self, reference: Reference) -> Image | None:
        from containerlab.images import embedded  # late: it is large, and few starts need it

        name = reference.familiar_name()
        if name not in embedded.NAMES or reference.tag != "latest":
            return None
        with self._embedding:
            return self._by_reference(reference) or embedded.build(name, self)

    def near(self, name: str) -> str:
        """A hint that names what is called nearly so; empty when nothing is."""
        import difflib  # for mistakes alone: an engine at rest does without

        from containerlab.images import embedded

        rows = self._database.rows("SELECT reference FROM tags")
        known = {_short(Reference.parse(row["reference"]).familiar()) for row in rows} | set(embedded.NAMES)
        known.discard(_short(name))
        near = difflib.get_close_matches(_short(name), sorted(known), n=3, cutoff=0.5)
        return f"Did you mean {' or '.join(near)}?" if near else ""

    # -- writing ---------------------------------------------------------------------------------

    def create(self, config: ImageConfig, chain: str | None, ref: Reference | str | None = None) -> Image:
        """Register an image whose layers are there, and name it; the same config gives the image that exists.

        Raises ``InvalidParameter`` when the config's diff IDs aren't those of the layers.
        """
        return self.register(encode(config), chain, ref)

    def register(
        self, config: bytes, chain: str | None, ref: Reference | str | None = None, *, origin: Origin | None = None
    ) -> Image:
        """The same for a config blob as it came, with what came beside it.

        Raises ``InvalidParameter``, and ``BadArchive`` for a blob that is no image's config.
        """
        layers = self.layers.chain(chain)
        if parse_config(config).rootfs.diff_ids != [layer.diff_id for layer in layers]:
            raise InvalidParameter("the image config lists other layers than those it is made of")
        origin = origin or Origin()
        size = sum(layer.size for layer in layers)
        with self._lock:
            # Blobs that no row needs yet are safe from a sweep as long as the lock is held.
            for digest, file in origin.files.items():
                self.content.adopt(digest, file)
            self.layers.settle(chain)
            manifest = self.content.put(origin.manifest) if origin.manifest else ""
            image_id = self.content.put(config)
            try:
                with self._database.transaction(durable=True) as transaction:
                    transaction.execute("INSERT OR IGNORE INTO images VALUES (?, ?, ?)", (image_id, chain, size))
                    self.kept.add(transaction, image_id, origin, manifest)
                    if ref is not None:
                        _tag(transaction, image_id, ref)
            except sqlite3.IntegrityError:
                self._sweep_blobs()
                raise NotFound(f"no such layer: {chain}") from None  # removed meanwhile
            return self.get(image_id)

    def keep_layer(self, blob: LayerBlob, file: Path) -> None:
        """Keep the verified archive of a layer that is there, taking ``file`` by rename."""
        with self._lock:
            self.content.adopt(blob.digest, file)
            with self._database.transaction(durable=False) as transaction:
                self.kept.add_layer(transaction, blob)

    def keep_origin(self, image_id: str, origin: Origin) -> None:
        """Note what an image was sent as: its manifest and its name by digest. Raises ``NoSuchImage``."""
        with self._lock:
            self.get(image_id)
            manifest = self.content.put(origin.manifest) if origin.manifest else ""
            with self._database.transaction(durable=True) as transaction:
                self.kept.add(transaction, image_id, origin, manifest)

    def tag(self, image_id: str, ref: Reference | str) -> None:
        """Give an image a name, taken from the image that had it. Raises ``NoSuchImage``, ``InvalidReference``."""
        self.get(image_id)
        with self._lock, self._database.transaction(durable=True) as transaction:
            _tag(transaction, image_id, ref)

    def untag(self, ref: Reference | str) -> None:
        """Take a name away; the image stays. Raises ``NoSuchImage`` when nothing has that name."""
        reference = _parsed(ref)
        with self._lock, self._database.transaction(durable=True) as transaction:
            done = transaction.execute("DELETE FROM tags WHERE reference = ?", (str(reference),))
            if not done.rowcount:
                raise NoSuchImage(reference.familiar())

    def untag_digest(self, name: RepoDigest) -> None:
        """Take a name by digest away; the image stays."""
        with self._lock, self._database.transaction(durable=True) as transaction:
            self.kept.drop_name(transaction, name)

    def remove(self, image_id: str) -> _ChainIds:
        """Remove an image, its names, and the layers that nothing else needs; gives their chain IDs, top first."""
        image = self.get(image_id)

        def forget(transaction: sqlite3.Connection) -> _ChainIds:
            transaction.execute("DELETE FROM images WHERE id = ?", (image_id,))
            gone = self.layers.forget(image.chain_id, transaction)
            self.kept.drop_layers(transaction)
            return gone

        with self._lock:
            gone = self.layers.removal(forget)
            self._configs.pop(image_id, None)
            self._sweep_blobs()
        return gone

    def prune_layers(self) -> _ChainIds:
        """Remove every layer that no image, child or pin needs, and what was kept for it; gives their chain IDs."""
        with self._lock:
            gone = self.layers.prune()
            self._sweep_blobs()
        return gone

    # -- upkeep ----------------------------------------------------------------------------------

    def check(self) -> _Problems:
        """What is wrong, a sentence each: every row has its files, every file its row. Changes nothing."""
        problems = self.layers.check()
        for row in self._database.rows("SELECT * FROM images"):
            try:
                image = self._image(row, fresh=True)
            except ContainerlabError as error:
                problems.append(f"image {row['id']}: {error.message}")
                continue
            if image.chain_id != row["chain_id"]:
                problems.append(f"image {row['id']}: its config names other layers than its row")
        needed, found = self.kept.needed(), set(self.content.digests())
        problems += [f"blob {digest}: no image needs it" for digest in sorted(found - needed)]
        missing = [digest for digest in sorted(needed - found) if not self.content.has(digest)]
        return problems + [f"blob {digest}: it is missing" for digest in missing]

    def _sweep_blobs(self) -> None:
        """Remove the blobs whose rows went, or never came."""
        with self._lock:
            with self._database.transaction(durable=False) as transaction:
                self.kept.drop_layers(transaction)
            for digest in sorted(set(self.content.digests()) - self.kept.needed()):
                self.content.remove(digest)

    # -- rows to images --------------------------------------------------------------------------

    def _image(self, row: sqlite3.Row, *, fresh: bool = False) -> Image:
        config = None if fresh else self._configs.get(row["id"])
        if config is None:
            config = self._configs[row["id"]] = parse_config(self.content.read(row["id"], most=CONFIG_BYTES))
        chains: _ChainIds = []
        for diff_id in config.rootfs.diff_ids:
            chains.append(chain_id(chains[-1] if chains else None, diff_id))
        return Image(row["id"], config, chains, self._tags(row["id"]), row["size"], self.kept.names(row["id"]))

    def _tags(self, image_id: str) -> _Tags:
        rows = self._database.rows("SELECT reference FROM tags WHERE image_id = ? ORDER BY reference", image_id)
        return [Reference.parse(row["reference"]) for row in rows]


def _short(name: str) -> str:
    return name.removesuffix(":latest")


def _parsed(ref: Reference | str) -> Reference:
    return Reference.parse(ref) if isinstance(ref, str) else ref


def _tag(transaction: sqlite3.Connection, image_id: str, ref: Reference | str) -> None:
    reference = _parsed(ref)
    if reference.digest:
        raise InvalidReference("refusing to create a tag with a digest reference")
    transaction.execute("INSERT OR REPLACE INTO tags VALUES (?, ?)", (str(reference), image_id))
