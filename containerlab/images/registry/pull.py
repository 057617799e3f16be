"""Pull: from a reference to an image in the store.

Layers are downloaded a few at a time and unpacked in order, each while it still comes in. A layer whose chain ID is
known isn't fetched. The image's row commits last; a pull that fails or is stopped takes back the layers that it
unpacked, and what it downloaded is there for the next one.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from containerlab.errors import BadArchive, InvalidReference, NotFound, NotInRegistry, RegistryError
from containerlab.images.compression import ByteSource
from containerlab.images.config import Descriptor, ImageConfig, parse_config
from containerlab.images.kept import LayerBlob, Origin, RepoDigest
from containerlab.images.layer import Provenance, chain_id
from containerlab.images.limits import CONFIG_BYTES
from containerlab.images.reference import DIGEST, Reference
from containerlab.images.registry.auth import ANONYMOUS, Credentials
from containerlab.images.registry.client import Refused, Repository, connect
from containerlab.images.registry.downloads import Download
from containerlab.images.registry.manifests import Document, Platform
from containerlab.images.registry.place import Place
from containerlab.images.registry.progress import Progress, Tell, short
from containerlab.images.registry.stop import Stop
from containerlab.images.store import Image

__all__ = ["Asked", "Pulled", "at_each", "pull", "pull_all"]

T = TypeVar("T")

_DOWNLOADS = 3


@dataclass(frozen=True, slots=True)
class Pulled:
    """``digest`` is that of the document under the name: an index's, where there is one."""

    image: Image
    digest: str
    new: bool


@dataclass(frozen=True)
class Asked:
    """Who wants an image, for which platform (None: this host's, and any that stands alone), and where it is told."""

    tell: Tell
    stop: Stop
    credentials: Credentials = ANONYMOUS
    platform: Platform | None = None


def pull(place: Place, reference: Reference, asked: Asked) -> Pulled:
    """Fetch one image by tag or digest, and name it.

    Raises NotInRegistry in Docker's words, RegistryError, BadArchive, StorageFull, and Stopped.
    """
    if reference.digest and DIGEST.fullmatch(reference.digest) is None:
        raise InvalidReference("unsupported digest algorithm", hint="images are pulled by sha256 digests")
    return at_each(place, reference, asked, lambda repository: _Pull(place, repository, reference, asked).run())


def pull_all(place: Place, reference: Reference, asked: Asked) -> list[Pulled]:
    """Fetch every tag of a repository; raises what ``pull`` raises."""

    def work(repository: Repository) -> list[Pulled]:
        tags = repository.tags()
        return [_Pull(place, repository, reference.with_tag(tag), asked).run() for tag in tags]

    return at_each(place, reference, asked, work)


def at_each(place: Place, reference: Reference, asked: Asked, work: Callable[[Repository], T]) -> T:
    """At the mirrors first, then at the registry itself, whose failure is the one that is told."""
    endpoints = place.hosts.pull_from(reference.domain)
    for endpoint in endpoints:
        try:
            with connect(place.hosts, endpoint, asked.credentials, asked.stop.child()) as repository_at:
                repository = repository_at(reference.path)
                repository.need("pull")
                return work(repository)
        except RegistryError as error:
            asked.stop.check()
            if endpoint is endpoints[-1]:
                raise _in_dockers_words(error, reference) from error
    raise AssertionError


def _in_dockers_words(error: RegistryError, reference: Reference) -> RegistryError:
    """moby distribution/errors.go: docker-py tells "no such image" by the status, people by these sentences."""
    if not isinstance(error, Refused):
        return error
    name = reference.familiar_name()
    if error.code == "DENIED":
        return NotInRegistry(
            f"pull access denied for {name}, repository does not exist or may require 'docker login': {error.words}"
        )
    if error.code == "MANIFEST_UNKNOWN" or (error.http_status == 404 and not error.code):
        words = error.words or "manifest unknown: manifest unknown"
        return NotInRegistry(f"manifest for {reference.familiar()} not found: {words}")
    if error.code == "NAME_UNKNOWN":
        return NotInRegistry(f"repository {name} not found: {error.words}")
    return error


@dataclass(frozen=True)
class _Layer:
    """One layer to be: its descriptor, and what the config says of it."""

    descriptor: Descriptor
    diff_id: str
    parent: str | None
    chain: str
    provenance: Provenance

    @property
    def id(self) -> str:
        return short(self.descriptor.digest)


