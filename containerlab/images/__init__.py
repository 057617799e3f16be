"""Images: references, content, layers, archives. See docs/interfaces.md."""

from __future__ import annotations

from containerlab.images.config import ContainerConfig, History, ImageConfig, Rootfs
from containerlab.images.extract import extract
from containerlab.images.layer import Layer, Provenance
from containerlab.images.layers import LayerStore
from containerlab.images.limits import Limits
from containerlab.images.pack import pack
from containerlab.images.reference import Reference
from containerlab.images.store import Image, ImageStore

__all__ = [
    "ContainerConfig",
    "History",
    "Image",
    "ImageConfig",
    "ImageStore",
    "Layer",
    "LayerStore",
    "Limits",
    "Provenance",
    "Reference",
    "Rootfs",
    "extract",
    "pack",
]
