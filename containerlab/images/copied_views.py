"""Views of layers where nothing can be mounted: a tree of links to be read, a copy of it to be written into."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from containerlab.images import trees
from containerlab.images.copied import Copied, gather, merge
from containerlab.images.files import no_room
from containerlab.images.folder import LayerFolder
from containerlab.treecopy import copy_tree

__all__ = ["gather_bundle", "make_view", "view"]


def make_view(files: LayerFolder, layers: Sequence[Path], place: Path) -> None:
    """The tree that ``layers``, base first, show together, at ``place``. Raises ``StorageFull``."""
    with files.half_made("view") as half, no_room("the files of an image"):
        (half / "view").mkdir(mode=0o755)
        merge(layers, half / "view")
        try:
            (half / "view").rename(place)
        except OSError:
            if not place.exists():  # else another thread was first
                raise


@contextlib.contextmanager
def view(files: LayerFolder, base: Path, upper: Path | None, top: Path | None) -> Iterator[int]:
    """A descriptor of the tree ``base``, with ``top`` laid over it, or of a copy that may be written.

    What is written into the copy is in ``upper`` after the block, as in an overlay's upper directory.
    """
    if upper is None and top is None:
        with trees.directory(base) as fd:
            yield fd
        return
    with files.half_made("view") as half:
        tree = half / "view"
        if upper is None:
            tree.mkdir(mode=0o755)
            merge([path for path in (base, top) if path is not None], tree)
            with trees.directory(tree) as fd:
                yield fd
            return
        with no_room("a copy of an image's files"):
            directories = copy_tree(str(base), str(tree))
            (half / "stamp").touch()
        copied = Copied((half / "stamp").stat().st_ctime_ns, directories)
        with trees.directory(tree) as fd, trees.directory(base) as below:
            yield fd
            gather(fd, below, copied, upper)


def gather_bundle(bundle: Path, base: Path, upper: Path, *, places: bool) -> None:
    """Into the empty ``upper`` what a container of ``bundle`` has changed in its copy of ``base``, as links.

    With ``places`` also what was made there for mounts.
    """
    copied = Copied.read(bundle)
    if copied is None:
        return
    if places:
        copied = Copied(copied.at_ns, copied.directories)
    with trees.directory(bundle / "rootfs") as fd, trees.directory(base) as below:
        gather(fd, below, copied, upper)
