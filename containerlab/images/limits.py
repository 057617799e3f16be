"""Bounds on what an archive or a document may cost before anybody trusted it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CONFIG_BYTES", "MANIFEST_BYTES", "Limits"]

MANIFEST_BYTES = 4 << 20
"""The largest manifest or index that is parsed (containerd's bound)."""

CONFIG_BYTES = 4 << 20
"""The largest image config that is parsed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one archive may ask for. Sizes are bytes; ``ratio`` is unpacked to packed.

    The ratio only counts once ``ratio_from`` bytes came out: a small layer of zeros is no bomb.
    """

    entries: int = 2_000_000
    total: int = 64 << 30
    path: int = 4096
    pax: int = 1 << 20
    xattr: int = 64 << 10
    ratio: int = 300
    ratio_from: int = 1 << 30
    free: int = 16 << 20
