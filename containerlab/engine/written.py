"""What a container has written: its writable layer, as the directory that overlayfs calls upper.

Where a container's root is a copy there is none; it is then gathered from what differs from the image, for as long as
it is looked at.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from containerlab.engine.container import Container
from containerlab.engine.parts import Parts, delete_tree
from containerlab.rung import copies_roots

__all__ = ["written"]


@contextlib.contextmanager
def written(parts: Parts, container: Container) -> Iterator[Path]:
    """The directory, to be read only; for a thread."""
    if not copies_roots():
        yield container.folder / "upper"
        return
    folder = parts.settings.store / "tmp" / f"written-{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    try:
        parts.images.layers.gather(container.folder, container.record.chain_id or None, folder, places=True)
        yield folder
    finally:
        delete_tree(folder)
