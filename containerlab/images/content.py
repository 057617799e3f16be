"""The content store: an OCI image layout whose blobs are named by the digest of their bytes.

OCI image spec, image-layout.md: ``oci-layout``, ``index.json``, ``blobs/sha256/HEX``. A blob appears by
rename, fsynced and with its digest verified, or not at all. A digest is checked against its grammar before it
becomes part of a path.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from containerlab.errors import BadArchive, NotFound
from containerlab.images.compression import CHUNK, ByteSource
from containerlab.images.files import no_room, write_durably
from containerlab.images.reference import DIGEST
from containerlab.images.shared import SharedStore

__all__ = ["ContentStore"]


class ContentStore:
    """Blobs below ``folder``; ``scratch`` is on the same file system and holds what is half-written.

    What isn't there is read in ``shared``, which is never written to.
    """

    def __init__(self, folder: Path, scratch: Path, shared: SharedStore | None = None) -> None:
        self._folder, self._scratch, self._shared = folder, scratch, shared
        self._blobs = folder / "blobs" / "sha256"
        self._blobs.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, text in (
            ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
            ("index.json", b'{"schemaVersion":2,"manifests":[]}'),
        ):
            if not (folder / name).exists():
                write_durably(folder / name, text)

    def put(self, data: bytes) -> str:
        """Keep ``data``; gives its digest ``sha256:HEX``."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        if not path.exists():
            write_durably(path, data, scratch=self._scratch)
        return digest

    def ingest(self, source: ByteSource, digest: str, *, most: int) -> int:
        """Keep a stream that claims to be ``digest``; gives its size in bytes.

        Raises ``BadArchive`` when it isn't, or is larger than ``most`` bytes; nothing is kept then.
        """
        path = self._path(digest)
        hasher = hashlib.sha256()
        size = 0
        half = self._scratch / f"blob-{secrets.token_hex(8)}"
        try:
            with no_room("a blob"), open(half, "xb") as file:
                while data := source.read(CHUNK):
                    size += len(data)
                    if size > most:
                        raise BadArchive(f"the blob {digest} is larger than {most} bytes")
                    hasher.update(data)
                    file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if hasher.hexdigest() != digest.removeprefix("sha256:"):
                raise BadArchive(f"the blob {digest} holds other bytes, of sha256:{hasher.hexdigest()}")
            half.rename(path)
        finally:
            half.unlink(missing_ok=True)
        return size

    def read(self, digest: str, *, most: int) -> bytes:
        """The bytes of a blob, verified.

        Raises ``NotFound``, and ``BadArchive`` when they changed or are more than ``most``.
        """
        try:
            with open(self._path(digest), "rb") as file:
                data = file.read(most + 1)
        except FileNotFoundError:
            raise NotFound(f"the blob {digest} is missing from the content store") from None
        if len(data) > most:
            raise BadArchive(f"the blob {digest} is larger than {most} bytes")
        if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
            raise BadArchive(f"the blob {digest} was changed on the disk")
        return data

    def adopt(self, digest: str, file: Path) -> None:
        """Take a file, whose digest the caller verified, by rename from the same file system.

        Nothing is synced: a blob that is as large as a layer is written with the layers, by ``LayerStore.settle``.
        One that somebody else has brought meanwhile is no error.
        """
        try:
            file.rename(self._path(digest))
        except FileNotFoundError:
            if not self.has(digest):
                raise

    def open(self, digest: str) -> IO[bytes]:
        """A blob as an open file; raises ``NotFound``. Its reader verifies what it reads."""
        try:
            return open(self._path(digest), "rb")
        except FileNotFoundError:
            if self._shared is not None and self._shared.has(digest):
                return self._shared.open(digest)
            raise NotFound(f"the blob {digest} is missing from the content store") from None

    def has(self, digest: str) -> bool:
        """Whether the blob is there."""
        return self._path(digest).exists() or (self._shared is not None and self._shared.has(digest))

    def remove(self, digest: str) -> None:
        """Forget a blob; one that isn't there is no error."""
        self._path(digest).unlink(missing_ok=True)

    def digests(self) -> Iterator[str]:
        """The digest of every blob of its own."""
        for entry in os.scandir(self._blobs):
            yield "sha256:" + entry.name

    def _path(self, digest: str) -> Path:
        if DIGEST.fullmatch(digest) is None:
            raise BadArchive(f"{digest[:100]!r} is not a digest of the form sha256:HEX")
        return self._blobs / digest.removeprefix("sha256:")
