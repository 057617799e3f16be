"""Images that the users of one host share: an OCI image layout that is read, and never written to.

    DIR/index.json                  manifests; each image's name is an annotation, as `docker save` and skopeo write it
    DIR/blobs/sha256/HEX            manifests, configs, layers
    DIR/files/HEX/N                 where the file system has reflinks: the N-th entry of the layer with that diff ID,
                                    counted from 1, as a file of its own, whose blocks a user's file can share

Whoever may write there decides what a name means, so a folder that everybody can write to isn't used. What a digest
names is verified with its first use, by each engine for itself; a file is compared as its layer is unpacked.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

from containerlab.errors import BadArchive, NotFound
from containerlab.images.bodies import Bodies
from containerlab.images.compression import CHUNK
from containerlab.images.config import Descriptor, parse_index
from containerlab.images.limits import MANIFEST_BYTES
from containerlab.images.reference import DIGEST, Reference
from containerlab.reflink import refusal

__all__ = ["SharedStore", "describe"]

_FULL_NAME = "io.containerd.image.name"
_REF_NAME = "org.opencontainers.image.ref.name"
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_Identity = tuple[int, int, int, int]


class SharedStore:
    """The folder ``CONTAINERLAB_SHARED_STORE``; it may be filled, or go away, while engines run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = folder / "blobs" / "sha256"
        self._lock = threading.Lock()
        self._verified: dict[str, _Identity] = {}
        self._index: tuple[_Identity, dict[str, Descriptor]] | None = None

    def refusal(self) -> str:
        """Why nothing is taken from here; empty where all is well."""
        try:
            for path in (self.folder, self.folder / "index.json", self._blobs):
                if path.stat().st_mode & stat.S_IWOTH:
                    return f"{path} can be written to by everybody"
            self._named()
        except OSError as error:
            return f"{error.filename or self.folder}: {error.strerror}"
        except BadArchive as error:
            return error.message
        return ""

    def names(self) -> list[str]:
        """The full names of its images, sorted; raises OSError, BadArchive."""
        return sorted(self._named())

    def find(self, reference: Reference) -> Descriptor | None:
        """The manifest of that name; None where it has none, or nothing is taken from here."""
        return None if self.refusal() else self._named().get(str(reference))

    def has(self, digest: str) -> bool:
        """Whether the blob is there and may be used; its bytes aren't looked at."""
        path = self._path(digest)
        return path.is_file() and not path.is_symlink() and not self.refusal()

    def open(self, digest: str) -> IO[bytes]:
        """A blob as an open file, which has the bytes that its digest says. Raises ``NotFound``, ``BadArchive``."""
        try:
            file = os.fdopen(os.open(self._path(digest), _OPEN), "rb")
        except OSError as error:
            raise NotFound(f"the blob {digest} can't be read in {self.folder}: {error.strerror}") from None
        try:
            self._verify(digest, file)
        except BaseException:
            file.close()
            raise
        return file

    def read(self, digest: str, *, most: int) -> bytes:
        """The bytes of a small blob; raises ``NotFound``, and ``BadArchive`` when they are more than ``most``."""
        with self.open(digest) as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise BadArchive(f"the blob {digest} is larger than {most} bytes")
        return data

    def bodies(self, diff_id: str) -> AbstractContextManager[Bodies | None]:
        """The layer's entries as files of their own, None where there are none; ``diff_id`` is a digest."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return Bodies(os.open(self.folder / "files" / diff_id.removeprefix("sha256:"), flags))
        except OSError:
            return nullcontext()

    def _verify(self, digest: str, file: IO[bytes]) -> None:
        identity = _identity(os.fstat(file.fileno()))
        with self._lock:
            if self._verified.get(digest) == identity:
                return
        hasher = hashlib.sha256()
        while data := file.read(CHUNK):
            hasher.update(data)
        if "sha256:" + hasher.hexdigest() != digest:
            raise BadArchive(f"the blob {digest} in {self.folder} holds other bytes, of sha256:{hasher.hexdigest()}")
        file.seek(0)
        with self._lock:
            self._verified[digest] = identity

    def _named(self) -> dict[str, Descriptor]:
        """The index by full name, read again when it was written."""
        with os.fdopen(os.open(self.folder / "index.json", _OPEN), "rb") as file:
            identity = _identity(os.fstat(file.fileno()))
            if self._index is not None and self._index[0] == identity:
                return self._index[1]
            data = file.read(MANIFEST_BYTES + 1)
        if len(data) > MANIFEST_BYTES:
            raise BadArchive(f"{self.folder}/index.json is larger than {MANIFEST_BYTES} bytes")
        found = {}
        for descriptor in parse_index(data).manifests:
            annotations = descriptor.annotations or {}
            name = annotations.get(_FULL_NAME) or annotations.get(_REF_NAME, "")
            if "/" in name or ":" in name:  # a bare tag names nothing
                found[str(Reference.parse(name))] = descriptor
        self._index = identity, found
        return found

    def _path(self, digest: str) -> Path:
        if DIGEST.fullmatch(digest) is None:
            raise BadArchive(f"{digest[:100]!r} is not a digest of the form sha256:HEX")
        return self._blobs / digest.removeprefix("sha256:")


def describe(folder: Path, store: Path) -> dict[str, object]:
    """For ``doctor``: ``{"path", "refusal", "images": [names], "way": "reflink", "copy" or "", "why"}``.

    The way is found by doing, with a file of ``store`` or of the folder that it will be made in.
    """
    shared = SharedStore(folder)
    refused = shared.refusal()
    found: dict[str, object] = {"path": str(folder), "refusal": refused, "images": [], "way": "", "why": ""}
    if refused:
        return found
    place = next((path for path in (store, *store.parents) if path.is_dir()), store)
    why = refusal(str(folder / "index.json"), str(place))
    if not why and not (folder / "files").is_dir():
        why = "it was filled without files to share: containerlab system share fills it anew"
    return found | {"images": shared.names(), "way": "copy" if why else "reflink", "why": why}


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
