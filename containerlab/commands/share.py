"""``system share``: put images into the folder that the users of a host share (``CONTAINERLAB_SHARED_STORE``).

The folder is an OCI image layout, and what is written comes out of ``save``, so any Docker engine of version 25 or
later will do. Every file appears by rename, verified by its digest, and for everybody to read; the index comes last.
"""

from __future__ import annotations

__all__ = ["Shared", "share_command"]

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import click

from containerlab import reflink
from containerlab.commands import formats
from containerlab.commands.context import Context, pass_context
from containerlab.commands.parsing import verb
from containerlab.commands.result import Result
from containerlab.commands.streams import get
from containerlab.errors import BadArchive, UsageError

_BLOB = re.compile(r"blobs/sha256/([a-f0-9]{64})")
_FULL_NAME = "io.containerd.image.name"
_DOCUMENT_BYTES = 4 << 20
_CHUNK = 1 << 20
_LEAST = 4096  # a smaller file isn't worth sharing: images/bodies.py asks for no such


@dataclass(repr=False)
class Shared(Result):
    """What the folder was given: ``images`` by full name, the bytes of new blobs, whether users can share blocks."""

    folder: str
    images: list[str] = field(default_factory=list)
    size: int = 0
    reflink: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {"folder": self.folder, "images": self.images, "size": self.size, "reflink": self.reflink}

    def __str__(self) -> str:
        way = "users' files share its blocks" if self.reflink else "no reflinks: each user unpacks a copy"
        lines = [f"{self.folder} has {', '.join(self.images)} ({formats.size(self.size)} new; {way})."]
        return "\n".join([*lines, f"Users take it by CONTAINERLAB_SHARED_STORE={self.folder}"])


@verb("share", help="Put images into a folder, for users of this host whose CONTAINERLAB_SHARED_STORE it is.")
@click.argument("folder", metavar="DIR")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@pass_context
def share_command(context: Context, folder: str, images: tuple[str, ...]) -> Shared:
    named = [_tagged(context, image) for image in images]
    writer = _Folder(Path(folder).expanduser().absolute())
    with writer.locked(), get(context.client, "/images/get", params={"names": named}) as answer:
        index = writer.take(answer.raw)
        writer.split()
        writer.name(index)
    return Shared(str(writer.path), [_name(entry) for entry in index], writer.size, writer.reflinks)


def _tagged(context: Context, image: str) -> str:
    """Its name with a tag. Raises UsageError for an image without one, which nobody could ask for."""
    tags: list[str] = context.client.api.inspect_image(image)["RepoTags"] or []
    wanted = image if ":" in image.rpartition("/")[2] else f"{image}:latest"
    if wanted not in tags:
        raise UsageError(f"{image} is no name of an image.", hint="Give it one: containerlab tag IMAGE NAME")
    return wanted


def _name(descriptor: dict[str, Any]) -> str:
    return str((descriptor.get("annotations") or {}).get(_FULL_NAME, ""))


class _Folder:
    """The layout as it is filled; ``size`` counts the bytes of new blobs."""

    def __init__(self, path: Path) -> None:
        self.path, self.size = path, 0
        self.reflinks = False
        self._new: list[Path] = []

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """The folder, made when missing, for one who fills it at a time."""
        for folder in (self.path, self.path / "blobs", self.path / "blobs" / "sha256", self.path / "files"):
            folder.mkdir(parents=folder == self.path, exist_ok=True)
            folder.chmod(0o755)
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def take(self, stream: IO[bytes]) -> list[dict[str, Any]]:
        """Every blob of a saved archive; gives its index's manifests. Raises BadArchive."""
        manifests = None
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                blob = _BLOB.fullmatch(member.name)
                if content is not None and blob is not None:
                    self._blob(blob[1], content)
                elif content is not None and member.name == "index.json":
                    manifests = json.loads(content.read(_DOCUMENT_BYTES)).get("manifests", [])
        if manifests is None or not all(_name(entry) for entry in manifests):
            raise BadArchive("this engine saves no OCI layout with names: Docker does since version 25")
        return list(manifests)

    def _blob(self, digest: str, content: IO[bytes]) -> None:
        path = self.path / "blobs" / "sha256" / digest
        if path.exists():
            return
        hasher = hashlib.sha256()
        with _written(path) as file:
            while data := content.read(_CHUNK):
                hasher.update(data)
                file.write(data)
                self.size += len(data)
            if hasher.hexdigest() != digest:
                raise BadArchive(f"the engine saved a blob sha256:{digest} that holds other bytes")
        self._new.append(path)

    def split(self) -> None:
        """Where there are reflinks, every file of a layer's tar as one of its own, for users to share its blocks."""
        blobs = self._new or list((self.path / "blobs" / "sha256").iterdir())
        self.reflinks = bool(blobs) and not reflink.refusal(str(blobs[0]), str(self.path))
        if self.reflinks:
            for blob in self._new:
                with contextlib.suppress(tarfile.ReadError), tarfile.open(blob, "r:") as layer:
                    self._split(blob.name, layer)

    def _split(self, diff_id: str, layer: tarfile.TarFile) -> None:
        folder = self.path / "files" / diff_id
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        for number, member in enumerate(layer, start=1):
            content = layer.extractfile(member) if member.isreg() and member.size >= _LEAST else None
            if content is not None:
                with _written(folder / str(number)) as file:
                    while data := content.read(_CHUNK):
                        file.write(data)

    def name(self, manifests: list[dict[str, Any]]) -> None:
        """Write the index: what it had, but for the names that are new."""
        path = self.path / "index.json"
        index: dict[str, Any] = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"}
        if path.exists():
            with open(path, "rb") as before:
                index = json.loads(before.read(_DOCUMENT_BYTES))
        taken = {_name(entry) for entry in manifests}
        kept = [entry for entry in index.get("manifests", []) if _name(entry) not in taken]
        index["manifests"] = [*kept, *manifests]
        for file, document in ((self.path / "oci-layout", {"imageLayoutVersion": "1.0.0"}), (path, index)):
            with _written(file) as target:
                target.write(json.dumps(document).encode())


@contextlib.contextmanager
def _written(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears whole, on the disk, and for everybody to read; not at all when the block fails."""
    half = path.parent / f".{path.name[:40]}.{secrets.token_hex(4)}.tmp"
    try:
        with open(half, "xb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        half.rename(path)
    finally:
        half.unlink(missing_ok=True)