class _Pull:
    """One image on its way."""

    def __init__(self, place: Place, repository: Repository, reference: Reference, asked: Asked) -> None:
        self._images, self._downloads = place.images, place.downloads
        self._repository, self._reference, self._asked = repository, reference, asked
        self._progress = Progress(asked.tell)
        self._owner = f"pull-{secrets.token_hex(16)}"
        self._failure: BaseException | None = None

    def run(self) -> Pulled:
        wanted = self._reference.digest or self._reference.tag
        top = self._repository.manifest(wanted)
        familiar = self._repository.path
        self._progress.line(f"Pulling from {familiar}", self._reference.tag or self._reference.digest)
        document = self._own_manifest(top)
        manifest = document.manifest()
        config_bytes = self._repository.small_blob(manifest.config.digest, CONFIG_BYTES)
        config = parse_config(config_bytes)
        self._check_platform(config, top)
        layers = _layers(config, manifest.layers)
        ref = None if self._reference.digest else self._reference
        name = RepoDigest(self._reference.name(), top.digest)
        known = self._known(manifest.config.digest)
        current = ref is not None and known is not None and str(ref) in {str(tag) for tag in known.tags}
        new = known is None or not (current or ref is None) or name not in known.digests
        image = self._fetch(config_bytes, layers, document, name, ref)
        self._progress.line(f"Digest: {top.digest}")
        state = "Downloaded newer image for" if new else "Image is up to date for"
        shown = self._reference.familiar() if ref is not None else f"{self._reference.familiar_name()}@{top.digest}"
        self._progress.line(f"Status: {state} {shown}")
        return Pulled(image, top.digest, new)

    def _own_manifest(self, top: Document) -> Document:
        """The manifest itself; of an index the one for the platform that is wanted."""
        if not top.is_index:
            return top
        entry = top.pick(self._asked.platform or Platform.own(), self._reference.familiar())
        document = self._repository.manifest(entry.digest)
        if document.is_index:
            raise RegistryError("the index names another index where an image's manifest should be")
        return document

    def _check_platform(self, config: ImageConfig, top: Document) -> None:
        wanted = self._asked.platform
        if wanted is None or top.is_index or wanted.suits(config.os, config.architecture, config.variant):
            return
        actual = Platform(config.os, config.architecture, config.variant)
        raise NotInRegistry(
            f"image with reference {self._reference.familiar()} was found but does not match the specified platform: "
            f"wanted {wanted}, actual: {actual}"
        )

    def _known(self, image_id: str) -> Image | None:
        with contextlib.suppress(NotFound):
            return self._images.get(image_id)
        return None

    # -- layers -----------------------------------------------------------------------------------

    def _fetch(
        self, config: bytes, layers: list[_Layer], document: Document, name: RepoDigest, ref: Reference | None
    ) -> Image:
        """Every layer, then the image; what only this pull needs is let go of, however it ends."""
        unpacked: list[str] = []
        try:
            with contextlib.ExitStack() as stack:
                missing = layers[self._present(layers) :]
                files = self._unpack(missing, stack, unpacked)
                blobs = [
                    LayerBlob(layer.diff_id, layer.descriptor.digest, layer.descriptor.size, layer.descriptor.mediaType)
                    for layer in missing
                    if not self._shared_digest(layer)
                ]
                origin = Origin(
                    blobs,
                    {digest: download.path for digest, download in files.items()},
                    document.body,
                    document.media_type,
                    name,
                )
                top = layers[-1].chain if layers else None
                self._asked.stop.check()
                return self._images.register(config, top, ref, origin=origin)
        except BaseException:
            self._images.layers.unpin(self._owner)
            for chain in reversed(unpacked):
                self._images.layers.remove(chain)
            raise
        finally:
            self._images.layers.unpin(self._owner)

    def _present(self, layers: list[_Layer]) -> int:
        """How many layers are there from the base on; they are pinned, and told of."""
        for count, layer in enumerate(layers):
            try:
                self._images.layers.pin(layer.chain, self._owner)
            except NotFound:
                return count
            self._progress.part(layer.id, "Already exists")
        return len(layers)

    def _unpack(self, layers: list[_Layer], stack: contextlib.ExitStack, unpacked: list[str]) -> dict[str, Download]:
        """Download and unpack; gives the downloads by digest, in use until ``stack`` ends."""
        downloads: dict[str, Download] = {}
        for layer in layers:
            self._progress.part(layer.id, "Pulling fs layer")
            digest = self._shared_digest(layer) or layer.descriptor.digest
            if digest not in downloads and not self._images.content.has(digest):
                downloads[digest] = stack.enter_context(self._downloads.using(digest, layer.descriptor.size))
        for digest in list(downloads)[_DOWNLOADS:]:
            self._progress.part(short(digest), "Waiting")
        pool = ThreadPoolExecutor(_DOWNLOADS, "pull")
        try:
            arriving = {digest: pool.submit(self._download, download) for digest, download in downloads.items()}
            for layer in layers:
                digest = layer.descriptor.digest
                self._unpack_one(layer, downloads.get(digest), arriving.get(digest))
                unpacked.append(layer.chain)
                self._progress.part(layer.id, "Pull complete")
        except BaseException:
            self._repository.stop.set()  # wakes up downloads that wait for the network
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        return downloads

    def _shared_digest(self, layer: _Layer) -> str:
        """The name of the layer's plain tar where users share it, which isn't kept here; empty where they don't."""
        shared = self._images.shared
        plain = layer.diff_id != layer.descriptor.digest
        return layer.diff_id if plain and shared is not None and shared.has(layer.diff_id) else ""

    def _download(self, download: Download) -> None:
        name = short(download.digest)
        try:
            download.fetch(
                self._repository, lambda done: self._progress.bytes(name, "Downloading", done, download.total)
            )
        except BaseException as error:
            self._failure = self._failure or error
            raise
        self._progress.part(name, "Verifying Checksum")
        self._progress.part(name, "Download complete")

    def _unpack_one(self, layer: _Layer, download: Download | None, arriving: Future[None] | None) -> None:
        with contextlib.ExitStack() as stack:
            source: ByteSource
            if download is None or arriving is None:
                digest = self._shared_digest(layer) or layer.descriptor.digest
                source = stack.enter_context(self._images.content.open(digest))
            else:
                source = _Told(download, self._check, self._progress, arriving)
            try:
                made = self._images.layers.unpack(source, layer.parent, layer.provenance, diff_id=layer.diff_id)
                if arriving is not None:
                    arriving.result()
            except BadArchive as error:
                self._check()
                raise BadArchive(f"failed to register layer: {error.message}") from error
        self._images.layers.pin(made.chain_id, self._owner)

    def _check(self) -> None:
        """Raises what ended a download, for whoever waits for its bytes."""
        if self._failure is not None:
            raise self._failure
        self._asked.stop.check()


