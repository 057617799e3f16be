"""Layers: unpacked once each, named by chain ID, counted by images and children, never written to again.

A layer becomes visible by rename and known by its row, in that order; it is forgotten by its row and then
removed. What a crash leaves between the two is swept when the store is opened.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from containerlab.database import Database
from containerlab.errors import BadArchive
from containerlab.images import copied_views, trees, views
from containerlab.images._syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS, openat2
from containerlab.images.attributes import squashed_owner
from containerlab.images.bodies import Bodies
from containerlab.images.compression import ByteSource, Writable
from containerlab.images.extract import Extracted, extract
from containerlab.images.files import Reserve, no_room
from containerlab.images.folder import LayerFolder
from containerlab.images.hashing import Hashed
from containerlab.images.layer import Layer, Provenance, chain_id
from containerlab.images.layer_table import LayerTable, as_layer
from containerlab.images.limits import Limits
from containerlab.images.pack import pack
from containerlab.images.record import Recorder, replay, size_of
from containerlab.rung import copies_roots

__all__ = ["LayerStore"]

_RESERVE = 512 << 10  # a removal takes SQLite a few pages of its log


class LayerStore:
    """All layers of one store; safe to use from any thread."""

    def __init__(self, database: Database, store_folder: Path, *, limits: Limits | None = None) -> None:
        self._database, self._table = database, LayerTable(database)
        self._limits = limits or Limits()
        self._lock = threading.RLock()
        self._files = LayerFolder(store_folder / "layers", store_folder / "tmp")
        self._recover()
        self._reserve = Reserve(store_folder / "reserve", _RESERVE)

    @property
    def folder(self) -> Path:
        """What the names of ``lower`` are relative to."""
        return self._files.folder

    # -- reading -----------------------------------------------------------------------------

    def get(self, chain: str) -> Layer:
        """Raises ``NotFound``."""
        return self._table.get(chain)

    def has(self, chain: str) -> bool:
        """Whether the layer is known; a build asks this of its cache's records."""
        return self._table.has(chain)

    def chain(self, chain: str | None) -> list[Layer]:
        """A layer and all it stands on, base first. Raises ``NotFound``."""
        return [as_layer(row) for row in reversed(self._table.chain(chain))]

    def lower(self, chain: str | None) -> list[str]:
        """Overlayfs's names relative to ``folder``, top first; never empty. Raises ``NotFound``."""
        return self._files.lower([row["link"] for row in self._table.chain(chain)])

    def all(self) -> list[Layer]:
        """Every layer, in no order."""
        return [as_layer(row) for row in self._table.all()]

    def diff(self, chain: str) -> Path:
        """The folder of the layer's own files, to be read only; ``.wh.`` names are overlayfs's marks there."""
        self.get(chain)
        return self._files.diff(chain)

    def tar(self, chain: str, out: Writable) -> None:
        """The layer's own tar, byte for byte: that which was unpacked, or which ``commit`` hashed.

        Raises ``BadArchive``, when all of it is written, where the files were changed meanwhile.
        """
        diff_id = self.get(chain).diff_id
        hashed = Hashed()
        try:
            with trees.directory(self._files.diff(chain)) as fd:
                replay(self._files.of(chain), fd, _Both(out, hashed))
            if hashed.digest() != diff_id:
                raise BadArchive(f"the files of layer {chain} were changed on the disk")
        finally:
            hashed.close()

    def tar_size(self, chain: str) -> int:
        """How many bytes ``tar`` writes."""
        self.get(chain)
        return size_of(self._files.of(chain))

    @contextlib.contextmanager
    def mounted(
        self, chain: str | None, upper: Path | None = None, *, top: Path | None = None, volatile: bool = False
    ) -> Iterator[int]:
        """A descriptor of the directory that the layers up to ``chain`` make together.

        Read-only, or writable into ``upper``, with the folder ``work`` beside it for overlayfs. ``top`` is a folder
        that lies above the layers and isn't written to. ``volatile`` saves the sync at the end; that ``upper`` can't
        be mounted again. Raises ``NotFound``, ``HostLacks``.
        """
        if copies_roots():
            with copied_views.view(self._files, self.view(chain), upper, top) as fd:
                yield fd
            return
        links = [row["link"] for row in self._table.chain(chain)]
        lower = self._files.lower_of_two(links) if upper is None and top is None else self._files.lower(links)
        lower = [views.quoted(top), *lower] if top is not None else lower
        with (
            self._files.half_made("view") as mountpoint,
            views.overlay_view(self.folder, lower, mountpoint, upper=upper, volatile=volatile) as fd,
        ):
            yield fd

    # -- where nothing can be mounted ----------------------------------------------------------

    def view(self, chain: str | None) -> Path:
        """The tree that the layers up to ``chain`` make together, of links to their files: to be read, never written.

        Made once and kept with the layer. Raises ``NotFound``, ``StorageFull``.
        """
        if chain is None:
            return self._files.diff_of_nothing
        made = self._files.view(chain)
        if not made.exists():
            layers = [self._files.diff(layer.chain_id) for layer in self.chain(chain)]
            copied_views.make_view(self._files, layers, made)
        return made

    def gather(self, bundle: Path, chain: str | None, upper: Path, *, places: bool = False) -> None:
        """Into the empty ``upper`` what a container of ``bundle`` has changed in its copied root, as links.

        With ``places`` also what was made there for mounts.
        """
        copied_views.gather_bundle(bundle, self.view(chain), upper, places=places)

    # -- making ------------------------------------------------------------------------------

    def unpack(
        self,
        stream: ByteSource,
        parent: str | None,
        provenance: Provenance | None = None,
        *,
        diff_id: str | None = None,
        owner: str | None = None,
        bodies: Bodies | None = None,
    ) -> Layer:
        """Unpack a layer's archive on top of ``parent``; gives the layer that exists if it is known already.

        ``bodies`` may have files whose blocks are shared. The layer is pinned for ``owner`` the moment that it exists.
        Raises ``BadArchive`` when the plain stream's digest isn't ``diff_id``, and whatever ``extract`` raises.
        """
        below = self.chain(parent)
        with self._files.half_made("layer") as half:
            with no_room("a layer"):
                (half / "diff").mkdir()
                with trees.directory(half / "diff") as fd, contextlib.closing(Recorder(half)) as record:
                    os.fchmod(fd, 0o755)  # whatever the umask; the archive may say otherwise
                    done = extract(
                        stream,
                        fd,
                        limits=self._limits,
                        whiteouts=True,
                        implied=self._looks_of(below),
                        record=record,
                        bodies=bodies,
                    )
                    record.finish(fd)
            if diff_id is not None and done.diff_id != diff_id:
                raise BadArchive(f"the layer's digest is {done.diff_id}, but its image says {diff_id}")
            return self._publish(half, _described(done, parent, provenance), owner)

    def commit(self, upper: Path, parent: str | None, provenance: Provenance | None = None) -> Layer:
        """Make a layer of an overlay's upper directory, which is taken away by rename (on the same file system).

        Nothing may be mounted on ``upper`` any more. Its digest is that of its deterministic tar.
        """
        owner = squashed_owner()
        hashed = Hashed()
        with contextlib.closing(hashed), self._files.half_made("layer") as half:
            with trees.directory(upper) as fd, contextlib.closing(Recorder(half)) as record:
                packed = pack(fd, hashed, whiteouts=True, record=record)
                for path in packed.sockets:  # the archive hasn't them, so the layer hasn't
                    above, _, name = path.rpartition(b"/")
                    trees.remove_below(fd, above, name)
                # The top directory isn't in the archive: it looks as if unpacked from there.
                os.fchown(fd, *(owner or (0, 0)))
                os.fchmod(fd, 0o755)
                record.finish(fd)
            done = Extracted(hashed.digest(), packed.entries, packed.size, owner is not None)
            upper.rename(half / "diff")
            return self._publish(half, _described(done, parent, provenance), None)

    def _publish(self, half: Path, layer: Layer, owner: str | None) -> Layer:
        with no_room("a layer"):
            (half / "layer.json").write_bytes(msgspec.json.encode(layer))
        with self._lock:
            if self.has(layer.chain_id):
                if owner is not None:
                    self.pin(layer.chain_id, owner)
                self._files.bury_later(half)
                return self.get(layer.chain_id)
            link = self._files.adopt(half, layer.chain_id)
            try:
                self._table.insert(layer, link, owner)
            except BaseException:
                self._files.erase(layer.chain_id)
                raise
        return layer

    def _looks_of(self, below: list[Layer]) -> Callable[[bytes], os.stat_result | None]:
        """How a directory looks in the layers below, for one that the archive uses without listing it."""
        diffs = [self._files.diff(layer.chain_id) for layer in reversed(below)]

        def look(path: bytes) -> os.stat_result | None:
            for diff in diffs:
                try:
                    return _directory_status(diff, path)
                except FileNotFoundError:
                    continue
                except OSError:  # hidden, or no directory
                    return None
            return None

        return look

    # -- keeping and removing ------------------------------------------------------------------

    def pin(self, chain: str, owner: str) -> None:
        """Keep a layer (and all below it) for ``owner``, a container's or a build's id, until ``unpin``."""
        with self._lock:
            self._table.pin(chain, owner)

    def unpin(self, owner: str) -> None:
        """Let go of what ``owner`` pinned; the layers stay until ``prune``, or until their image goes."""
        with self._lock:
            self._table.unpin(owner)

    def end_errands(self) -> list[str]:
        """What a killed process was about to load or to save: its pins (whose owners have a dash in their names), and
        the layers that nothing else needs. Gives their chain IDs."""

        def forget(transaction: sqlite3.Connection) -> list[str]:
            left = transaction.execute("SELECT chain_id FROM layer_pins WHERE owner GLOB '*-*'").fetchall()
            transaction.execute("DELETE FROM layer_pins WHERE owner GLOB '*-*'")
            return [gone for row in left for gone in self.forget(row["chain_id"], transaction)]

        begun = self._database.rows("SELECT 1 FROM layer_pins WHERE owner GLOB '*-*' LIMIT 1")
        return self.removal(forget) if begun else []

    def settle(self, chain: str | None) -> None:
        """Write a chain's files to the disk; from here on a power cut can't take them."""
        pending = [row["chain_id"] for row in self._table.chain(chain) if row["boot_id"] is not None]
        if not pending:
            return
        with no_room("the layers of an image"):
            self._files.sync()
        self._table.settled(pending)

    def forget(self, chain: str | None, transaction: sqlite3.Connection) -> list[str]:
        """Within a transaction, drop the rows of ``chain`` and of what is below it, as far as nothing needs them.

        Gives the chain IDs, top first; ``removal`` runs such transactions.
        """
        return self._table.forget(chain, transaction)

    def _erase(self, chains: list[str]) -> None:
        for chain in chains:
            self._files.erase(chain)

    def remove(self, chain: str) -> list[str]:
        """Remove a layer, and what is below it, as far as nothing needs them; gives their chain IDs, top first."""
        return self.removal(lambda transaction: self.forget(chain, transaction))

    def prune(self) -> list[str]:
        """Remove every layer that no image, child or pin needs; gives their chain IDs."""

        def forget_all(transaction: sqlite3.Connection) -> list[str]:
            chains = [row["chain_id"] for row in transaction.execute("SELECT chain_id FROM layers")]
            return [gone for chain in chains for gone in self.forget(chain, transaction)]

        return self.removal(forget_all)

    def removal(self, forget: Callable[[sqlite3.Connection], list[str]]) -> list[str]:
        """Run ``forget`` in a durable transaction, then erase the layers it gave; works on a full disk."""
        with self._lock:
            try:
                with self._database.transaction(durable=True) as transaction:
                    gone = forget(transaction)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                    raise
                self._reserve.release()
                with self._database.transaction(durable=True) as transaction:
                    gone = forget(transaction)
            self._erase(gone)
            self._reserve.refill()
        return gone

    def finish_removals(self) -> None:
        """Wait for what is removed while nobody waits: files of layers that were made once more."""
        self._files.graves.finish()

    # -- upkeep ------------------------------------------------------------------------------

    def check(self) -> list[str]:
        """What is wrong, a sentence each: every row has its files, every file its row. Changes nothing."""
        problems: list[str] = []
        links = self._files.links()
        rows = self._table.all()
        for row in rows:
            chain = row["chain_id"]
            if not self._files.diff(chain).is_dir():
                problems.append(f"layer {chain}: its files are missing")
            elif not self._says(chain, row):
                problems.append(f"layer {chain}: layer.json doesn't say what its row says")
            if links.pop(row["link"], None) != chain:
                problems.append(f"layer {chain}: its link {row['link']} is missing or leads elsewhere")
        problems += [f"link {short}: no layer needs it" for short in links]
        known = {row["chain_id"] for row in rows}
        problems += [f"layer folder {chain}: no row knows it" for chain in self._files.chains() if chain not in known]
        return problems

    def _says(self, chain: str, row: sqlite3.Row) -> bool:
        try:
            text = self._files.diff(chain).with_name("layer.json").read_bytes()
            return msgspec.json.decode(text, type=Layer) == as_layer(row)
        except (OSError, msgspec.DecodeError):
            return False

    def _recover(self) -> None:
        self._table.forget_lost()
        self._files.sweep({row["chain_id"]: row["link"] for row in self._table.all()})


class _Both:
    """Two places to write to as one."""

    def __init__(self, first: Writable, second: Writable) -> None:
        self._first, self._second = first, second

    def write(self, data: bytes, /) -> None:
        self._first.write(data)
        self._second.write(data)


def _directory_status(diff: Path, path: bytes) -> os.stat_result:
    with trees.directory(diff) as fd:
        found = openat2(fd, path, os.O_PATH | os.O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)
    try:
        return os.fstat(found)
    finally:
        os.close(found)


def _described(done: Extracted, parent: str | None, provenance: Provenance | None) -> Layer:
    chain = chain_id(parent, done.diff_id)
    return Layer(chain, done.diff_id, parent, done.size, provenance or Provenance(), done.squashed)
