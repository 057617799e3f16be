"""Images: references, content, layers, archives. See docs/interfaces.md.

What only a store needs is imported by its first use: a process that packs or unpacks one archive starts without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from containerlab.images.extract import extract
from containerlab.images.limits import Limits
from containerlab.images.pack import pack

if TYPE_CHECKING:
    from containerlab.images.config import ContainerConfig, History, ImageConfig, Rootfs
    from containerlab.images.layer import Layer, Provenance
    from containerlab.images.layers import LayerStore
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

_LATE = {
    "config": ("ContainerConfig", "History", "ImageConfig", "Rootfs"),
    "layer": ("Layer", "Provenance"),
    "layers": ("LayerStore",),
    "reference": ("Reference",),
    "store": ("Image", "ImageStore"),
}


def __getattr__(name: str) -> Any:
    for module, names in _LATE.items():
        if name in names:
            return getattr(importlib.import_module(f"containerlab.images.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
