"""Push: an image's layers, config and manifest to a registry.

A layer goes as the blob that it came as, or that it was first sent as; one that was made here is compressed now, once.
An image that was pulled and isn't changed goes with its own manifest, and so under the digest it has elsewhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO

from containerlab.errors import NotFound, NotInRegistry
from containerlab.images.config import Descriptor, Manifest, encode, parse_manifest
from containerlab.images.kept import LayerBlob, Origin, RepoDigest
from containerlab.images.limits import CONFIG_BYTES, MANIFEST_BYTES
from containerlab.images.reference import Reference
from containerlab.images.registry.client import Refused, Repository, connect, patiently
from containerlab.images.registry.manifests import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    DOCKER_PLAIN_LAYER,
    OCI_CONFIG,
    OCI_MANIFEST,
    Document,
    is_zstd,
)
from containerlab.images.registry.packing import compress
from containerlab.images.registry.place import Place
from containerlab.images.registry.progress import Progress, short
from containerlab.images.registry.pull import Asked
from containerlab.images.store import Image

__all__ = ["push"]

_UPLOADS = 3


def push(place: Place, image: Image, reference: Reference, asked: Asked) -> str:
    """Send an image under a tag; gives the manifest's digest, which becomes one of the image's names.

    Raises RegistryError in Docker's words, and Stopped.
    """
    endpoint = place.hosts.push_to(reference.domain)
    try:
        with connect(place.hosts, endpoint, asked.credentials, asked.stop.child()) as repository_at:
            return _Push(place, repository_at(reference.path), image, reference, Progress(asked.tell)).run()
    except Refused as error:
        if error.code == "DENIED" or error.http_status == 403:
            raise NotInRegistry(error.words or "denied: requested access to the resource is denied") from error
        raise


class _Push:
    """One image under one tag, on its way."""

    def __init__(
        self, place: Place, repository: Repository, image: Image, reference: Reference, progress: Progress
    ) -> None:
        self._place, self._images, self._repository = place, place.images, repository
        self._image, self._reference, self._progress = image, reference, progress
        self._owner = f"push-{id(self)}"

    def run(self) -> str:
        image = self._image
        self._repository.need("pull", "push")
        for diff_id in image.diff_ids:
            self._progress.part(short(diff_id), "Preparing")
        try:
            if image.chain_id is not None:
                self._images.layers.pin(image.chain_id, self._owner)
            blobs = self._send_layers()
            document = self._document(blobs)
            self._send_config()
            self._repository.put_manifest(document, self._reference.tag)
        finally:
            self._images.layers.unpin(self._owner)
        name = RepoDigest(self._reference.name(), document.digest)
        origin = Origin(manifest=document.body, media_type=document.media_type, name=name)
        self._images.keep_origin(image.id, origin)
        self._progress.line(f"{self._reference.tag}: digest: {document.digest} size: {len(document.body)}")
        self._progress.aux(Tag=self._reference.tag, Digest=document.digest, Size=len(document.body))
        return document.digest

    # -- layers -----------------------------------------------------------------------------------

    def _send_layers(self) -> list[LayerBlob]:
        """Every layer's blob, base first; equal ones are sent once."""
        chains = dict(zip(self._image.diff_ids, self._image.chain_ids, strict=True))
        with ThreadPoolExecutor(_UPLOADS, "push") as pool:
            sending = {diff_id: pool.submit(self._send_layer, diff_id, chain) for diff_id, chain in chains.items()}
            try:
                done = {diff_id: future.result() for diff_id, future in sending.items()}
            except BaseException:
                self._repository.stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        return [done[diff_id] for diff_id in self._image.diff_ids]

    def _send_layer(self, diff_id: str, chain: str) -> LayerBlob:
        name = short(diff_id)
        blob = self._images.kept.layer(diff_id)
        if blob is not None and not self._images.content.has(blob.digest):
            blob = None
        blob = blob or self._as_pulled(diff_id, name) or self._compressed(diff_id, chain, name)
        if self._repository.has_blob(blob.digest):
            self._progress.part(name, "Layer already exists")
            return blob
        if not self._images.content.has(blob.digest):
            blob = self._compressed(diff_id, chain, name)
        source = self._upload(
            blob.digest,
            blob.size,
            lambda: self._images.content.open(blob.digest),
            lambda sent: self._progress.bytes(name, "Pushing", sent, blob.size),
        )
        self._progress.part(name, f"Mounted from {source}" if source else "Pushed")
        return blob

    def _as_pulled(self, diff_id: str, name: str) -> LayerBlob | None:
        """What the layer was where its image came from, when the registry has that already: it need not be sent."""
        manifest = self._own_manifest()
        if manifest is None or len(manifest.layers) != len(self._image.diff_ids):
            return None
        entry = manifest.layers[self._image.diff_ids.index(diff_id)]
        if not self._repository.has_blob(entry.digest):
            return None
        return LayerBlob(diff_id, entry.digest, entry.size, entry.mediaType)

    def _compressed(self, diff_id: str, chain: str, name: str) -> LayerBlob:
        stop = self._repository.stop
        made, file = compress(self._images.layers, chain, diff_id, self._place.scratch, stop)
        try:
            self._images.keep_layer(made, file)
        finally:
            file.unlink(missing_ok=True)
        return made

    def _upload(self, digest: str, size: int, opened: Callable[[], IO[bytes]], told: Callable[[int], None]) -> str:
        """Send a blob, or have the registry take it from another of its repositories, whose name is given then."""
        begun: list[str] = []
        for other in self._elsewhere()[:1]:
            self._repository.need("pull", path=other)
            with contextlib.suppress(Refused):
                begun.append(self._repository.begin_upload(digest, other))
                if not begun[0]:
                    return other

        def attempt() -> None:
            location = begun.pop() if begun else self._repository.begin_upload()
            with opened() as file:
                self._repository.send(location, digest, _Counted(file, self._repository, told), size)  # type: ignore[arg-type]

        patiently(self._repository.stop, attempt)
        return ""

    def _elsewhere(self) -> list[str]:
        """Repositories of the same registry that should have the image's blobs."""
        domain = f"{self._reference.domain}/"
        paths = {
            name.repository.removeprefix(domain)
            for image in self._relatives()
            for name in image.digests
            if name.repository.startswith(domain)
        }
        return sorted(paths - {self._reference.path})

    def _relatives(self) -> list[Image]:
        """The image, and those that it stands on."""
        chains = set(self._image.chain_ids)
        return [
            image
            for image in self._images.list()
            if image.id == self._image.id or (image.digests and image.chain_id in chains)
        ]

    # -- config and manifest ----------------------------------------------------------------------

    def _send_config(self) -> None:
        image_id = self._image.id
        if self._repository.has_blob(image_id):
            return
        size = len(self._images.content.read(image_id, most=CONFIG_BYTES))
        self._upload(image_id, size, lambda: self._images.content.open(image_id), lambda sent: None)

    def _own_manifest(self) -> Manifest | None:
        kept = self._images.kept.manifest(self._image.id)
        if kept is None:
            return None
        with contextlib.suppress(NotFound):
            return parse_manifest(self._images.content.read(kept[0], most=MANIFEST_BYTES))
        return None

    def _document(self, blobs: list[LayerBlob]) -> Document:
        """The manifest that the image came with when it lists just these blobs, else a new one."""
        kept = self._images.kept.manifest(self._image.id)
        own = self._own_manifest()
        if kept is not None and own is not None and [entry.digest for entry in own.layers] == [b.digest for b in blobs]:
            return Document(self._images.content.read(kept[0], most=MANIFEST_BYTES), kept[1])
        oci = any(is_zstd(blob.media_type) for blob in blobs)  # Docker's own manifest has no word for it
        size = len(self._images.content.read(self._image.id, most=CONFIG_BYTES))
        media_type = OCI_MANIFEST if oci else DOCKER_MANIFEST
        manifest = Manifest(
            schemaVersion=2,
            mediaType=media_type,
            config=Descriptor(OCI_CONFIG if oci else DOCKER_CONFIG, self._image.id, size),
            layers=[Descriptor(_media_type(blob, oci=oci), blob.digest, blob.size) for blob in blobs],
        )
        return Document(encode(manifest), media_type)


def _media_type(blob: LayerBlob, *, oci: bool) -> str:
    plain = not is_zstd(blob.media_type) and "gzip" not in blob.media_type
    if oci:
        packed = "+zstd" if is_zstd(blob.media_type) else "" if plain else "+gzip"
        return f"application/vnd.oci.image.layer.v1.tar{packed}"
    return DOCKER_PLAIN_LAYER if plain else DOCKER_LAYER


class _Counted:
    """A file that tells how much of it was read, and ends when nobody wants that any more."""

    def __init__(self, file: IO[bytes], repository: Repository, told: Callable[[int], None]) -> None:
        self._file, self._repository, self._told = file, repository, told

    def read(self, size: int = -1) -> bytes:
        self._repository.stop.check()
        data = self._file.read(size)
        if data:
            self._told(self._file.tell())
        return data

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, position: int) -> int:
        return self._file.seek(position)
