"""What every transfer needs: the store it fills or empties, where downloads lie, which hosts may be spoken to how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from containerlab.images.registry.downloads import Downloads
from containerlab.images.registry.hosts import Hosts
from containerlab.images.store import ImageStore

__all__ = ["Place"]


@dataclass(frozen=True)
class Place:
    """One store's; ``scratch`` is on the same file system, for what is half-written."""

    images: ImageStore
    downloads: Downloads
    hosts: Hosts
    scratch: Path

    @classmethod
    def of(cls, images: ImageStore, store_folder: Path, hosts: Hosts) -> Place:
        """The usual folders of a store."""
        return cls(images, Downloads(store_folder / "downloads"), hosts, store_folder / "tmp")