class _Told:
    """A download that is read, and tells how much of it was unpacked once it is here as a whole."""

    def __init__(
        self, download: Download, check: Callable[[], None], progress: Progress, arriving: Future[None]
    ) -> None:
        self._download, self._check, self._progress, self._arriving = download, check, progress, arriving
        self._reader = download.reader(check)

    def read(self, size: int = -1, /) -> bytes:
        self._check()
        data = self._reader.read(size)
        if self._arriving.done():
            name = short(self._download.digest)
            self._progress.bytes(name, "Extracting", self._reader.position, self._download.total)
        return data


def _layers(config: ImageConfig, descriptors: list[Descriptor]) -> list[_Layer]:
    """The layers as config and manifest tell them together, base first. Raises RegistryError when they don't agree."""
    diff_ids = config.rootfs.diff_ids
    if len(diff_ids) != len(descriptors):
        raise RegistryError(f"the image's manifest has {len(descriptors)} layers, its config {len(diff_ids)}")
    told = [step.created_by for step in config.history if not step.empty_layer]
    layers: list[_Layer] = []
    for number, (diff_id, descriptor) in enumerate(zip(diff_ids, descriptors, strict=True)):
        if DIGEST.fullmatch(diff_id) is None:
            raise RegistryError(f"the image's config names {diff_id[:100]!r}, which is not a digest")
        parent = layers[-1].chain if layers else None
        provenance = Provenance(created_by="".join(told[number : number + 1]))
        layers.append(_Layer(descriptor, diff_id, parent, chain_id(parent, diff_id), provenance))
    return layers
