"""A layer's tar, compressed for the way: the same bytes each time, and checked to be the tar that it was named by."""

from __future__ import annotations

import hashlib
import secrets
import zlib
from pathlib import Path
from typing import IO, Any

from containerlab.errors import BadArchive
from containerlab.images.files import no_room
from containerlab.images.kept import LayerBlob
from containerlab.images.layers import LayerStore
from containerlab.images.registry.manifests import DOCKER_LAYER
from containerlab.images.registry.stop import Stop

try:
    from isal import isal_zlib
except ImportError:  # architectures without isal
    isal_zlib = None  # type: ignore[assignment]

__all__ = ["compress"]

_GZIP_WINDOW = 31
_LEVEL_ISAL, _LEVEL_ZLIB = 2, 6
_GATHERED = 1 << 18


def compress(layers: LayerStore, chain: str, diff_id: str, scratch: Path, stop: Stop) -> tuple[LayerBlob, Path]:
    """The layer as gzip in a new file of ``scratch``, which is the caller's to take or remove.

    Raises ``BadArchive`` when the tar isn't ``diff_id``: what it was made of changed on the disk.
    """
    path = scratch / f"push-{secrets.token_hex(8)}"
    try:
        with no_room("a layer that is pushed"), open(path, "xb", buffering=0) as file:
            packed = _Gzip(file, stop)
            layers.tar(chain, packed)
            packed.finish()
        if packed.plain != diff_id:
            raise BadArchive(f"the layer {chain} makes a tar of {packed.plain}, but its image says {diff_id}")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return LayerBlob(diff_id, packed.digest, packed.size, DOCKER_LAYER), path


class _Gzip:
    """Takes a tar, writes gzip (RFC 1952, with neither name nor time), and knows the digests of both."""

    def __init__(self, file: IO[bytes], stop: Stop) -> None:
        self._file, self._stop = file, stop
        self._compressor: Any = (
            isal_zlib.compressobj(_LEVEL_ISAL, isal_zlib.DEFLATED, _GZIP_WINDOW)
            if isal_zlib is not None
            else zlib.compressobj(_LEVEL_ZLIB, zlib.DEFLATED, _GZIP_WINDOW)
        )
        self._plain, self._packed = hashlib.sha256(), hashlib.sha256()
        self._gathered = bytearray()
        self.size = 0

    def write(self, data: bytes, /) -> None:
        self._gathered += data
        if len(self._gathered) >= _GATHERED:
            self._flush()

    def finish(self) -> None:
        """Write what is left, and gzip's end."""
        self._flush()
        self._keep(self._compressor.flush())

    @property
    def plain(self) -> str:
        return "sha256:" + self._plain.hexdigest()

    @property
    def digest(self) -> str:
        return "sha256:" + self._packed.hexdigest()

    def _flush(self) -> None:
        self._stop.check()
        self._plain.update(self._gathered)
        self._keep(self._compressor.compress(self._gathered))
        self._gathered = bytearray()

    def _keep(self, data: bytes) -> None:
        self._packed.update(data)
        self._file.write(data)
        self.size += len(data)
